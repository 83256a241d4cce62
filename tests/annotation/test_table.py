"""The table: rows as a slow loop would write them, and the file they lie in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.annotation.segments import WorkFolder
from aucli.annotation.table import LANDMARK_COLUMNS, POSE_COLUMNS, AnnotatedFrames, table_schema
from aucli.annotation.writing import write_table
from aucli.faces.head_pose import head_pose
from tests.builders.annotated import COLUMNS, RUN, annotated_frames, finished_video, rows_of


def _slow_rows(frames: AnnotatedFrames) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    face_number = 0
    for index, time_s, tracked in zip(frames.index, frames.time_s, frames.tracked, strict=True):
        row: dict[str, Any] = dict.fromkeys(table_schema(COLUMNS, with_video=False).names)
        row |= {"frame": index, "time_s": time_s}
        if not len(tracked.faces):
            rows.append(row)
        for f in range(len(tracked.faces)):
            x0, y0, x1, y1 = tracked.faces.boxes_xyxy[f]
            points = tracked.faces.landmarks_xy[f]
            filled = row | {
                "face": tracked.tracks[f],
                "detected": tracked.detected[f],
                "score": tracked.faces.scores[f],
                "x": x0,
                "y": y0,
                "w": x1 - x0,
                "h": y1 - y0,
                **dict(zip(LANDMARK_COLUMNS, points.reshape(-1), strict=True)),
                "interocular_px": np.hypot(*(points[1] - points[0])),
                **dict(zip(POSE_COLUMNS, head_pose(points[None])[0], strict=True)),
                "sharpness": frames.sharpness[face_number],
                "brightness": frames.brightness[face_number],
            }
            for column, p in zip(COLUMNS, frames.probabilities[face_number], strict=True):
                filled |= {column: p >= 0.5, f"{column}_p": p}
            rows.append(filled)
            face_number += 1
    return rows


def test_schema_is_the_published_one() -> None:
    assert {field.name: str(field.type) for field in table_schema(COLUMNS)} == {
        "video": "string",
        "frame": "int32",
        "time_s": "double",
        "face": "int32",
        "detected": "bool",
        "score": "float",
        "x": "float",
        "y": "float",
        "w": "float",
        "h": "float",
        "left_eye_x": "float",
        "left_eye_y": "float",
        "right_eye_x": "float",
        "right_eye_y": "float",
        "nose_x": "float",
        "nose_y": "float",
        "left_mouth_x": "float",
        "left_mouth_y": "float",
        "right_mouth_x": "float",
        "right_mouth_y": "float",
        "interocular_px": "float",
        "yaw_deg": "float",
        "pitch_deg": "float",
        "roll_deg": "float",
        "sharpness": "float",
        "brightness": "float",
        "AU01": "bool",
        "AU12": "bool",
        "AU01_p": "float",
        "AU12_p": "float",
    }


def test_no_frames_are_no_rows() -> None:
    rows = rows_of(annotated_frames([]))
    assert len(rows) == 0
    assert rows.schema == table_schema(COLUMNS, with_video=False)


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), max_size=6), st.integers(0, 99))
def test_rows_are_those_of_a_slow_loop(counts: list[int], seed: int) -> None:
    frames = annotated_frames(counts, seed)
    expected = pa.Table.from_pylist(_slow_rows(frames), schema=table_schema(COLUMNS, with_video=False))
    found = rows_of(frames)
    distances, slow = (table["interocular_px"].drop_null().to_numpy() for table in (found, expected))
    np.testing.assert_allclose(distances, slow, rtol=1e-6)
    same = [table.drop_columns(["interocular_px"]).to_pylist() for table in (found, expected)]
    assert same[0] == same[1]


def test_a_frame_without_a_face_is_a_row_of_nulls() -> None:
    (row,) = rows_of(annotated_frames([0])).to_pylist()
    assert {name for name, value in row.items() if value is not None} == {"frame", "time_s"}


def test_other_weights_under_the_same_name_are_noticed() -> None:
    as_read = json.loads(json.dumps(RUN.__dict__))
    assert RUN.differences(as_read) == []
    assert RUN.differences(as_read | {"model_digest": "x"}) == ["another `model` of this name"]


def test_files_hold_nothing_that_readers_of_the_last_years_lack(tmp_path: Path) -> None:
    """Flat columns, plain pages, zstd. A nested column with nulls was what arrow before release 26 could not open."""
    table = tmp_path / "t.parquet"
    with WorkFolder(tmp_path / "w", RUN, overwrite=False) as work:
        write_table(table, RUN, [finished_video(work, "a.mp4", [0, 0, 2])], version="0")
    footer = pq.read_metadata(table)
    assert set(footer.metadata) == {b"aucli"}
    group = footer.row_group(0)
    for column in range(footer.num_columns):
        about, chunk = footer.schema.column(column), group.column(column)
        assert about.max_repetition_level == 0
        assert about.path == about.name
        assert chunk.compression == "ZSTD"
        assert set(chunk.encodings) <= {"PLAIN", "RLE", "RLE_DICTIONARY", "PLAIN_DICTIONARY"}
        assert ("DICTIONARY" in " ".join(chunk.encodings)) == (about.name == "video")
        assert chunk.is_stats_set == (about.name in ("video", "frame", "time_s", "face"))
        # Data pages of version 1 keep true and false as plain bits; pages of version 2 would run-length encode them.
        assert "PLAIN" in chunk.encodings
    assert pq.read_table(table).schema.remove_metadata() == table_schema(COLUMNS)
