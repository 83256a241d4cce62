"""Evaluations as a Rich table, JSON, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from aucli.errors import OptionsError
from aucli.evaluation.values import LEVEL, METRICS, CrossValidation, Estimate, Evaluation
from aucli.facs import AU_NAMES

TITLES: Final[Mapping[str, str]] = {
    "f1": "F1",
    "accuracy": "Acc",
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "kappa": "kappa",
    "free_kappa": "free kappa",
    "mcc": "MCC",
    "f1_balanced": "F1 balanced",
}


FORMATS: Final = ("table", "json", "csv", "latex")
TABLE_WIDTH: Final = 200
"""Of tables in files and pipes; a terminal's own width is used there."""


def render(result: Evaluation | CrossValidation, *, kind: str = "table", metric: str = "f1") -> str:
    """A result as text, ending in a line break.

    Args:
        result: one test set, or folds.
        kind: ``table``, ``json``, ``csv`` or ``latex``.
        metric: of LaTeX, and of the table of folds.

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
    if isinstance(result, Evaluation):
        tables = [scores_table(result)]
    else:
        tables = [folds_table(result, metric=metric), scores_table(result.mean), scores_table(result.pooled)]
    buffer = io.StringIO()
    console = Console(file=buffer, width=max(TABLE_WIDTH, Console().width))
    for table in tables:
        console.print(table)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def check_format(kind: str, metric: str) -> None:
    """Refuse an unknown format or metric before any work.

    Raises:
        OptionsError: if one is unknown.
    """
    if kind not in FORMATS:
        raise OptionsError(f"--format is {kind!r}; allowed are {', '.join(FORMATS)}")
    _check((metric,))


def scores_table(evaluation: Evaluation, *, metrics: Sequence[str] = tuple(METRICS)) -> Table:
    """A Rich table with one row per AU and the mean; percent, intervals in brackets.

    Raises:
        OptionsError: if a metric is unknown.
    """
    _check(metrics)
    title = f"{evaluation.name}: {evaluation.frames:,} frames, {evaluation.subjects} subjects ({evaluation.method})"
    table = Table(title=title, caption=_caption(evaluation), title_justify="left", caption_justify="left")
    table.add_column("AU")
    for name in ("frames", "present %", "all-positive F1", *(TITLES[m] for m in metrics)):
        table.add_column(name, justify="right")
    for row in evaluation.per_au:
        table.add_row(
            f"{row.au} {AU_NAMES.get(row.au, '')}".strip(),
            f"{row.labelled:,}",
            _percent(row.base_rate),
            _percent(row.all_positive_f1),
            *(_bracketed(row.scores[m]) for m in metrics),
        )
    table.add_section()
    table.add_row(
        f"mean of {len(evaluation.per_au)}", "", "", _percent(_mean_line(evaluation)),
        *(_bracketed(evaluation.mean[m]) + _fewer(evaluation, m) for m in metrics), style="bold",
    )  # fmt: skip
    return table


def folds_table(result: CrossValidation, *, metric: str = "f1") -> Table:
    """A Rich table as papers print it: one row per fold, their mean, and pooled; one column per AU; percent.

    Raises:
        OptionsError: if the metric is unknown.
    """
    _check((metric,))
    table = Table(title=f"{METRICS[metric]}, %", title_justify="left")
    table.add_column("test set")
    for row in result.mean.per_au:
        table.add_column(str(row.au), justify="right")
    table.add_column("Avg", justify="right")
    for evaluation in (*result.folds, result.mean, result.pooled):
        cells = [_percent(row.scores[metric].value) for row in evaluation.per_au]
        table.add_row(evaluation.name, *cells, _percent(evaluation.mean[metric].value) + _fewer(evaluation, metric))
    return table


def to_json(result: Evaluation | CrossValidation) -> str:
    """Everything, as indented JSON; scores are shares between 0 and 1 (or -1 and 1), undefined ones null."""
    return json.dumps(asdict(result), indent=2, ensure_ascii=False)


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
        values = [row.scores[metric].value for row in evaluation.per_au]
        cells = [_percent(value) for value in (*values, evaluation.mean[metric].value)]
        lines.append(" & ".join([_escaped(evaluation.name), *cells]) + r" \\")
    line = [row.all_positive_f1 for row in evaluations[0].per_au]
    if metric == "f1":
        cells = [_percent(value) for value in (*line, _mean_line(evaluations[0]))]
        lines += [r"\midrule", " & ".join(["all positive", *cells]) + r" \\"]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _check(metrics: Sequence[str]) -> None:
    unknown = [m for m in metrics if m not in METRICS]
    if unknown:
        raise OptionsError(f"unknown metric {unknown[0]!r}; allowed are {', '.join(METRICS)}")


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _bracketed(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return _percent(estimate.value)
    return f"{_percent(estimate.value)} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]".replace("[", r"\[")


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
    lost = max((row.lost for row in evaluation.per_au), default=0)
    counted = "counted as absent" if evaluation.lost_faces == "negative" else "left out"
    parts = [f"frames without a face: {lost:,}, {counted}"]
    if evaluation.replicates:
        parts.append(f"{100 * LEVEL:.0f} % intervals: {evaluation.replicates:,} bootstrap replicates over subjects")
    return "; ".join(parts)
