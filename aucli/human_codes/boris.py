"""BORIS's "Aggregated events" and "Tabular events".

Sources: boris-behav-obs/user_guide, export_events; olivierfriard/BORIS, export_events.py and export_observation.py.
Aggregated: one row per event with ``Behavior``, ``Behavior type`` (STATE or POINT), ``Start (s)`` and ``Stop (s)``.
Tabular: one row per change with ``Behavior``, ``Behavior type`` (START, STOP, POINT) and ``Time``; older versions call
the type ``Status`` and write lines about the observation first. Films that are queued in one observation share one
clock, which runs on from film to film: ``Source`` lists them and ``Media duration (s)`` says how long each is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from aucli.errors import OptionsError, TableError
from aucli.human_codes.boris_modifiers import value_of
from aucli.human_codes.boris_timeline import Timeline, require_one_observation, unknown_durations
from aucli.human_codes.collector import CodedEvent, Collector
from aucli.human_codes.file import CodeFile, CodingProgram
from aucli.human_codes.film_names import media_link
from aucli.human_codes.text import header_of, number, shown, table_rows
from aucli.human_codes.times import CodedTime, read_time
from aucli.human_codes.values import CodeOptions, Codes

_NAME_COLUMNS: Final = ("media file name", "media file path")
_QUEUE_COLUMNS: Final = ("source", "media file", "media file(s)")


def read_boris(file: CodeFile, options: CodeOptions) -> list[Codes]:
    """Read aggregated or tabular events, one value per film.

    Raises:
        TableError: if there is no header, states do not pair, films are queued and their durations not known, or
            nothing is an action unit.
        OptionsError: if there are several subjects, or several observations of one film, and none was chosen.
    """
    source = file.source
    lines = file.text.split("\n")
    start = next((i for i, line in enumerate(lines) if is_boris_header(line)), None)
    if start is None:
        raise TableError(f"{source} has no header with Behavior and Start (s) or Time")
    rows = table_rows("\n".join(lines[start:]), source)
    at = {cell.casefold(): i for i, cell in enumerate(next(rows))}
    if "start (s)" in at and "stop (s)" not in at:
        raise TableError(f"{source} has Start (s) and no Stop (s)")
    observed = _of_observation(list(rows), at, options, source)
    timelines = _timelines(observed, at, source)
    require_one_observation(timelines, source)
    collector = Collector(file, options)
    for timeline in timelines.values():
        for film in timeline.films:
            collector.expect(film)
    _note_time_offset(observed, at, collector)
    for row, onset_s, offset_s in (
        _aggregated(observed, at, source) if "start (s)" in at else _tabular(observed, at, source)
    ):
        timeline = timelines[_cell(row, at, "observation id")]
        modifiers = [row[i] for name, i in at.items() if name.startswith("modifier")]
        for film, begin_s, end_s in timeline.parts(onset_s, offset_s):
            collector.add(
                CodedEvent(
                    video=film,
                    name=row[at["behavior"]],
                    value=value_of(modifiers),
                    onset=CodedTime(begin_s),
                    offset=CodedTime(end_s),
                    subject=_cell(row, at, "subject"),
                )
            )
    return collector.finish()


def is_boris_header(line: str) -> bool:
    """Whether a line is the header of either export."""
    cells = {cell.casefold() for cell in header_of(line)}
    return "behavior" in cells and ("start (s)" in cells or "time" in cells)


def _cell(row: Sequence[str], at: Mapping[str, int], *names: str) -> str:
    """The first of these columns that the file has; "" if none."""
    return next((row[at[name]] for name in names if name in at), "")


def _of_observation(
    rows: list[list[str]], at: Mapping[str, int], options: CodeOptions, source: Path
) -> list[list[str]]:
    if options.observation is None:
        return rows
    there = sorted({_cell(row, at, "observation id") for row in rows})
    if options.observation not in there:
        listed = ", ".join(map(shown, there[:12]))
        raise OptionsError(
            f"{source} has no observation {options.observation!r} (`observation`); it holds {listed or 'none'}"
        )
    return [row for row in rows if _cell(row, at, "observation id") == options.observation]


def _timelines(rows: list[list[str]], at: Mapping[str, int], source: Path) -> dict[str, Timeline]:
    """The films of every observation."""
    timelines: dict[str, Timeline] = {}
    named: dict[str, dict[str, None]] = {}
    for row in rows:
        observation = _cell(row, at, "observation id")
        name = media_link(_cell(row, at, *_NAME_COLUMNS))
        if name is not None and name not in ("NA", "Not found"):
            named.setdefault(observation, {}).setdefault(name)
        if observation not in timelines:
            timelines[observation] = _timeline_of(row, at, source)
    for observation, names in named.items():
        known = timelines[observation].films
        if len(known) == 1 and len(names) > 1:
            raise unknown_durations(source, list(names))
        if known == (None,):
            timelines[observation] = Timeline((next(iter(names)),), (0.0,))
    return timelines


def _timeline_of(row: list[str], at: Mapping[str, int], source: Path) -> Timeline:
    """``player #1:a.mp4;b.mp4|player #2:c.mp4`` plays a.mp4, then b.mp4; the second player shows another view."""
    cell = re.sub(r"^\s*player #1:", "", _cell(row, at, *_QUEUE_COLUMNS), flags=re.IGNORECASE)
    first_player = re.split(r"\|?\s*player #\d+:", cell, flags=re.IGNORECASE)[0]
    films = [link for link in map(media_link, first_player.split(";")) if link is not None]
    # The column Source may also only say what kind of observation it was.
    films = [film for film in films if "." in film]
    if len(films) < 2:
        return Timeline((films[0] if films else None,), (0.0,))
    durations = [number(part) for part in _cell(row, at, "media duration (s)").split("|")[0].split(";")]
    if len(durations) != len(films) or not all(np.isfinite(d) and d > 0 for d in durations):
        raise unknown_durations(source, films)
    return Timeline(tuple(films), (0.0, *np.cumsum(durations[:-1]).tolist()))


