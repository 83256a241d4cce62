from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score

from aucli.errors import OptionsError, TableError
from aucli.evaluation.agreement import AgreementOptions, compare, compare_files, match_video
from aucli.human_codes.reading import read_codes
from aucli.human_codes.values import CodeOptions

FPS = 25.0


def table(video: str = "a.mp4", *, frames: int = 100, faces: int = 1, lost: tuple[int, ...] = ()) -> pl.DataFrame:
    """AU12 is said in frames 12 to 31, AU6 never; a frame without a face is one row of nulls."""
    rows: list[dict[str, Any]] = []
    for frame in range(frames):
        base = {"video": video, "frame": frame, "time_s": frame / FPS}
        if frame in lost:
            rows.append(
                {**base, "face": None, "w": None, "h": None, "AU06": None, "AU06_p": None, "AU12": None, "AU12_p": None}
            )
            continue
        for face in range(faces):
            said = 12 <= frame < 32 and face == 0
            rows.append(
                {
                    **base,
                    "face": face,
                    "w": 50.0 - face,
                    "h": 50.0,
                    "AU06": False,
                    "AU06_p": 0.1,
                    "AU12": said,
                    "AU12_p": 0.4 if said else 0.2,
                }
            )
    schema = {
        "video": pl.String,
        "frame": pl.Int32,
        "time_s": pl.Float64,
        "face": pl.Int16,
        "w": pl.Float32,
        "h": pl.Float32,
    }
    schema |= {"AU06": pl.Boolean, "AU06_p": pl.Float32, "AU12": pl.Boolean, "AU12_p": pl.Float32}
    return pl.DataFrame(rows, schema=schema).with_columns(pl.col("video").cast(pl.Categorical))


def elan(tmp_path: Path, name: str = "a.txt") -> Path:
    path = tmp_path / name
    path.write_text("Begin Time - msec\tEnd Time - msec\tAU12\tAU01\n400\t1200\tx\t\n2000\t2400\t\tx\n")
    return path


def test_intervals_against_a_table(tmp_path: Path) -> None:
    result = compare(table(), read_codes(elan(tmp_path)))
    (row,) = result.evaluation.per_au
    truth, said = np.zeros(100, int), np.zeros(100, int)
    truth[10:30], said[12:32] = 1, 1
    assert row.au == 12
    assert row.scores["f1"].value == pytest.approx(f1_score(truth, said))
    assert row.scores["kappa"].value == pytest.approx(cohen_kappa_score(truth, said))
    assert row.threshold == pytest.approx(0.4), "the table's own decisions count, whatever its threshold was"
    assert result.not_compared == (1, 6)
    (video,) = result.videos
    assert (video.video, video.frames, video.compared, video.unmatched_codes, video.faceless) == (
        "a.mp4",
        100,
        100,
        0,
        0,
    )


def test_files_against_a_file(tmp_path: Path) -> None:
    arrow = table().with_columns(pl.col("video").cast(pl.String)).to_arrow()
    metadata = {b"aucli": json.dumps({"schema": 1, "aus": ["AU06", "AU12"]}).encode()}
    pq.write_table(arrow.replace_schema_metadata(metadata), tmp_path / "aus.parquet")
    result = compare_files(tmp_path / "aus.parquet", [elan(tmp_path)])
    assert result == compare(table(), read_codes(elan(tmp_path)))


def test_frames_without_a_face(tmp_path: Path) -> None:
    lost = table(lost=(15, 16))
    counted = compare(lost, read_codes(elan(tmp_path)))
    left_out = compare(lost, read_codes(elan(tmp_path)), options=AgreementOptions(lost_faces="leave_out"))
    assert (counted.videos[0].faceless, counted.evaluation.per_au[0].labelled) == (2, 100)
    assert left_out.evaluation.per_au[0].labelled == 98


def test_which_face(tmp_path: Path) -> None:
    two = table(faces=2)
    with pytest.raises(OptionsError, match=r"a\.mp4 has 2 faces \(0, 1\)"):
        compare(two, read_codes(elan(tmp_path)))
    with pytest.raises(OptionsError, match="no face 7; it has 0, 1"):
        compare(two, read_codes(elan(tmp_path)), options=AgreementOptions(face=7))
    first = compare(two, read_codes(elan(tmp_path)), options=AgreementOptions(face=0))
    largest = compare(two, read_codes(elan(tmp_path)), options=AgreementOptions(face="largest"))
    second = compare(two, read_codes(elan(tmp_path)), options=AgreementOptions(face=1))
    alone = compare(table(), read_codes(elan(tmp_path)))
    assert first.evaluation == alone.evaluation == largest.evaluation
    assert second.evaluation.per_au[0].scores["f1"].value == 0


