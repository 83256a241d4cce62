"""Evaluations as a Rich table, JSON, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, get_args

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from aucli.errors import OptionsError
from aucli.evaluation.choices import Format
from aucli.evaluation.comparison import COMPARED, Comparison
from aucli.evaluation.values import LEVEL, METRICS, CrossValidation, Estimate, Evaluation
from aucli.facs import AU_NAMES
from aucli.runtime.json_text import strict_json

_GROUPS: Final = {"two coders": "film", "frame by frame": "coded face"}
"""What is counted as a subject, by the method of an `Evaluation`, where it is not one."""
TITLES: Final[Mapping[str, str]] = {
    "f1": "F1",
    "accuracy": "Acc",
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "kappa": "kappa",
    "free_kappa": "free kappa",
    "mcc": "MCC",
    "f1_balanced": "F1 balanced",
    "icc_agreement": "ICC(A,1)",
    "icc_consistency": "ICC(C,1)",
}


FORMATS: Final = get_args(Format)
_PADDING: Final = 3
"""Columns of a frame and its blanks, per column."""


def render(
    result: Evaluation | CrossValidation, *, kind: str = "table", metric: str = "f1", width: int | None = None
) -> str:
    """A result as text, ending in a line break.

    Args:
        result: one test set, or folds.
        kind: ``table``, ``json``, ``csv`` or ``latex``.
        metric: of LaTeX, and of the table of folds.
        width: of tables, in characters; None takes the terminal's (or ``COLUMNS``), 80 where there is none.

    Raises:
        OptionsError: if the format or the metric is unknown.
    """
    check_format(kind, metric)
    evaluations = [result] if isinstance(result, Evaluation) else [*result.folds, result.mean, result.pooled]
    if kind == "json":
        return to_json(result) + "\n"
    if kind == "csv":
        return to_csv(evaluations)
    if kind == "latex":
        return to_latex(evaluations, metric=metric)
    buffer = io.StringIO()
    console = Console(file=buffer, width=width or Console().width)
    if isinstance(result, Evaluation):
        tables = scores_tables(result, width=console.width)
    else:
        tables = [
            *folds_tables(result, metric=metric, width=console.width),
            *scores_tables(result.mean, width=console.width),
            *scores_tables(result.pooled, width=console.width),
        ]
    for table in tables:
        console.print(table)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def render_comparison(comparison: Comparison, *, width: int | None = None) -> str:
    """Two models on the same faces as tables, and what to make of them in sentences.

    Args:
        comparison: of the two.
        width: of tables, as in `render`.
    """
    buffer = io.StringIO()
    console = Console(file=buffer, width=width or Console().width)
    rows = [one.figures for one in comparison.per_au]
    columns = [("present", [f"{one.positive:,}" for one in comparison.per_au] + [""])]
    for metric in COMPARED:
        for name in ("before", "after", "difference"):
            cells = [_bracketed(getattr(figures[metric], name)) for figures in [*rows, comparison.mean]]
            columns.append((f"{TITLES[metric]} {name}", cells))
    names = [f"{one.au} {AU_NAMES.get(one.au, '')}".strip() for one in comparison.per_au]
    drawn = f"; 95 % intervals: {comparison.replicates:,} replicates over people" if comparison.replicates else ""
    for table in _split(
        title=f"before: {comparison.before}, after: {comparison.after}; {comparison.subjects} people held out, %",
        caption=f"each by its own thresholds, on the same {comparison.frames:,} frames{drawn}",
        heads=("AU", [*names, f"mean of {comparison.averaged['f1']}"]),
        short_heads=[*(str(one.au) for one in comparison.per_au), "mean"],
        columns=columns,
        width=console.width,
    ):
        console.print(table)
    lines = [line.rstrip() for line in buffer.getvalue().splitlines()]
    return "\n".join([*lines, *comparison.verdict()]) + "\n"


def check_format(kind: str, metric: str) -> None:
    """Refuse an unknown format or metric before any work.

    Raises:
        OptionsError: if one is unknown.
    """
    if kind not in FORMATS:
        raise OptionsError(f"`kind` is {kind!r}; allowed are {', '.join(FORMATS)}")
    _check((metric,))


def scores_tables(evaluation: Evaluation, *, metrics: Sequence[str] | None = None, width: int) -> list[Table]:
    """Rich tables with one row per AU and the mean; percent, intervals in brackets.

    Args:
        evaluation: what to show.
        metrics: None for all that it has.
        width: in characters; what does not fit goes into another table below, under the same rows.

    Raises:
        OptionsError: if a metric is unknown.
    """
    metrics = tuple(evaluation.mean) if metrics is None else metrics
    _check(metrics)
    rows = evaluation.per_au
    columns = [
        ("frames", [f"{row.labelled:,}" for row in rows] + [""]),
        ("present %", [_percent(row.base_rate) for row in rows] + [""]),
        ("all-positive F1", [_percent(row.all_positive_f1) for row in rows] + [_percent(_mean_line(evaluation))]),
    ]
    for m in metrics:
        mean = _bracketed(evaluation.mean[m]) + _fewer(evaluation, m)
        columns.append((TITLES[m], [*(_bracketed(row.scores[m]) for row in rows), mean]))
    group = _GROUPS.get(evaluation.method, "subject") + "s" * (evaluation.subjects != 1)
    return _split(
        title=f"{evaluation.name}: {evaluation.frames:,} frames, {evaluation.subjects} {group} ({evaluation.method})",
        caption=_caption(evaluation),
        heads=("AU", [*(f"{row.au} {AU_NAMES.get(row.au, '')}".strip() for row in rows), f"mean of {len(rows)}"]),
        short_heads=[*(str(row.au) for row in rows), "mean"],
        columns=columns,
        width=width,
    )


def folds_tables(result: CrossValidation, *, metric: str = "f1", width: int) -> list[Table]:
    """Rich tables as papers print them: one row per fold, their mean, and pooled; one column per AU; percent.

    Args:
        result: the folds.
        metric: the figure.
        width: in characters; what does not fit goes into another table below, under the same rows.

    Raises:
        OptionsError: if the metric is unknown.
    """
    _check((metric,))
    evaluations = (*result.folds, result.mean, result.pooled)
    columns = [
        (str(row.au), [_percent(_score(evaluation.per_au[a].scores, metric).value) for evaluation in evaluations])
        for a, row in enumerate(result.mean.per_au)
    ]
    means = [_percent(_score(one.mean, metric).value) + _fewer(one, metric) for one in evaluations]
    names = [evaluation.name for evaluation in evaluations]
    return _split(
        title=f"{METRICS[metric]}, %",
        caption=None,
        heads=("test set", names),
        short_heads=names,
        columns=[*columns, ("Avg", means)],
        width=width,
    )


def _split(
    *,
    title: str,
    caption: str | None,
    heads: tuple[str, list[str]],
    short_heads: list[str],
    columns: Sequence[tuple[str, list[str]]],
    width: int,
) -> list[Table]:
    """Tables no wider than `width`: as many columns each as fit, and the heads of the rows; the last row is bold."""
    blocks: list[list[tuple[str, list[str]]]] = []
    room = 0
    for column in columns:
        needed = _width(column)
        if not blocks or needed > room:
            first = _width(heads if not blocks else (heads[0], short_heads))
            blocks.append([])
            room = width - 1 - first
        blocks[-1].append(column)
        room -= needed
    tables = []
    for k, block in enumerate(blocks):
        table = Table(
            title=title if k == 0 else None,
            caption=caption if k == 0 else None,
            title_justify="left",
            caption_justify="left",
        )
        table.add_column(heads[0])
        for name, _ in block:
            table.add_column(name, justify="right")
        names = heads[1] if k == 0 else short_heads
        for i, name in enumerate(names):
            is_last = i == len(names) - 1
            if is_last:
                table.add_section()
            cells = (escape(cells[i]) for _, cells in block)
            table.add_row(escape(name), *cells, style="bold" if is_last else None)
        tables.append(table)
    return tables


def _width(column: tuple[str, list[str]]) -> int:
    return max(cell_len(text) for text in (column[0], *column[1])) + _PADDING


def to_json(result: Evaluation | CrossValidation) -> str:
    """Everything, as indented JSON; scores are shares between 0 and 1 (or -1 and 1), undefined ones null."""
    return strict_json(asdict(result), indent=2)


def to_csv(evaluations: Sequence[Evaluation]) -> str:
    """Long form: one line per evaluation, AU and metric; undefined scores are empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
        [
            "test_set",
            "method",
            "au",
            "frames",
            "positive",
            "missing",
            "lost",
            "threshold",
            "metric",
            "value",
            "low",
            "high",
        ]
    )
    for evaluation in evaluations:
        for row in evaluation.per_au:
            facts: list[Any] = [row.au, row.labelled, row.positive, row.missing, row.lost, row.threshold]
            for metric, estimate in row.scores.items():
                writer.writerow([evaluation.name, evaluation.method, *facts, metric, *_plain(estimate)])
        for metric, estimate in evaluation.mean.items():
            writer.writerow([evaluation.name, evaluation.method, "mean", *[""] * 5, metric, *_plain(estimate)])
    return buffer.getvalue()


