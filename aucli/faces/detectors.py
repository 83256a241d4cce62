"""Detectors by name: the bundled one, insightface packs, imported files."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

from aucli.errors import DetectorError, OptionsError
from aucli.faces.centerface import CenterFace, centerface_path
from aucli.faces.scrfd import INSIGHTFACE_PACKS, Scrfd, insightface_folder
from aucli.faces.values import Detector
from aucli.runtime.child import call_apart
from aucli.runtime.files import user_folder, whole_or_nothing

DEFAULT_DETECTOR: Final = "centerface"
DETECTOR_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def open_detector(name_or_path: str | None, *, device: str = "cpu", threads: int = 1) -> Detector:
    """Open a detector.

    Args:
        name_or_path: ``centerface``, the name of an installed insightface pack, the name of an imported ``.onnx``, or
            a path to an SCRFD ``.onnx``. None: CenterFace.
        device: ``cpu`` or ``cuda:N``.
        threads: threads inside one call (CPU).

    Raises:
        OptionsError: if there is none of this name.
        DetectorError: if it cannot be loaded; the message says what to do.
    """
    if name_or_path is None or name_or_path == DEFAULT_DETECTOR:
        return CenterFace(centerface_path(), device=device, threads=threads)
    return Scrfd(_find_scrfd(name_or_path), name=name_or_path, device=device, threads=threads)


def installed_detectors() -> dict[str, Path]:
    """Return name -> ``.onnx`` of every SCRFD detector at hand: insightface packs and imported files."""
    found = {path.stem: path for path in sorted((user_folder() / "detectors").glob("*.onnx"))}
    for pack in sorted(insightface_folder().glob("*/")):
        if files := sorted(pack.glob("*det*.onnx")) or sorted(pack.glob("scrfd*.onnx")):
            found[pack.name] = files[0]
    return found


def import_detector(source: Path, *, name: str | None = None, overwrite: bool = False) -> str:
    """Check an SCRFD ``.onnx`` and copy it into the user's zoo, whole or not at all.

    Args:
        source: the file.
        name: to import it under; None: the file's.
        overwrite: replace a detector that was imported under this name.

    Returns:
        The name by which it can be used.

    Raises:
        DetectorError: if it is no SCRFD detector with landmarks or does not work, or its name is taken or none.
    """
    path = _find_scrfd(str(source))
    name = name or path.stem
    if not DETECTOR_NAME.fullmatch(name):
        raise DetectorError(f"{name!r} cannot name a detector; allowed are letters, digits, '-', '_' and '.' (`name`)")
    if name in (DEFAULT_DETECTOR, *INSIGHTFACE_PACKS):
        raise DetectorError(f"{name} is the name of another detector; give yours one of its own (`name`)")
    target = user_folder() / "detectors" / f"{name}.onnx"
    if target.exists() and not overwrite:
        raise DetectorError(f"a detector named {name} was imported before; use `overwrite` to replace it")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with whole_or_nothing(target) as temporary:
            shutil.copyfile(path, temporary)
            call_apart("aucli.faces.trial:try_detector", str(temporary), str(path), what=str(path), error=DetectorError)
    except OSError as error:
        raise DetectorError(f"{path} cannot be imported: {error.strerror or error}") from error
    return name


def _find_scrfd(name_or_path: str) -> Path:
    path = Path(name_or_path).expanduser()
    if path.suffix == ".onnx":
        if not path.is_file():
            raise DetectorError(f"detector file {path} does not exist")
        return path
    known = installed_detectors()
    if name_or_path in known:
        return known[name_or_path]
    if name_or_path in INSIGHTFACE_PACKS:
        raise DetectorError(f"{name_or_path} is not here yet; fetch it with: aucli models pull {name_or_path}")
    raise OptionsError(
        f"unknown detector {name_or_path!r}; at hand are {', '.join(['centerface', *known])}, or an .onnx file"
    )
