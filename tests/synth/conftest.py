"""Studios for heads made up of formulas and for FaceKit's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aucli.errors import RenderError
from aucli.synth.rig import load_rig
from aucli.synth.studio import Studio


@pytest.fixture(scope="session")
def rig_path(made_up_rig_path: Path) -> Path:
    return made_up_rig_path


@pytest.fixture(scope="session")
def photographer(rig_path: Path, opengl: None) -> Iterator[Studio]:
    yield from opened(rig_path)


@pytest.fixture(scope="session")
def facekit_path(shared: Path) -> Path:
    """FaceKit itself, for what depends on how a real head looks."""
    return shared / "facekit" / "facekit.npz"


@pytest.fixture(scope="session")
def portraitist(facekit_path: Path, opengl: None) -> Iterator[Studio]:
    """A studio for FaceKit's heads."""
    yield from opened(facekit_path)


@pytest.fixture(params=["photographer", "portraitist"])
def either(request: pytest.FixtureRequest) -> Studio:
    """Either studio: what holds for any head, and decides what labels are worth on a real one."""
    studio: Studio = request.getfixturevalue(request.param)
    return studio


def opened(rig_path: Path) -> Iterator[Studio]:
    try:
        studio = Studio(load_rig(rig_path), size_px=160, supersampling=1.0)
    except RenderError as error:
        pytest.skip(f"no OpenGL on this machine: {error}")
    yield studio
    studio.close()