def plain(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "codes.csv"
    path.write_text(text)
    return path


def test_by_frame_and_by_time_are_the_same(tmp_path: Path) -> None:
    rows = [f"{f},{f / FPS + 0.015:.3f},{int(10 <= f < 30)}" for f in range(0, 100, 3)]
    path = plain(tmp_path, "frame,time_s,AU12\n" + "\n".join(rows) + "\n200,8.0,1\n")
    by_frame = compare(table(), read_codes(path), options=AgreementOptions(align="frame"))
    by_time = compare(table(), read_codes(path), options=AgreementOptions(align="time"))
    assert by_frame == by_time
    assert by_frame.videos[0].compared == 34
    assert by_frame.videos[0].unmatched_codes == 1
    strict = compare(table(), read_codes(path), options=AgreementOptions(align="time", tolerance_s=0.001))
    assert strict.videos[0].compared == 0


def test_alignment_that_is_not_possible(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="holds intervals in seconds"):
        compare(table(), read_codes(elan(tmp_path)), options=AgreementOptions(align="frame"))
    with pytest.raises(OptionsError, match="no time_s column"):
        compare(table(), read_codes(plain(tmp_path, "frame,AU12\n1,1\n")), options=AgreementOptions(align="time"))
    with pytest.raises(OptionsError, match="no frame column"):
        compare(table(), read_codes(plain(tmp_path, "time_s,AU12\n1,1\n")), options=AgreementOptions(align="frame"))


def test_several_videos_give_intervals(tmp_path: Path) -> None:
    videos = [f"day{i}/v{i}.mp4" for i in range(4)]
    joined = pl.concat(
        [table(v, frames=60 + 10 * i).with_columns(pl.col("video").cast(pl.String)) for i, v in enumerate(videos)]
    )
    codes = [one for i in range(4) for one in read_codes(elan(tmp_path, f"V{i}.txt"))]
    result = compare(joined, codes, code_options=CodeOptions(), options=AgreementOptions(replicates=50))
    assert result.evaluation.subjects == 4
    assert result.evaluation.per_au[0].scores["accuracy"].low is not None
    assert [v.video for v in result.videos] == videos
    with pytest.raises(TableError, match="both hold codes"):
        compare(joined, [*codes, codes[0]])


def test_videos_are_matched_by_the_strictest_rule_that_fits() -> None:
    names = ["x/a.mp4", "y/a.mp4", "b.mov"]
    assert match_video("y/a.mp4", names, Path("c.csv")) == "y/a.mp4"
    assert match_video("B.mov", names, Path("c.csv")) == "b.mov"
    assert match_video("b.avi", names, Path("c.csv")) == "b.mov"
    assert match_video(None, names, Path("b.txt")) == "b.mov"
    assert match_video(None, ["only.mp4"], Path("anything.txt")) == "only.mp4"
    with pytest.raises(TableError, match=r"fit several videos: x/a\.mp4, y/a\.mp4"):
        match_video("a.mp4", names, Path("c.csv"))
    with pytest.raises(TableError, match="fit none of the table's videos"):
        match_video("z.mp4", names, Path("c.csv"))


def test_tables_that_do_not_fit(tmp_path: Path) -> None:
    codes = read_codes(elan(tmp_path))
    with pytest.raises(TableError, match="no human codes"):
        compare(table(), [])
    with pytest.raises(TableError, match="no column time_s"):
        compare(table().drop("time_s"), codes)
    with pytest.raises(TableError, match="none of the coded AUs 1, 12"):
        compare(table().drop("AU12"), codes)


def test_options_are_checked() -> None:
    with pytest.raises(OptionsError, match="align is 'both'"):
        AgreementOptions(align="both")  # type: ignore[arg-type]
    with pytest.raises(OptionsError, match="tolerance_s"):
        AgreementOptions(tolerance_s=-1)
    with pytest.raises(OptionsError, match="face is 'first'"):
        AgreementOptions(face="first")  # type: ignore[arg-type]
