"""One family of exceptions: what a user can mend. Anything else is our own bug and keeps its traceback.

A message is one line: what was wrong, the value, and what is allowed or what to try.
"""

from __future__ import annotations

import re
from typing import Final

UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line and paragraph separators, marks that turn the writing direction, bytes that are no UTF-8."""


def printable(text: str) -> str:
    r"""Return a text that a terminal shows as one line and obeys nothing of: ``\xNN`` for each byte that it would.

    The set of characters is fixed, so that a text is the same on every machine and Python.
    """
    return UNPRINTABLE.sub(lambda match: "".join(f"\\x{byte:02x}" for byte in _bytes_of(match[0])), text)


def _bytes_of(character: str) -> bytes:
    try:
        return character.encode("utf-8", "surrogateescape")  # as os.fsdecode has read it
    except UnicodeEncodeError:
        return character.encode("utf-8", "surrogatepass")


class AucliError(Exception):
    """Parent of every error that a user can mend. Its text is printable, whatever a file was called."""

    def __str__(self) -> str:
        return printable(super().__str__())


class OptionsError(AucliError):
    """An option, or a combination of options, that makes no sense."""


class MissingPackageError(AucliError):
    """A package that is needed for what was asked, and is not installed."""


class VideoError(AucliError):
    """A video that cannot be read."""


class DetectorError(AucliError):
    """A face detector that cannot be found or loaded."""


class ModelError(AucliError):
    """A model folder that is missing, incomplete or damaged."""


class TableError(AucliError):
    """A table that cannot be written, read or continued."""


class NothingCodedError(TableError):
    """A file of human codes without a single code: nothing occurred, or nobody has coded it."""


class SubjectNotCodedError(OptionsError):
    """A file of human codes that holds others than the subject that was asked for."""


class StorageError(AucliError):
    """A disk that takes no more: full, read-only, gone. Nothing can go on, and all that was finished is kept."""


class CrashError(AucliError):
    """A native library that took the process down while no video was at work."""


class BusyError(AucliError):
    """A folder that another run is writing to."""


class DatasetError(AucliError):
    """A benchmark that does not lie on disk as expected, or labels that make no sense."""


class RecipeError(AucliError):
    """A training recipe with a wrong or contradictory value."""


class RigError(AucliError):
    """A face rig that cannot be read."""


class RenderError(AucliError):
    """A picture that cannot be rendered, because OpenGL is missing."""
