"""Detectors by name: the bundled one, insightface packs, imported files."""

from __future__ import annotations

import shutil
from pathlib import Path

from aucli.errors import DetectorError
from aucli.faces.centerface import CenterFace, centerface_path
from aucli.faces.scrfd import INSIGHTFACE_PACKS, Scrfd, insightface_folder
from aucli.faces.values import Detector
from aucli.runtime.files import user_folder, whole_or_nothing


def open_detector(name_or_path: str | None, *, device: str = "cpu", threads: int = 1) -> Detector:
    """Open a detector.

    Args:
        name_or_path: ``centerface``, the name of an installed insightface pack, the name of an imported ``.onnx``, or
            a path to an SCRFD ``.onnx``. None: CenterFace.
        device: ``cpu`` or ``cuda:N``.
        threads: threads inside one call (CPU).

    Raises:
        DetectorError: if it cannot be found or loaded; the message says what to do.
    """
    if name_or_path is None or name_or_path == "centerface":
        return CenterFace(centerface_path(), device=device, threads=threads)
    return Scrfd(_find_scrfd(name_or_path), name=name_or_path, device=device, threads=threads)


def installed_detectors() -> dict[str, Path]:
    """Return name -> ``.onnx`` of every SCRFD detector at hand: insightface packs and imported files."""
    found = {path.stem: path for path in sorted((user_folder() / "detectors").glob("*.onnx"))}
    for pack in sorted(insightface_folder().glob("*/")):
        if files := sorted(pack.glob("*det*.onnx")) or sorted(pack.glob("scrfd*.onnx")):
            found[pack.name] = files[0]
    return found


def import_detector(source: Path, *, overwrite: bool = False) -> str:
    """Check an SCRFD ``.onnx`` and copy it into the user's zoo.

    Returns:
        The name by which it can be used.

    Raises:
        DetectorError: if it is no SCRFD detector with landmarks, or one of that name is there already.
    """
    Scrfd(_find_scrfd(str(source)), name=str(source))
    target = user_folder() / "detectors" / source.name
    if target.exists() and not overwrite:
        raise DetectorError(f"a detector named {source.stem} was imported before; use --overwrite to replace it")
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_or_nothing(target) as temporary:
        shutil.copyfile(source, temporary)
    return source.stem


def _find_scrfd(name_or_path: str) -> Path:
    path = Path(name_or_path).expanduser()
    if path.suffix == ".onnx":
        if not path.is_file():
            raise DetectorError(f"detector file {path} does not exist")
        return path
    known = installed_detectors()
    if name_or_path in known:
        return known[name_or_path]
    hint = f"; fetch it with: aucli models pull {name_or_path}" if name_or_path in INSIGHTFACE_PACKS else ""
    raise DetectorError(
        f"unknown detector {name_or_path!r}; at hand are {', '.join(['centerface', *known])}, or an .onnx file{hint}"
    )
