"""What can be chosen about data sets, in words. Imports nothing heavy: the command line's help knows them at once."""

from __future__ import annotations

from typing import Literal

Numbering = Literal["paper", "part"]
"""Which of a benchmark's published parts fold k tests: as the papers number the folds, or part k."""
