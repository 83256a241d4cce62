"""The command line: what is parsed, printed and returned."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import aucli
from aucli.annotation import supervised
from aucli.annotation.options import AnnotateOptions
from aucli.annotation.outcome import Outcome
from aucli.cli import app
from tests.builders.media import MadeVideo

RUNNER = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})


def _run(*arguments: object, code: int = 0, **keywords: Any) -> Any:
    result = RUNNER.invoke(app, [str(argument) for argument in arguments], **keywords)
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return MadeVideo(n_frames=5).write(tmp_path / "v.mp4")


def test_help_and_version() -> None:
    for command in ([], ["annotate"], ["models"], ["models", "list"], ["models", "pull"], ["doctor"]):
        assert "Usage:" in _run(*command, "--help").output
    assert _run("--version").output == f"aucli {aucli.__version__}\n"


def test_every_option_reaches_the_library(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, Any, AnnotateOptions]] = []

    def record(videos: Any, output: Any, *, options: AnnotateOptions, on_progress: object) -> Outcome:
        calls.append((videos, output, options))
        return Outcome((), {}, (), {}, 0)

    monkeypatch.setattr(supervised, "annotate_supervised", record)
    # fmt: off
    _run("annotate", "a", "b", "-o", "o.parquet", "--model", "m", "--detector", "d", "--detect-every", 3,
         "--device", "cpu", "--batch-size", 4, "--fps", 5, "--start", 1, "--end", 2.5, "--max-faces", 2,
         "--min-face", 30, "--threshold", "0.4", "--threshold", "AU12=0.6", "--workers", 3, "--overwrite")
    # fmt: on
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
    )
    assert calls == [(["a", "b"], Path("o.parquet"), expected)]
    _run("annotate", "a", "-o", "o.parquet")
    assert calls[1][2] == AnnotateOptions()


def test_annotate_prints_a_line_a_video_and_where_the_table_is(video: Path, tmp_path: Path) -> None:
    result = _run("annotate", video, "-o", tmp_path / "t.parquet", "--root", tmp_path)
    assert result.stdout.replace("\n", "") == f"5 frames annotated -> {tmp_path / 't.parquet'}"
    assert "1/1 v.mp4: 5 frames" in result.stderr
    again = _run("annotate", video, "-o", tmp_path / "t.parquet", "--root", tmp_path)
    assert "1 of 1 videos were finished before" in again.stderr


def test_quiet_prints_nothing(video: Path, tmp_path: Path) -> None:
    assert _run("annotate", video, "-o", tmp_path / "t.parquet", "--quiet").output == ""


def test_json_is_one_object(video: Path, tmp_path: Path) -> None:
    result = _run(
        "annotate", video, tmp_path / "no.mp4", "-o", tmp_path / "t.parquet", "--root", tmp_path, "--json", code=1
    )
    told = json.loads(result.stdout)
    assert told["n_frames"] == 5
    assert told["videos"]["v.mp4"]["n_rows"] == 5
    assert list(told["failures"]) == ["no.mp4"]


def test_failures_are_listed_and_the_exit_status_tells(video: Path, tmp_path: Path) -> None:
    result = _run("annotate", video, tmp_path / "no.mp4", "-o", tmp_path / "t.parquet", "--root", tmp_path, code=1)
    assert "failed: no.mp4: No such file or directory\n" in result.stderr
    assert result.stderr.count("no.mp4") == 1
    assert (tmp_path / "t.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--detect-every", "0"], 2, "error: --detect-every is 0; allowed is 1 to 1000"),
        (["--every", "1", "--fps", "2"], 2, "give one of them"),
        (["--threshold", "high"], 2, "write 0.5 or AU12=0.4"),
        (["--device", "tpu"], 2, "allowed are auto, cpu, cuda, cuda:N"),
        (["--model", "nosuch"], 1, "error: unknown model 'nosuch'"),
        (["--detector", "nosuch"], 1, "error: unknown detector 'nosuch'"),
    ],
)
def test_mistakes_are_one_line(video: Path, tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    result = _run("annotate", video, "-o", tmp_path / "t.parquet", *arguments, code=code)
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "t.parquet").exists()


def test_an_interrupt_says_how_to_go_on(video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(supervised, "annotate_supervised", interrupted)
    result = _run("annotate", video, "-o", tmp_path / "t.parquet", code=130)
    assert "run the same command again to go on" in result.stderr


def test_models_list_and_info() -> None:
    listed = _run("models", "list").output
    assert "aunce-small" in listed
    assert "centerface" in listed
    assert [m["name"] for m in json.loads(_run("models", "list", "--json").output)["models"]] == ["aunce-small"]
    info = _run("models", "info", "aunce-small").output
    assert "files intact" in info
    assert "AU12" in info
    assert "MIT" in _run("models", "info", "centerface").output
    assert "unknown model" in _run("models", "info", "nosuch", code=1).stderr


def test_models_import(tmp_path: Path) -> None:
    from aucli.models.zoo import find_model

    folder = find_model("aunce-small").folder
    assert "comes with aucli" in _run("models", "import", folder, code=1).stderr
    assert "model mine imported" in _run("models", "import", folder, "--name", "mine").output
    assert "imported before" in _run("models", "import", folder, "--name", "mine", code=1).stderr
    _run("models", "import", folder, "--name", "mine", "--overwrite")
    (tmp_path / "x.onnx").write_bytes(b"no")
    assert "no ONNX graph" in _run("models", "import", tmp_path / "x.onnx", code=1).stderr


def test_an_imported_detector_is_found_by_name(shared: Path, video: Path, tmp_path: Path) -> None:
    _run("models", "import", shared / "models" / "scrfd_500m_kps.onnx")
    assert "scrfd_500m_kps" in _run("models", "list").output
    _run("annotate", video, "-o", tmp_path / "t.parquet", "--detector", "scrfd_500m_kps")
    assert aucli.read_metadata(tmp_path / "t.parquet")["detector"] == "scrfd:scrfd_500m_kps"


def test_pull_shows_the_licence_and_asks() -> None:
    result = _run("models", "pull", "buffalo_l", code=1, input="n\n")
    assert "non-commercial research" in result.stderr
    assert "unknown pack" in _run("models", "pull", "nosuch", "--yes", code=1).stderr


def test_doctor_runs_a_trial(tmp_path: Path) -> None:
    told = json.loads(_run("doctor", "--json").output)
    assert told["annotate_runs"] is True
    states = {check["name"]: check["state"] for check in told["checks"]}
    assert states["trial run"] == "ok"


def test_the_installed_command_runs(video: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "aucli", "annotate", str(video), "-o", str(tmp_path / "t.parquet")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "5 frames annotated" in result.stdout


def test_a_failure_names_its_file_once(video: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    result = _run("annotate", video, tmp_path / "text.mp4", "-o", tmp_path / "t.parquet", "--root", tmp_path, code=1)
    assert "failed: text.mp4: is not a video" in result.stderr
    assert result.stderr.count("text.mp4") == 1
