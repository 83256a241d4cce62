"""Flat columns for spreadsheets and statistics programs: values that every program reads alike, and what they mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aucli.facs import AU_NAMES
from aucli.results.row_filter import LEFT_OUT

if TYPE_CHECKING:
    import polars

    from aucli.results.exports.target import Content

_POINTS: Final = {
    "left_eye": "eye, left in the picture",
    "right_eye": "eye, right in the picture",
    "nose": "tip of the nose",
    "left_mouth": "mouth corner, left in the picture",
    "right_mouth": "mouth corner, right in the picture",
}
_LABELS: Final = {
    "video": "Video, as it was named to annotate",
    "frame": "Frame, from 0, in the order of presentation",
    "time_s": "Time at which the frame is shown, seconds",
    "face": "Face: one person through the video, from 0",
    "detected": "Box: found in this frame (1), or carried from others (0)",
    "score": "Confidence of the face detector",
    "x": "Left edge of the face box, px",
    "y": "Upper edge of the face box, px",
    "w": "Width of the face box, px",
    "h": "Height of the face box, px",
    "interocular_px": "Distance of the eyes, px",
    "yaw_deg": "Head turned, degrees, positive to the person's left",
    "pitch_deg": "Head raised, degrees, negative where lowered",
    "roll_deg": "Head tilted, degrees, positive clockwise in the picture",
    "sharpness": "Sharpness of the face crop",
    "brightness": "Brightness of the face crop",
    LEFT_OUT: "Rule by which the row is left out; its action units are missing",
} | {f"{point}_{axis}": f"{where}: {axis}, px" for point, where in _POINTS.items() for axis in "xy"}
VALUE_LABELS: Final = {0: "absent", 1: "present"}
DETECTED_LABELS: Final = {0: "carried from other frames", 1: "found in this frame"}


def column_label(name: str) -> str:
    """What a column holds, in at most 80 characters, which Stata allows."""
    match = re.fullmatch(r"AU(\d\d)(_p)?", name)
    if match is None or int(match[1]) not in AU_NAMES:
        return _LABELS.get(name, name)[:80]
    return f"AU{int(match[1])} {AU_NAMES[int(match[1])]}: {'probability' if match[2] else 'present'}"


def flat_rows(content: Content) -> polars.DataFrame:
    """The table's rows in its columns; 1 and 0 for true and false, null for everything that is missing.

    Action units are null in rows that the filter leaves out; a last column then names the rule.
    """
    import polars as pl

    rows = content.rows.with_columns(
        pl.col(pl.Float32, pl.Float64).fill_nan(None), pl.col(pl.Boolean).cast(pl.Int8), pl.col("video").cast(pl.String)
    )
    if not content.is_filtered:
        return rows.drop(LEFT_OUT)
    values = [name for au in content.aus for name in (au, f"{au}_p") if name in rows.columns]
    kept = pl.col(LEFT_OUT).is_null()
    return rows.with_columns(pl.when(kept).then(pl.col(name)).alias(name) for name in values)
