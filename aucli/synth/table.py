"""The label table: one row per rendered picture or video frame."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from aucli.facs import au_column
from aucli.synth.expressions import SYNTH_AUS

SCHEMA: Final = pa.schema(
    [
        ("path", pa.string()),
        ("frame", pa.int32()),
        ("time_s", pa.float64()),
        ("person", pa.int32()),
        ("seed", pa.int64()),
        *((au_column(au), pa.int8()) for au in SYNTH_AUS),
        *((f"{au_column(au)}_intensity", pa.float32()) for au in SYNTH_AUS),
        *((f"{au_column(au)}_asymmetry", pa.float32()) for au in SYNTH_AUS),
        ("landmarks", pa.list_(pa.float32(), 10)),
        ("landmarks68", pa.list_(pa.float32(), 136)),
        ("landmarks68_seen", pa.list_(pa.bool_(), 68)),
        ("interocular_px", pa.float32()),
        ("yaw_deg", pa.float32()),
        ("pitch_deg", pa.float32()),
        ("roll_deg", pa.float32()),
        ("gaze_yaw_deg", pa.float32()),
        ("gaze_pitch_deg", pa.float32()),
        ("field_of_view_deg", pa.float32()),
        ("distance_cm", pa.float32()),
        ("age", pa.float32()),
        ("skin_tone", pa.float32()),
        ("hair", pa.string()),
        ("beard", pa.string()),
        ("glasses", pa.string()),
        ("headwear", pa.string()),
        ("grey", pa.bool_()),
        ("blur_px", pa.float32()),
        ("noise", pa.float32()),
        ("jpeg_quality", pa.int16()),
        ("h264_crf", pa.int16()),
    ]
)
"""Columns of ``labels.parquet``.

``path`` is relative to the table. ``person`` and ``seed`` identify the person and the unit of work. ``AU01`` ... are
occurrences by the rule of `aucli.synth.labels` (1, 0, or -1 for unknown), ``AU01_intensity`` 0-5 on the stronger side,
``AU01_asymmetry`` left minus right. ``landmarks`` are five points in the order of the picture (left eye, right eye,
nose tip, left and right mouth corner), ``landmarks68`` the Multi-PIE points, both x, y in pixels, where (0, 0) is the
picture's upper left corner: pixel centres lie at .5. Angles are degrees relative to the camera: yaw positive towards
the person's left, pitch positive upwards, roll positive clockwise in the picture; gaze likewise, in the head.
"""
