"""Where the films of a study lie now: by their names, and only if their contents are those that were annotated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from aucli.annotation.records import VideoRecord
from aucli.results.report.study import StudyFilm
from aucli.video.content import content_digest, content_fingerprint, content_size


def find_film(film: StudyFilm, folders: Sequence[Path]) -> tuple[Path | None, str]:
    """Find a film by its name in the table: as typed, then in these folders, by its path and by its file's name.

    Args:
        film: of a study.
        folders: where to look.

    Returns:
        Its path, or None and why not, in one line.
    """
    if film.record is None:
        return None, "the table does not tell which file it was"
    other = None
    for path in _candidates(film.label, folders):
        try:
            if not path.exists():
                continue
            if _is_same(path, film.record):
                return path, ""
        except OSError as error:
            return None, f"{path} cannot be read ({error.strerror or error})"
        other = other or path
    if other is not None:
        return None, f"{other} is another film than the one that was annotated"
    return None, "it is not where it was"


def _candidates(label: str, folders: Sequence[Path]) -> Iterator[Path]:
    yield Path(label)
    name = PurePosixPath(label)
    # A folder of videos keeps its own name in front of theirs: look below any part of the path.
    parts = name.parts[1:] if name.is_absolute() else name.parts
    for folder in folders:
        for begin in range(len(parts)):
            yield folder.joinpath(*parts[begin:])


def _is_same(path: Path, record: VideoRecord) -> bool:
    if content_size(path) != record.size_bytes:
        return False
    if record.fingerprint:
        return content_fingerprint(path) == record.fingerprint
    return content_digest(path) == record.sha256
