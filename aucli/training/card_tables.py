"""The tables of a model's card, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from aucli.evaluation.calibration import Bin, Reliability
from aucli.evaluation.comparison import Comparison
from aucli.evaluation.values import Estimate, Evaluation
from aucli.facs import AU_NAMES
from aucli.training.card_figures import Alarms, BesidePeer, Ranking, WithinOther


def results_table(results: Evaluation, alarms: Sequence[Alarms], *, marks: dict[int, str] | None = None) -> str:
    """Scores of the test, with the mean in the last row.

    Args:
        results: of the test.
        alarms: what the thresholds do there, in the same order.
        marks: AU -> what to write behind its name.
    """
    marks = marks or {}
    lines = [
        "| AU | | present | absent | threshold | AUC (95 % interval) | F1 (95 % interval) | false alarms | found |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r, alarm in zip(results.per_au, alarms, strict=True):
        name, absent = AU_NAMES[r.au].lower(), r.labelled - r.positive
        mark = f" ({marks[r.au]})" if r.au in marks else ""
        auc, f1 = with_interval(r.scores["roc_auc"]), with_interval(r.scores["f1"])
        shares = f"{_percent(alarm.false_alarms)} | {_percent(alarm.found)}"
        lines.append(
            f"| {r.au} | {name}{mark} | {r.positive} | {absent} | {r.threshold:.2f} | {auc} | {f1} | {shares} |"
        )
    means = (with_interval(results.mean[name]) for name in ("roc_auc", "f1"))
    lines.append(f"| mean | | | | | {' | '.join(means)} | | |")
    return "\n".join(lines)


def comparison_table(found: Comparison) -> str:
    """Two models on the same faces."""
    heads = [f"{name}: {model}" for name in ("F1", "AUC") for model in (found.before, found.after, "difference")]
    lines = [f"| AU | present | {' | '.join(heads)} |", "|---|---|" + "---|" * len(heads)]
    rows = [(str(one.au), str(one.positive), one.figures) for one in found.per_au]
    for au, positive, figures in [*rows, ("mean", "", found.mean)]:
        cells = [
            with_interval(value)
            for metric in ("f1", "roc_auc")
            for value in (figures[metric].before, figures[metric].after, figures[metric].difference)
        ]
        lines.append(f"| {au} | {positive} | {' | '.join(cells)} |")
    return "\n".join(lines)


def within_table(rows: Sequence[WithinOther]) -> str:
    """Action units among faces that show another one."""
    lines = ["| AU | among faces with AU | present | absent | AUC (95 % interval) |", "|---|---|---|---|---|"]
    lines += [f"| {one.au} | {one.other} | {one.present} | {one.absent} | {with_interval(one.auc)} |" for one in rows]
    return "\n".join(lines)


def peer_table(rows: Sequence[BesidePeer]) -> str:
    """The model beside MediaPipe's blendshapes."""
    lines = ["| AU | faces | this model | blendshape | |", "|---|---|---|---|---|"]
    for one in rows:
        model, peer = with_interval(one.model_auc), with_interval(one.peer_auc)
        lines.append(f"| {one.au} | {one.faces} | {model} | {peer} | {one.how} |")
    return "\n".join(lines)


def reliability_table(
    aus: Sequence[int], found: Sequence[Reliability], uncalibrated: Sequence[Reliability] | None
) -> str:
    """What was seen where a probability was said."""
    heads = [f"{one.low:.1f} to {one.high:.1f}" for one in found[0].bins]
    before = " before |" if uncalibrated is not None else ""
    lines = [
        f"| AU | Brier | log loss |{before} ECE |{before} {' | '.join(heads)} |",
        "|---" * (4 + 2 * bool(before) + len(heads)) + "|",
    ]
    for a, (au, now) in enumerate(zip(aus, found, strict=True)):
        cells = [str(au), _number(now.brier), _number(now.log_loss)]
        cells += [] if uncalibrated is None else [_number(uncalibrated[a].log_loss)]
        cells += [_number(now.ece)]
        cells += [] if uncalibrated is None else [_number(uncalibrated[a].ece)]
        lines.append(f"| {' | '.join([*cells, *map(_bin, now.bins)])} |")
    return "\n".join(lines)


def rankings_table(rows: Sequence[Ranking]) -> str:
    """How probabilities rank with rendered intensities."""
    lines = ["| AU | renders | rho | with the AU | rho of these |", "|---|---|---|---|---|"]
    for one in rows:
        rho, shown = (("" if value is None else f"{value:.2f}") for value in (one.rho, one.rho_shown))
        lines.append(f"| {one.au} | {one.faces} | {rho} | {one.shown} | {shown} |")
    return "\n".join(lines)


def with_interval(score: Estimate) -> str:
    """``0.930 (0.898 to 0.959)``."""
    if score.value is None:
        return "not defined"
    interval = "" if score.low is None or score.high is None else f" ({score.low:.3f} to {score.high:.3f})"
    return f"{score.value:.3f}{interval}"


def _bin(one: Bin) -> str:
    return f"{one.mean_probability:.2f}: {one.share_present:.2f} ({one.count})" if one.count else ""


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
