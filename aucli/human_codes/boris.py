"""BORIS's "Aggregated events" and "Tabular events".

Sources: boris-behav-obs/user_guide, export_events; olivierfriard/BORIS, export_events.py and export_observation.py.
Aggregated: one row per event with ``Behavior``, ``Behavior type`` (STATE or POINT), ``Start (s)`` and ``Stop (s)``.
Tabular: one row per change with ``Behavior``, ``Behavior type`` (START, STOP, POINT) and ``Time``; older versions call
the type ``Status`` and write lines about the observation first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from aucli.errors import OptionsError, TableError
from aucli.human_codes.collector import Collector
from aucli.human_codes.names import INTENSITIES
from aucli.human_codes.text import delimiter_of, seconds, split_cells, split_table
from aucli.human_codes.values import CodeOptions, Codes


def is_boris_header(line: str) -> bool:
    """Whether a line is the header of either export."""
    cells = {cell.casefold() for cell in split_cells(line, delimiter_of(line))}
    return "behavior" in cells and ("start (s)" in cells or "time" in cells)


def read_boris(source: Path, text: str, options: CodeOptions) -> list[Codes]:
    """Read aggregated or tabular events, one value per video.

    Raises:
        TableError: if there is no header, states do not pair, or nothing is an action unit.
        OptionsError: if there are several subjects, or several observations of one video, and none was chosen.
    """
    lines = text.split("\n")
    start = next((i for i, line in enumerate(lines) if is_boris_header(line)), None)
    if start is None:
        raise TableError(f"{source} has no header with Behavior and Start (s) or Time")
    header, rows = split_table("\n".join(lines[start:]), source)
    at = {cell.casefold(): i for i, cell in enumerate(header)}
    if "start (s)" in at and "stop (s)" not in at:
        raise TableError(f"{source} has Start (s) and no Stop (s)")
    rows = _chosen(rows, at.get("subject"), options.subject, "subject", source)
    video_at = next((at[n] for n in ("media file name", "media file path", "media file", "source") if n in at), None)
    _require_one_observation(rows, at.get("observation id"), video_at, options, source)
    rows = _chosen(
        rows, at.get("observation id") if options.observation else None, options.observation, "observation", source
    )
    collector = Collector(source, options)
    events = _aggregated(rows, at, source) if "start (s)" in at else _tabular(rows, at, source)
    for row, onset, offset in events:
        video = _media_name(row[video_at]) if video_at is not None else None
        behavior = row[at["behavior"]]
        value = next((row[i] for name, i in at.items() if name.startswith("modifier") and row[i].strip()), "")
        collector.add(video, behavior, value if value.strip().casefold() in INTENSITIES else "", onset, offset)
    return collector.finish()


def _aggregated(rows: list[list[str]], at: Mapping[str, int], source: Path) -> list[tuple[list[str], float, float]]:
    """Every row is an event; a point has no end of its own."""
    type_at = at.get("behavior type")
    events = []
    for row in rows:
        onset = seconds(row[at["start (s)"]], source)
        is_point = type_at is not None and row[type_at].strip().upper().startswith("POINT")
        events.append((row, onset, onset if is_point else seconds(row[at["stop (s)"]], source)))
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
        kind, time = row[kind_at].strip().upper(), seconds(row[at["time"]], source)
        if kind == "POINT":
            events.append((row, time, time))
        elif kind == "START":
            if key in running:
                raise TableError(f"{source} starts {key[-1]} at {time:.3f} s before it stopped")
            running[key] = (row, time)
        elif kind == "STOP":
            if key not in running:
                raise TableError(f"{source} stops {key[-1]} at {time:.3f} s before it started")
            started, onset = running.pop(key)
            events.append((started, onset, time))
        else:
            raise TableError(f"{source} has an event of type {row[kind_at]!r}; allowed are START, STOP and POINT")
    if running:
        key, (_, onset) = next(iter(running.items()))
        raise TableError(f"{source} starts {key[-1]} at {onset:.3f} s and never stops it")
    return events


def _chosen(rows: list[list[str]], column: int | None, wanted: str | None, what: str, source: Path) -> list[list[str]]:
    """Rows of the chosen subject or observation; there must be only one where none was chosen."""
    if column is None:
        return rows
    there = sorted({row[column] for row in rows})
    if wanted is None:
        if len(there) > 1:
            raise OptionsError(f"{source} holds the {what}s {', '.join(there)}; choose one with the option {what}")
        return rows
    if wanted not in there:
        raise OptionsError(f"{source} has no {what} {wanted!r}; it holds {', '.join(there)}")
    return [row for row in rows if row[column] == wanted]


def _require_one_observation(
    rows: list[list[str]], observation_at: int | None, video_at: int | None, options: CodeOptions, source: Path
) -> None:
    """Two observations of one video are two coders or two passes, never to be merged silently."""
    if observation_at is None or options.observation is not None:
        return
    by_video: dict[str, set[str]] = {}
    for row in rows:
        by_video.setdefault(row[video_at] if video_at is not None else "", set()).add(row[observation_at])
    for video, observations in by_video.items():
        if len(observations) > 1:
            listed = ", ".join(sorted(observations))
            raise OptionsError(
                f"{source} holds the observations {listed} of {video or 'a video'}; choose one with the option "
                "observation"
            )


def _media_name(cell: str) -> str | None:
    """``player #1:/data/a.mp4`` is ``a.mp4``."""
    name = re.split(r"[\\/]|#\d+:", cell.strip())[-1].strip()
    return name or None