def _note_time_offset(rows: list[list[str]], at: Mapping[str, int], collector: Collector) -> None:
    offsets = {_cell(row, at, "time offset (s)") for row in rows}
    for offset in sorted(o for o in offsets if np.isfinite(number(o)) and number(o)):
        collector.note(f"BORIS gives a time offset of {shown(offset)} s, which is not added; `shift_s` moves the codes")


def _aggregated(rows: list[list[str]], at: Mapping[str, int], source: Path) -> list[tuple[list[str], float, float]]:
    """Every row is an event; a point has no end of its own."""
    events = []
    for row in rows:
        onset = _seconds(row[at["start (s)"]], source)
        is_point = _cell(row, at, "behavior type").upper().startswith("POINT")
        events.append((row, onset, onset if is_point else _seconds(row[at["stop (s)"]], source)))
    return events


def _tabular(rows: list[list[str]], at: Mapping[str, int], source: Path) -> list[tuple[list[str], float, float]]:
    """Pair START and STOP rows of one behaviour, subject and observation."""
    kind_at = at.get("behavior type", at.get("status"))
    if kind_at is None:
        raise TableError(f"{source} has neither Behavior type nor Status; export aggregated events instead")
    events: list[tuple[list[str], float, float]] = []
    running: dict[tuple[str, ...], tuple[list[str], float]] = {}
    for row in rows:
        key = tuple(row[at[name]] for name in ("observation id", "subject", "behavior") if name in at)
        behavior = shown(key[-1])
        kind, time = row[kind_at].upper(), _seconds(row[at["time"]], source)
        if kind == "POINT":
            events.append((row, time, time))
        elif kind == "START":
            if key in running:
                raise TableError(f"{source} starts {behavior} at {time:.3f} s before it stopped")
            running[key] = (row, time)
        elif kind == "STOP":
            if key not in running:
                raise TableError(f"{source} stops {behavior} at {time:.3f} s before it started")
            started, onset = running.pop(key)
            events.append((started, onset, time))
        else:
            raise TableError(
                f"{source} has an event of type {shown(row[kind_at])!r}; allowed are START, STOP and POINT"
            )
    if running:
        key, (_, onset) = next(iter(running.items()))
        raise TableError(f"{source} starts {shown(key[-1])} at {onset:.3f} s and never stops it")
    return events


def _seconds(cell: str, source: Path) -> float:
    time = read_time(cell)
    if time is None or time.frames is not None:
        raise TableError(f"{source} has the time {shown(cell)!r}; expected seconds or hh:mm:ss.ms")
    return time.seconds


def _recognises(file: CodeFile) -> bool:
    return any(is_boris_header(line) for line in file.first_lines)


PROGRAM: Final = CodingProgram("boris", "BORIS aggregated or tabular events", _recognises, read_boris)
