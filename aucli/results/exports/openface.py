"""OpenFace's CSV, for scripts that were written for it: one file per video, a row per frame and face.

Source: TadasBaltrusaitis/OpenFace 2.2, RecorderCSV, and its wiki, "Output Format": ``frame`` from 1, ``face_id``,
``timestamp`` to a millisecond, ``confidence`` to two places, ``success`` 1 or 0, and ``AU01_c`` ... for occurrence, in
the order of their names. No blank stands before a name: versions before 2.2 wrote one.

What a table does not hold has no column: intensities (``AU01_r``), gaze, pose and the 68 landmarks. In a frame without
the face, or with a row that is left out, success is 0 and the action units are missing, where OpenFace writes 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from aucli.results.columns import require_columns
from aucli.results.exports.csv import write_plain_csv
from aucli.results.exports.target import Content, ExportTarget
from aucli.results.row_filter import LEFT_OUT

if TYPE_CHECKING:
    import polars


def openface_rows(content: Content) -> polars.DataFrame:
    """The columns of OpenFace that a table can fill.

    A frame without any face has the number of the only face of its video, or 0 where there are several.

    Raises:
        TableError: if the rows have no score.
    """
    import polars as pl

    require_columns(content.rows.columns, ("score",))
    faces = content.rows["face"].drop_nulls().unique()
    seen, kept = pl.col("face").is_not_null(), pl.col("face").is_not_null() & pl.col(LEFT_OUT).is_null()
    return content.rows.select(
        pl.col("frame") + 1,
        pl.col("face").fill_null(faces[0] if len(faces) == 1 else 0).alias("face_id"),
        pl.col("time_s").round(3).alias("timestamp"),
        pl.when(seen).then(pl.col("score").cast(pl.Float64)).fill_nan(None).fill_null(0.0).round(2).alias("confidence"),
        kept.cast(pl.Int8).alias("success"),
        *(pl.when(kept).then(pl.col(au)).cast(pl.Float64).alias(f"{au}_c") for au in sorted(content.aus)),
    )


def write_openface(content: Content, temporary: Path, place: Path) -> None:
    """Write one video."""
    write_plain_csv(openface_rows(content), temporary, place)


TARGET: Final = ExportTarget("openface", ".csv", True, False, (), None, write_openface)