def to_latex(evaluations: Sequence[Evaluation], *, metric: str = "f1") -> str:
    """A ``tabular`` with booktabs rules: one row per evaluation, one column per AU and the mean; percent.

    Raises:
        OptionsError: if the metric is unknown, there is nothing to print, or the evaluations differ in action units.
    """
    _check((metric,))
    if not evaluations:
        raise OptionsError("there are no evaluations to print")
    aus = [row.au for row in evaluations[0].per_au]
    if any([row.au for row in e.per_au] != aus for e in evaluations):
        raise OptionsError("evaluations of different action units do not fit one table")
    lines = [
        rf"\begin{{tabular}}{{l{'r' * (len(aus) + 1)}}}",
        r"\toprule",
        " & ".join([TITLES[metric], *(f"AU{au}" for au in aus), "Avg"]) + r" \\",
        r"\midrule",
    ]
    for evaluation in evaluations:
        values = [_score(row.scores, metric).value for row in evaluation.per_au]
        cells = [_percent(value) for value in (*values, _score(evaluation.mean, metric).value)]
        lines.append(" & ".join([_escaped(evaluation.name), *cells]) + r" \\")
    line = [row.all_positive_f1 for row in evaluations[0].per_au]
    if metric == "f1":
        cells = [_percent(value) for value in (*line, _mean_line(evaluations[0]))]
        lines += [r"\midrule", " & ".join(["all positive", *cells]) + r" \\"]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _check(metrics: Sequence[str]) -> None:
    unknown = [m for m in metrics if m not in TITLES]
    if unknown:
        raise OptionsError(f"unknown metric {unknown[0]!r}; allowed are {', '.join(TITLES)}")


