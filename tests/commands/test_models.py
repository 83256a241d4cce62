"""aucli models: what is parsed, printed and returned."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import aucli
from aucli.faces import scrfd
from aucli.models import exchange
from aucli.models.zoo import find_model
from tests.builders.command_line import left_out, run
from tests.builders.media import MadeVideo
from tests.builders.tiny_model import TINY, make_tiny_model


def test_list() -> None:
    listed = run("models", "list").output
    assert "aunce-small" in listed
    assert "centerface" in listed
    said = json.loads(run("models", "list", "--json").output)
    assert [model["name"] for model in said["models"]] == ["aunce-small"]
    assert (said["schema"], said["command"], said["exit_status"], said["damaged"]) == (1, "models list", 0, [])
    assert said["detectors"] == ["centerface"]


def test_a_damaged_model_is_named_and_the_others_listed() -> None:
    home = Path(os.environ["AUCLI_HOME"]) / "models" / "broken"
    home.mkdir(parents=True)
    (home / "config.json").write_text("{")
    listed = run("models", "list")
    assert "aunce-small" in listed.stdout
    assert "warning: damaged: " in listed.stderr
    assert len(json.loads(run("models", "list", "--json").stdout)["damaged"]) == 1


def test_info() -> None:
    info = run("models", "info", "aunce-small").output
    assert "files intact" in info
    assert "AU12" in info
    assert "MIT" in run("models", "info", "centerface").output
    assert "unknown model" in run("models", "info", "nosuch", code=2).stderr
    config = find_model("aunce-small").config
    said = json.loads(run("models", "info", "aunce-small", "--json").output)
    assert (said["kind"], said["digest"]) == ("model", config.digest)
    assert said["thresholds"] == dict(zip(config.au_columns, config.thresholds, strict=True))
    assert json.loads(run("models", "info", "centerface", "--json").output)["kind"] == "detector"


def test_experimental_columns_are_marked(tmp_path: Path) -> None:
    make_tiny_model(tmp_path / "m", replace(TINY, experimental=(12,)))
    info = run("models", "info", tmp_path / "m").output
    assert "AU01     threshold 0.300\n" in info
    assert "AU12     threshold 0.600  experimental\n" in info
    assert json.loads(run("models", "info", tmp_path / "m", "--json").output)["experimental"] == ["AU12"]
    run("models", "import", tmp_path / "m")
    listed = run("models", "list").output
    assert "1 12* " in listed
    assert "* experimental: " in listed
    models = {one["name"]: one for one in json.loads(run("models", "list", "--json").output)["models"]}
    assert models["tiny"]["experimental"] == [12]


@pytest.mark.slow
def test_import() -> None:
    folder = find_model("aunce-small").folder
    assert "comes with aucli" in run("models", "import", folder, code=1).stderr
    first = run("models", "import", folder, "--name", "mine")
    assert "model mine imported" in first.stdout
    assert "next: aucli annotate VIDEOS -o aus.parquet --model mine" in first.stdout
    assert "imported before" in run("models", "import", folder, "--name", "mine", code=1).stderr
    said = json.loads(run("models", "import", folder, "--name", "mine", "--overwrite", "--json").stdout)
    assert (said["kind"], said["name"], said["exit_status"]) == ("model", "mine", 0)
    assert run("models", "import", folder, "--name", "mine", "--overwrite", "--quiet").output == ""


def test_a_file_that_is_no_model_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no")
    (line,) = run("models", "import", tmp_path / "x.onnx", code=1).stderr.splitlines()
    assert line.startswith("error: ")


@pytest.mark.slow
def test_an_imported_detector_is_found_by_name(shared: Path, tmp_path: Path) -> None:
    video = MadeVideo(n_frames=5).write(tmp_path / "v.mp4")
    run("models", "import", shared / "models" / "scrfd_500m_kps.onnx")
    assert "scrfd_500m_kps" in run("models", "list").output
    run("annotate", video, "-o", tmp_path / "t.parquet", "--detector", "scrfd_500m_kps")
    assert aucli.read_metadata(tmp_path / "t.parquet")["detector"] == "scrfd:scrfd_500m_kps"


def test_export(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    said = json.loads(run("models", "export", "aunce-small", "-o", path, "--safetensors", "--json").stdout)
    assert said["file"] == str(path)
    assert path.stat().st_size > 1000
    wrong = run("models", "export", "aunce-small", "-o", tmp_path / "m.txt", code=2)
    assert "must end in .onnx" in wrong.stderr


def test_every_option_of_import_reaches_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def record(*arguments: Any, **named: Any) -> exchange.Imported:
        calls.append((arguments, named))
        return exchange.Imported("encoder", "x")

    monkeypatch.setattr(exchange, "import_any", record)
    given = ("x.pth", "--aus", "bp4d", "--name", "mine", "--overwrite", "--json", "--quiet")
    assert left_out("models import", given) == set()
    run("models", "import", *given)
    run("models", "import", "x.pth")
    assert calls == [
        ((Path("x.pth"),), {"aus": "1,2,4,6,7,10,12,14,15,17,23,24", "name": "mine", "overwrite": True}),
        ((Path("x.pth"),), {"aus": None, "name": None, "overwrite": False}),
    ]


def test_every_option_of_export_reaches_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(exchange, "export_model", lambda model, output, *, kind: calls.append((model, output, kind)))
    given = ("aunce-small", "-o", "m.safetensors", "--safetensors", "--json", "--quiet")
    assert left_out("models export", given) == set()
    run("models", "export", *given)
    run("models", "export", "aunce-small", "-o", "m.onnx")
    run("models", "export", "aunce-small", "-o", "m.onnx", "--onnx")
    model = find_model("aunce-small")
    assert calls == [
        (model, Path("m.safetensors"), "safetensors"),
        (model, Path("m.onnx"), "onnx"),
        (model, Path("m.onnx"), "onnx"),
    ]


def test_pull_shows_the_licence_and_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    pulled: list[str] = []

    def record(name: str) -> Path:
        pulled.append(name)
        return Path("/packs") / name

    monkeypatch.setattr(scrfd, "pull_pack", record)
    refused = run("models", "pull", "buffalo_l", code=1, input="n\n")
    assert "non-commercial research" in refused.stderr
    assert pulled == []
    accepted = run("models", "pull", "buffalo_l", input="y\n")
    assert "buffalo_l -> /packs/buffalo_l" in accepted.stdout
    given = ("buffalo_l", "--yes", "--json", "--quiet")
    assert left_out("models pull", given) == set()
    said = json.loads(run("models", "pull", *given).stdout)
    assert (said["name"], said["path"]) == ("buffalo_l", "/packs/buffalo_l")
    assert pulled == ["buffalo_l", "buffalo_l"]


@pytest.mark.parametrize("flag", ["--json", "--quiet"])
def test_pull_never_takes_silence_for_consent(flag: str) -> None:
    result = run("models", "pull", "buffalo_l", flag, code=2)
    assert "add --yes" in result.stderr


@pytest.mark.parametrize("more", [[], ["--yes"], ["--quiet"]])
def test_an_unknown_pack_is_told_before_anybody_is_asked(more: list[str]) -> None:
    (line,) = run("models", "pull", "nosuch", *more, code=2).stderr.splitlines()
    assert line.startswith("error: unknown pack 'nosuch'; insightface offers buffalo_l")


def test_an_answer_that_never_comes_is_no() -> None:
    result = run("models", "pull", "buffalo_l", code=1, input="")
    assert "aborted" in result.stderr
