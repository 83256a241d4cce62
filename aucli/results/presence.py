"""When an action unit is present: the table's own occurrences, or those of other thresholds by annotate's rule.

The table decides, once: every share, episode, export, page and film shows its columns of occurrences. A caller who
gives thresholds has the occurrences of these action units decided anew, before anything else looks at the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aucli.annotation.occurrence import shifted
from aucli.annotation.options import AnnotateOptions
from aucli.errors import OptionsError, TableError
from aucli.faces.steadying import FORGET_S
from aucli.results.columns import Thresholds, column_of, is_action_unit, with_codes

if TYPE_CHECKING:
    import polars

BoolArray = npt.NDArray[np.bool_]


def decided_anew(rows: polars.DataFrame, thresholds: Thresholds | None) -> polars.DataFrame:
    """Return the rows with the occurrences that other thresholds give.

    Presence is decided as `annotate` does by default (`aucli.annotation.occurrence`): an action unit begins when its
    probability reaches the threshold by half of the hysteresis and ends when it falls below it by as much, in logits;
    where the face was not seen for half a second the threshold itself decides. Cuts are not in the table, and not
    heeded. Action units that `rows` lacks are passed over.

    Args:
        rows: of a table, in any order.
        thresholds: action unit -> probability; None: the rows stay as they are.

    Raises:
        OptionsError: if a threshold is not between 0 and 1, or of no action unit.
        TableError: if the rows have an occurrence without its probability, or lack a video or time.
    """
    import polars as pl

    of_column = _by_column(thresholds or {})
    of_column = {column: threshold for column, threshold in of_column.items() if column in rows.columns}
    if not of_column:
        return rows
    for column in of_column:
        if f"{column}_p" not in rows.columns:
            raise TableError(f"the table has no column {column}_p, by which `thresholds` would decide {column}")
    coded, _ = with_codes(rows)
    time_s, code = coded["time_s"].to_numpy(), coded["video_code"].to_numpy()
    face = coded["face"].cast(pl.Int64).fill_null(-1).to_numpy()
    order = np.lexsort((time_s, face, code))
    half = AnnotateOptions().hysteresis_logit / 2
    decided = []
    for column, threshold in of_column.items():
        p = coded[f"{column}_p"].cast(pl.Float32).fill_nan(None)
        its = order[(p.is_not_null() & coded["face"].is_not_null()).to_numpy()[order]]
        present = np.zeros(len(rows), bool)
        present[its] = _present(p.to_numpy()[its], threshold, half, _is_forgotten(code[its], face[its], time_s[its]))
        known = np.zeros(len(rows), bool)
        known[its] = True
        decided.append(pl.when(pl.Series(known)).then(pl.Series(present)).alias(column))
    return rows.with_columns(decided)


def _by_column(thresholds: Thresholds) -> dict[str, float]:
    of_column = {column_of(au): float(threshold) for au, threshold in thresholds.items()}
    for column, threshold in of_column.items():
        if not is_action_unit(column):
            raise OptionsError(f"`thresholds` has {column}, which is no action unit; write AU12 or 12")
        if not 0 < threshold < 1:
            raise OptionsError(f"`thresholds` has {threshold} for {column}; allowed is more than 0 and less than 1")
    return of_column


def _is_forgotten(
    code: npt.NDArray[np.generic], face: npt.NDArray[np.int64], time_s: npt.NDArray[np.float64]
) -> BoolArray:
    """(R,) rows before which nothing is known of the face; rows by video and face, in time."""
    other = (code[1:] != code[:-1]) | (np.diff(face) != 0)
    return np.asarray(np.r_[np.ones(min(1, len(code)), bool), other | (np.diff(time_s) > FORGET_S)], bool)


def _present(p: npt.NDArray[np.float32], threshold: float, half_logit: float, is_forgotten: BoolArray) -> BoolArray:
    """(R,) occurrences of one action unit, of rows in time."""
    limit = np.asarray([threshold], np.float32)
    begins, ends = shifted(limit, half_logit), shifted(limit, -half_logit)
    is_decided = is_forgotten | (p >= begins) | (p < ends)
    by = np.maximum.accumulate(np.where(is_decided, np.arange(len(p)), 0))
    return np.asarray(np.where(is_forgotten, p >= limit, p >= begins)[by])