def _score(scores: Mapping[str, Estimate], metric: str) -> Estimate:
    if metric not in scores:
        raise OptionsError(f"there is no {metric} here; there are {', '.join(scores)}")
    return scores[metric]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _bracketed(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return _percent(estimate.value)
    return f"{_percent(estimate.value)} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def _fewer(evaluation: Evaluation, metric: str) -> str:
    """Over how many AUs a mean runs, where not over all."""
    averaged = evaluation.averaged[metric]
    return "" if averaged == len(evaluation.per_au) else f" ({averaged} AUs)"


def _mean_line(evaluation: Evaluation) -> float | None:
    lines = [row.all_positive_f1 for row in evaluation.per_au if row.all_positive_f1 is not None]
    return sum(lines) / len(lines) if lines else None


def _plain(estimate: Estimate) -> list[str]:
    return ["" if v is None else f"{v:.6f}" for v in (estimate.value, estimate.low, estimate.high)]


def _escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in "&%$#_{}" else c for c in text)


def _caption(evaluation: Evaluation) -> str:
    if evaluation.method == "two coders":
        parts = ["ICC of intensities 0 to 5, kappa of presence"] if "icc_agreement" in evaluation.mean else []
        return "; ".join([*parts, *_replicates(evaluation, "films")])
    lost = max((row.lost for row in evaluation.per_au), default=0)
    counted = "counted as absent" if evaluation.lost_faces == "negative" else "left out"
    parts = [f"frames without a face: {lost:,}, {counted}"]
    return "; ".join([*parts, *_replicates(evaluation, "subjects")])


def _replicates(evaluation: Evaluation, groups: str) -> list[str]:
    if not evaluation.replicates:
        return []
    return [f"{100 * LEVEL:.0f} % intervals: {evaluation.replicates:,} bootstrap replicates over {groups}"]
