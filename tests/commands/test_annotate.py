"""aucli annotate: what is parsed, printed and returned."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

import aucli
from aucli.annotation import supervised
from aucli.annotation.options import AnnotateOptions
from aucli.annotation.outcome import Outcome
from aucli.annotation.records import RunRecord
from aucli.commands.annotate import NEXT, OPTION_OF, _parse_thresholds, _seconds_per_frame
from aucli.commands.options import as_options
from aucli.errors import OptionsError
from tests.builders.command_line import environment, left_out, run
from tests.builders.media import MadeVideo
from tests.builders.reference import commands
from tests.builders.tiny_model import TINY, make_tiny_model


@pytest.fixture
def video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five frames without a face, named as typed in their own folder."""
    monkeypatch.chdir(tmp_path)
    MadeVideo(n_frames=5).write(tmp_path / "v.mp4")
    return Path("v.mp4")


def test_every_option_reaches_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, Any, AnnotateOptions]] = []

    def record(videos: Any, output: Any, *, options: AnnotateOptions, on_progress: object) -> Outcome:
        calls.append((videos, output, options))
        return Outcome((), {}, (), {}, 0)

    monkeypatch.setattr(supervised, "annotate_supervised", record)
    # fmt: off
    given = ("a", "b", "-o", "o.parquet", "--model", "m", "--detector", "d", "--detect-every", 3,
             "--device", "cpu", "--batch-size", 4, "--fps", 5, "--start", 1, "--end", 2.5, "--max-faces", 2,
             "--min-face", 30, "--threshold", "0.4", "--threshold", "AU12=0.6", "--workers", 3, "--overwrite",
             "--stream", 1, "--picture-rate", 10, "--hysteresis", 0.7, "--steady-crops", 0.1, "--root", "/videos",
             "--precision", "float32", "--json", "--quiet")
    # fmt: on
    assert left_out("annotate", given, but=frozenset({"--every", "--report"})) == set()
    run("annotate", *given)
    expected = AnnotateOptions(
        model="m",
        detector="d",
        detect_every=3,
        device="cpu",
        batch_size=4,
        every_s=0.2,
        start_s=1.0,
        end_s=2.5,
        max_faces=2,
        min_face_px=30,
        thresholds={0: 0.4, 12: 0.6},
        workers=3,
        overwrite=True,
        root=Path("/videos"),
        stream=1,
        picture_rate=10.0,
        hysteresis_logit=0.7,
        steady_crops_s=0.1,
        precision="float32",
    )
    assert calls == [(["a", "b"], Path("o.parquet"), expected)]
    run("annotate", "a", "-o", "o.parquet")
    assert calls[1][2] == AnnotateOptions()
    run("annotate", "a", "-o", "o.parquet", "--every", 0.5)
    assert calls[2][2] == AnnotateOptions(every_s=0.5)


@pytest.mark.slow
def test_experimental_columns_are_named_at_the_end_and_in_the_metadata(video: Path, tmp_path: Path) -> None:
    make_tiny_model(tmp_path / "m", replace(TINY, experimental=(12, 1)))
    for _ in "once", "again, when nothing is left to do":
        said = run("annotate", video, "-o", "t.parquet", "--model", "m").stdout.splitlines()
        assert said[-4] == "experimental: AU01, AU12"
    as_json = json.loads(run("annotate", video, "-o", "t.parquet", "--model", "m", "--json").stdout)
    assert as_json["experimental"] == ["AU01", "AU12"]
    assert aucli.read_metadata("t.parquet")["experimental"] == ["AU01", "AU12"]


@pytest.mark.slow
def test_the_end_says_what_was_found_and_what_to_type_next(video: Path) -> None:
    # A model without experimental columns, about which the end says nothing.
    make_tiny_model(Path("m"), TINY)
    result = run("annotate", video, "-o", "t.parquet", "--model", "m")
    assert result.stdout.splitlines() == [
        "1 video, 5 frames: 0 faces; a face in 0.0 % of the frames",
        "-> t.parquet",
        "next: aucli report t.parquet -o report.html",
        f"or: aucli {', '.join(NEXT)}, evaluate; in Python aucli.read",
    ]
    assert result.stderr.splitlines()[-1].startswith("v.mp4, 5/5 frames, ")
    assert aucli.read_metadata("t.parquet")["experimental"] == []
    again = run("annotate", video, "-o", "t.parquet", "--model", "m")
    assert again.stderr == "1 of 1 videos were finished before\n"
    assert again.stdout.splitlines()[0] == "-> t.parquet"


