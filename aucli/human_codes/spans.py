"""Plain tables of intervals: a start, an end and a label in every row, as people keep them in a spreadsheet.

Headers may be English, French or German (see `headers`); times are seconds, milliseconds, clock times, timecodes or
frame numbers, as the header or the cells say. A label is an action unit (``AU12``, ``Lip corner puller``) or a FACS
code (``6C+12D``); a column of intensities may stand beside it. Frame numbers are taken as onset and offset frames are
coded for CASME II and its kind: the last frame still belongs to the interval.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from aucli.errors import TableError
from aucli.human_codes.collector import CodedEvent, Collector
from aucli.human_codes.file import CodeFile, CodingProgram
from aucli.human_codes.headers import columns_by_role, role_of, unit_of
from aucli.human_codes.text import header_of, shown, table_rows, whole_number
from aucli.human_codes.times import CodedTime, Unit, read_time
from aucli.human_codes.values import CodeOptions, Codes


def read_spans(file: CodeFile, options: CodeOptions) -> list[Codes]:
    """Read a table of intervals, one value per film.

    Raises:
        TableError: if a column is lacking, a time is none, or nothing is an action unit.
        OptionsError: if several subjects or coders are in it and none was chosen.
    """
    source = file.source
    rows = table_rows(file.text, source)
    header = next(rows)
    at = columns_by_role(header)
    labels = [i for i, cell in enumerate(header) if role_of(cell) == "label"]
    if "start" not in at or ("end" not in at and "duration" not in at) or not labels:
        raise TableError(f"{source} needs columns for start, end and label; its header is {shown(', '.join(header))}")
    until = at["end"] if "end" in at else at["duration"]
    units = (unit_of(header[at["start"]]), unit_of(header[until]))
    if ("frame" in units) and units[0] != units[1]:
        raise TableError(f"{source} counts frames in one of {header[at['start']]} and {header[until]} only")
    collector = Collector(file, options, "frame" if units[0] == "frame" else "s")
    for row in rows:
        start, end = (_time(row[i], unit, source, options) for i, unit in zip((at["start"], until), units, strict=True))
        if "end" not in at:
            end = CodedTime(start.seconds + end.seconds) if units[0] != "frame" else end
            if start.frames is not None or end.frames is not None:
                raise TableError(f"{source} gives durations as timecode; give ends instead")
        if units[0] == "frame":
            last = end.seconds if "end" in at else start.seconds + end.seconds + options.frame_base - 1
            end = CodedTime(last + 1)
        grade = row[at["intensity"]] if "intensity" in at else ""
        subject, coder = (row[at[role]] if role in at else "" for role in ("subject", "coder"))
        video = (row[at["video"]] or None) if "video" in at else None
        if len(labels) > 1:
            name, value = row[labels[0]], row[labels[-1]]
        else:
            # With an intensity beside it the label names the AU; alone it may hold a whole FACS code.
            name, value = (row[labels[0]], grade) if grade else (header[labels[0]], row[labels[0]])
        collector.add(CodedEvent(video, name, value, start, end, subject, coder))
    return collector.finish()


def _time(cell: str, unit: Unit | Literal["frame"], source: Path, options: CodeOptions) -> CodedTime:
    if unit == "frame":
        return CodedTime(float(whole_number(cell, source, "frame") - options.frame_base))
    time = read_time(cell, unit)
    if time is None:
        raise TableError(f"{source} has the time {shown(cell)!r}; expected seconds, hh:mm:ss.ms or a timecode")
    return time


def _recognises(file: CodeFile) -> bool:
    header = header_of("\n".join(file.first_lines[:2]))
    at = columns_by_role(header)
    return "start" in at and ("end" in at or "duration" in at) and "label" in at


PROGRAM: Final = CodingProgram("spans", "a table with start, end and label", _recognises, read_spans)
