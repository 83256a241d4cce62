"""Fixtures shared by all tests."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
import typer.main
from hypothesis import settings

# Nothing is timed here: under load, a first example that decodes a video takes longer than hypothesis allows.
settings.register_profile("aucli", deadline=None)
settings.load_profile("aucli")

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared"
EXAMPLE = HERE.parent / "examples" / "clip.mp4"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of footage and notes beside the checkout; tests that use it skip where it is not."""
    if not SHARED.is_dir():
        pytest.skip("the shared footage is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def commands_built_once() -> Iterator[None]:
    """Typer's runner builds all commands for each line that a test types: 0.05 s, a thousand times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", functools.cache(typer.main.get_command))
        yield


@pytest.fixture(scope="session")
def opengl() -> None:
    """For tests that draw in this process: Mesa's LLVM crashes Triton's if torch imports that afterwards."""
    import torch._dynamo  # noqa: F401

    pytest.importorskip("moderngl", reason="rendering needs the extra aucli[synth]")


@pytest.fixture(scope="session")
def made_up_rig_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A packed rig of FaceKit's kind, made up of formulas, for tests that do not depend on a real head's looks."""
    from aucli.synth.rig import save_rig
    from tests.builders.made_up_rig import made_up_rig

    path = tmp_path_factory.mktemp("rig") / "made_up.npz"
    save_rig(made_up_rig(), path)
    yield path
    path.unlink()


@pytest.fixture(scope="session")
def example() -> Path:
    """The rendered clip that travels with the project."""
    return EXAMPLE


@pytest.fixture(scope="session")
def face_frame(example: Path) -> npt.NDArray[np.uint8]:
    """One RGB frame with at least one face."""
    with av.open(str(example)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.asarray(frames[len(frames) // 2], dtype=np.uint8)


@pytest.fixture(autouse=True)
def every_processor_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests, and the programs that they start, compute in float32 also where int8 would pay."""
    monkeypatch.setenv("AUCLI_PRECISION", "float32")


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test sees or touches what the user has imported or downloaded."""
    with tempfile.TemporaryDirectory(
        prefix="home-", dir=tmp_path_factory.getbasetemp(), ignore_cleanup_errors=True
    ) as home:
        monkeypatch.setenv("HOME", home)
        monkeypatch.setenv("AUCLI_HOME", str(Path(home) / "aucli"))
        yield