def test_a_page_that_cannot_be_made_here_is_not_named_next(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tiny_model(Path("m"), TINY)
    monkeypatch.setattr("aucli.runtime.packages.is_installed", lambda module: module != "jinja2")
    assert "\nnext: aucli summary, " in run("annotate", video, "-o", "t.parquet", "--model", "m").stdout


def test_the_commands_named_next_exist() -> None:
    assert {*NEXT, "report", "evaluate"} <= {words for words, _ in commands()}


@pytest.mark.slow
def test_a_page_is_written_as_well(video: Path) -> None:
    result = run("annotate", video, "no.mp4", "-o", "t.parquet", "--report", "r.html", code=1)
    written = [line for line in result.stdout.splitlines() if line.startswith("-> ")]
    assert [line.split(",")[0] for line in written] == ["-> t.parquet", "-> r.html"]
    assert "aucli report" not in result.stdout
    page = Path("r.html").read_text()
    assert "No face was found" in page
    assert "no.mp4: No such file or directory" in page
    as_json = json.loads(run("annotate", video, "-o", "t.parquet", "--report", "r.html", "--json").stdout)
    assert as_json["report"]["n_videos"] == 1


def test_a_page_that_cannot_be_written_is_told_before_any_work(video: Path) -> None:
    for page, message in (
        ("r.pdf", "--report is r.pdf; it must end in .html"),
        ("v.mp4/r.html", "v.mp4 is a file, not a folder"),
    ):
        assert message in run("annotate", video, "-o", "t.parquet", "--report", page, code=2).stderr
    assert not Path("t.parquet").exists()


@pytest.mark.slow
def test_faces_and_frames_with_a_face_are_counted(example: Path, tmp_path: Path) -> None:
    said = json.loads(run("annotate", example, "-o", tmp_path / "t.parquet", "--end", "0.5", "--json").stdout)
    table = aucli.read(tmp_path / "t.parquet")
    with_face = table.drop_nulls("face")
    ((label, record),) = said["videos"].items()
    assert said["annotated"] == [label]
    assert said["n_frames"] == table["frame"].n_unique()
    assert record["n_frames_with_face"] == with_face["frame"].n_unique()
    assert record["n_faces"] == len(with_face) > 0


@pytest.mark.slow
def test_quiet_prints_nothing_but_failures(video: Path) -> None:
    assert run("annotate", video, "-o", "t.parquet", "--quiet").output == ""
    failed = run("annotate", video, "no.mp4", "-o", "t.parquet", "--quiet", code=1)
    assert failed.stdout == ""
    assert failed.stderr.splitlines() == [
        "failed: no.mp4: No such file or directory",
        "1 of 2 videos failed, listed above",
    ]


def test_json_is_one_object_and_nothing_else(video: Path) -> None:
    result = run("annotate", video, "no.mp4", "-o", "t.parquet", "--json", code=1)
    said = json.loads(result.stdout)
    assert (said["schema"], said["command"], said["exit_status"]) == (1, "annotate", 1)
    assert said["tables"] == ["t.parquet"]
    assert said["n_frames"] == 5
    assert said["videos"]["v.mp4"]["n_rows"] == 5
    assert list(said["failures"]) == ["no.mp4"]
    assert result.stderr == "failed: no.mp4: No such file or directory\n"


def test_one_film_by_two_names_is_said(video: Path) -> None:
    Path("linked").symlink_to(".")
    Path("copy.mp4").write_bytes(video.read_bytes())
    result = run("annotate", video, "linked/v.mp4", "copy.mp4", "-o", "o.parquet")
    assert "note: copy.mp4: has the same content as v.mp4; both are in the table" in result.stderr
    assert result.stderr.count("same content") == 1  # one file by two ways in one call is one video
    assert result.stdout.startswith("2 videos")


def test_one_video_without_the_stream_asked_for_does_not_stop_the_others(video: Path) -> None:
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", "v.mp4", "-i", "v.mp4", "-map", "0:v", "-map", "1:v", "-c", "copy", "two.mp4"],
        check=True,
    )
    result = run("annotate", video, "two.mp4", "-o", "t.parquet", "--stream", 1, code=1)
    failed = [line for line in result.stderr.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 1
    assert failed[0].startswith("failed: v.mp4: ")
    assert "--stream" in failed[0]
    assert aucli.read("t.parquet")["video"].unique().to_list() == ["two.mp4"]


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [("--fps", 3, "--every (1 / --fps) not given -> 0.333333"), ("--every", 0.25, "--every not given -> 0.25")],
)
def test_a_table_of_other_options_is_wrong_usage(
    video: Path, monkeypatch: pytest.MonkeyPatch, option: str, value: float, said: str
) -> None:
    monkeypatch.setattr(supervised, "annotate_supervised", aucli.annotate)
    for output in ("t.parquet", "folder"):
        run("annotate", video, "-o", output)
        table = next(Path(output).rglob("*.parquet")) if Path(output).is_dir() else Path(output)
        before = table.read_bytes()
        (line,) = run("annotate", video, "-o", output, option, value, code=2).stderr.splitlines()
        there = f"error: {table} was made with other options"
        assert line == f"{there} ({said}); use the same, another -o, or --overwrite"
        assert table.read_bytes() == before
        assert not list(Path().rglob("*.partial"))


