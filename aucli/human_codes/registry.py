"""Every program whose files are read. A new one is its reader and a line here."""

from __future__ import annotations

from aucli.human_codes import boris, boris_project, datavyu, eaf, elan, frames, openface, parquet, spans
from aucli.human_codes.file import CodingProgram

PROGRAMS: tuple[CodingProgram, ...] = (
    eaf.PROGRAM,
    parquet.PROGRAM,
    datavyu.PROGRAM,
    boris_project.PROGRAM,
    boris.PROGRAM,
    openface.PROGRAM,
    spans.PROGRAM,
    elan.PROGRAM,
    frames.PROGRAM,
)
"""In the order in which a file is tried: those with the surest marks first."""
