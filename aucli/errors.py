"""One family of exceptions: what a user can mend. Anything else is our own bug and keeps its traceback.

A message is one line: what was wrong, the value, and what is allowed or what to try.
"""

from __future__ import annotations


class AucliError(Exception):
    """Parent of every error that a user can mend."""


class OptionsError(AucliError):
    """An option, or a combination of options, that makes no sense."""


class VideoError(AucliError):
    """A video that cannot be read."""


class DetectorError(AucliError):
    """A face detector that cannot be found or loaded."""


class ModelError(AucliError):
    """A model folder that is missing, incomplete or damaged."""


class TableError(AucliError):
    """A table that cannot be written, read or continued."""


class DatasetError(AucliError):
    """A benchmark that does not lie on disk as expected, or labels that make no sense."""


class RecipeError(AucliError):
    """A training recipe with a wrong or contradictory value."""


class RigError(AucliError):
    """A face rig that cannot be read."""


class RenderError(AucliError):
    """A picture that cannot be rendered, because OpenGL is missing."""