def test_every_difference_from_a_table_is_told_by_its_option() -> None:
    others = {**dict.fromkeys(AnnotateOptions().deciding(), 7), "every_s": 1 / 3}
    one = RunRecord(
        "m",
        "d",
        ("AU01", "AU12"),
        (0.5, 0.5),
        "c",
        "e",
        {**AnnotateOptions().deciding(), "face_search": "x", "precision": "float32"},
    )
    changes: dict[str, Any] = {"model": "n", "detector": "f", "thresholds": (0.5, 0.4), "model_digest": "x"}
    runs = [replace(one, **{name: value}) for name, value in {**changes, "detector_digest": "x"}.items()]
    runs += [
        replace(one, options={**one.options, name: value})
        for name, value in {**others, "face_search": "y", "precision": "int8"}.items()
    ]
    for other in runs:
        (difference,) = other.differences(json.loads(json.dumps(asdict(one))))
        told = as_options(difference, OPTION_OF)
        assert "`" not in told
        assert re.search(r"--[a-z]", told), told
        assert not re.search(r"[a-z]_[a-z]|None|\d{8}", told), told


def test_each_failure_is_one_line_that_names_the_file_once(video: Path) -> None:
    Path("text.mp4").write_text("hello")
    Path("empty").mkdir()
    result = run("annotate", video, "text.mp4", "no.mp4", "empty", "-o", "t.parquet", code=1)
    lines = [line for line in result.stderr.splitlines() if line.startswith("failed: ")]
    assert [line.split(": ")[1] for line in lines] == ["text.mp4", "no.mp4", "empty"]
    assert "is not a video" in lines[0]
    assert all(result.stderr.count(name) == 1 for name in ("text.mp4", "no.mp4"))
    assert result.stderr.splitlines()[-1] == "3 of 4 videos failed, listed above"
    assert result.stdout.startswith("1 video, 5 frames")


def test_a_name_cannot_make_a_terminal_do_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a\x1b[2Jb.mp4").write_text("hello")
    result = run("annotate", "a\x1b[2Jb.mp4", "-o", "t.parquet", code=1)
    assert "\x1b" not in result.output
    assert r"failed: a\x1b[2Jb.mp4: is not a video" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--detect-every", "0"], 2, "error: --detect-every is 0; allowed is 1 to 1000"),
        (["--every", "1", "--fps", "2"], 2, "give one of them"),
        (["--threshold", "high"], 2, "write 0.5 or AU12=0.4"),
        (["--device", "tpu"], 2, "allowed are auto, cpu, cuda, cuda:N"),
        (["--model", "nosuch"], 2, "error: unknown model 'nosuch'"),
        (["--detector", "nosuch"], 2, "error: unknown detector 'nosuch'"),
    ],
)
def test_mistakes_are_one_line(video: Path, arguments: list[str], code: int, message: str) -> None:
    result = run("annotate", video, "-o", "t.parquet", *arguments, code=code)
    (line,) = result.stderr.splitlines()
    assert message in line
    assert not Path("t.parquet").exists()


@pytest.mark.slow
def test_it_runs_as_a_program(video: Path) -> None:
    command = [sys.executable, "-m", "aucli", "annotate", str(video), "-o", "t.parquet"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
    assert "1 video, 5 frames" in result.stdout


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], {}),
        (["0.5"], {0: 0.5}),
        (["AU12=0.4", "au06=.3", "4=0.2"], {12: 0.4, 6: 0.3, 4: 0.2}),
        (["0.5", "AU12=0.4"], {0: 0.5, 12: 0.4}),
    ],
)
def test_thresholds_are_read(texts: list[str], expected: dict[int, float]) -> None:
    assert _parse_thresholds(texts) == expected


@pytest.mark.parametrize("text", ["", "half", "AU12", "AU12=", "AU12=x", "=0.5", "0.5.5", "--"])
def test_thresholds_that_cannot_be_read(text: str) -> None:
    with pytest.raises(OptionsError, match=r"cannot be read; write 0\.5 or AU12=0\.4"):
        _parse_thresholds([text])


def test_sampling_is_given_once() -> None:
    assert _seconds_per_frame(None, None) is None
    assert _seconds_per_frame(0.5, None) == 0.5
    assert _seconds_per_frame(None, 5.0) == 0.2
    with pytest.raises(OptionsError, match="give one of them"):
        _seconds_per_frame(0.5, 5.0)
    with pytest.raises(OptionsError, match="--fps is 0"):
        _seconds_per_frame(None, 0.0)
