"""BORIS's own projects (.boris): all observations, with their films and events.

Source: the projects that BORIS 8 writes (JSON, format 7.0), and the user guide, "Project". An event is time in seconds,
subject, code, modifiers, comment. A state event is two of these, start and stop, told apart by their order alone: BORIS
pairs those of one code, subject and modifiers as they follow in time. ``behaviors_conf`` says which codes are states.
Films of the first player are queued: see `boris_timeline`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from aucli.errors import OptionsError, TableError
from aucli.human_codes.boris_modifiers import value_of
from aucli.human_codes.boris_timeline import Timeline, require_one_observation, unknown_durations
from aucli.human_codes.collector import CodedEvent, Collector
from aucli.human_codes.file import CodeFile, CodingProgram
from aucli.human_codes.film_names import media_link
from aucli.human_codes.text import shown
from aucli.human_codes.times import CodedTime
from aucli.human_codes.values import CodeOptions, Codes

_MARKS: Final = (b'"project_format_version"', b'"behaviors_conf"', b'"subjects_conf"')


def read_boris_project(file: CodeFile, options: CodeOptions) -> list[Codes]:
    """Read a project, one value per film.

    Raises:
        TableError: if it is damaged, states do not pair, films are queued and their durations not known, or nothing is
            an action unit.
        OptionsError: if there are several subjects, or several observations of one film, and none was chosen.
    """
    source = file.source
    project = _parse(file)
    observations = _chosen(_section(project, "observations", source), options, source)
    states = {
        _text(behavior.get("code")): str(behavior.get("type", "")).casefold().startswith("state")
        for behavior in _section(project, "behaviors_conf", source).values()
        if isinstance(behavior, dict)
    }
    timelines = {name: _timeline(observation, source) for name, observation in observations.items()}
    require_one_observation(timelines, source)
    collector = Collector(file, options)
    for name, observation in observations.items():
        timeline = timelines[name]
        for film in timeline.films:
            collector.expect(film)
        offset = observation.get("time offset")
        if isinstance(offset, int | float) and offset:
            collector.note(f"BORIS gives a time offset of {offset} s, which is not added; `shift_s` moves the codes")
        for subject, code, modifiers, onset_s, offset_s in _stretches(observation, states, source):
            said = value_of(modifiers.split("|"))
            for film, begin_s, end_s in timeline.parts(onset_s, offset_s):
                collector.add(CodedEvent(film, code, said, CodedTime(begin_s), CodedTime(end_s), subject))
    return collector.finish()


def _parse(file: CodeFile) -> dict[str, Any]:
    try:
        project = json.loads(file.text)
    except (ValueError, RecursionError) as error:
        raise TableError(f"{file.source} is damaged JSON: {error}") from None
    if not isinstance(project, dict):
        raise TableError(f"{file.source} is JSON, but no project of BORIS")
    return project


def _section(project: Mapping[str, Any], name: str, source: Path) -> dict[str, Any]:
    section = project.get(name)
    if not isinstance(section, dict):
        raise TableError(f"{source} has no {name}; is it a project of BORIS?")
    return section


def _chosen(observations: Mapping[str, Any], options: CodeOptions, source: Path) -> dict[str, dict[str, Any]]:
    if options.observation is not None and options.observation not in observations:
        listed = ", ".join(shown(name) for name in sorted(observations)[:12])
        raise OptionsError(
            f"{source} has no observation {options.observation!r} (`observation`); it holds {listed or 'none'}"
        )
    chosen = {name: one for name, one in observations.items() if options.observation in (None, name)}
    for name, one in chosen.items():
        if not isinstance(one, dict):
            raise TableError(f"{source} has a damaged observation {shown(name)!r}")
    return chosen


def _timeline(observation: Mapping[str, Any], source: Path) -> Timeline:
    """The films of the first player; the others show other views."""
    players = observation.get("file")
    queued = players.get("1") if isinstance(players, dict) else None
    paths = [path for path in queued if isinstance(path, str)] if isinstance(queued, list) else []
    films = [link for link in map(media_link, paths) if link is not None]
    if len(films) < 2:
        return Timeline((films[0] if films else None,), (0.0,))
    about = observation.get("media_info")
    lengths = about.get("length") if isinstance(about, dict) else None
    durations = [lengths.get(path) if isinstance(lengths, dict) else None for path in paths]
    known = [d for d in durations if isinstance(d, int | float) and math.isfinite(d) and d > 0]
    if len(known) != len(films):
        raise unknown_durations(source, films)
    return Timeline(tuple(films), (0.0, *np.cumsum(known[:-1]).tolist()))


def _stretches(
    observation: Mapping[str, Any], states: Mapping[str, bool], source: Path
) -> Iterator[tuple[str, str, str, float, float]]:
    """Subject, code, modifiers, onset and offset in seconds of every event; a point's are the same.

    Raises:
        TableError: if an event is damaged, or a state never stops.
    """
    events = observation.get("events")
    if not isinstance(events, list):
        raise TableError(f"{source} has an observation without events")
    running: dict[tuple[str, str, str], float] = {}
    for event in sorted((_event(one, source) for one in events), key=lambda event: event[0]):
        time_s, what = event[0], event[1:]
        if not states.get(what[1], False):
            yield (*what, time_s, time_s)
        elif what in running:
            yield (*what, running.pop(what), time_s)
        else:
            running[what] = time_s
    if running:
        (_, code, _), onset_s = next(iter(running.items()))
        raise TableError(f"{source} starts {shown(code)} at {onset_s:.3f} s and never stops it")


def _event(event: Any, source: Path) -> tuple[float, str, str, str]:
    if isinstance(event, list) and len(event) >= 4:
        time_s = event[0]
        if isinstance(time_s, int | float) and not isinstance(time_s, bool) and math.isfinite(time_s):
            return float(time_s), _text(event[1]), _text(event[2]), _text(event[3])
    raise TableError(f"{source} has the event {shown(str(event))}; expected time, subject, code and modifiers")


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _recognises(file: CodeFile) -> bool:
    start = file.head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return start.startswith(b"{") and any(mark in file.head for mark in _MARKS)


PROGRAM: Final = CodingProgram("boris_project", "a BORIS project (.boris)", _recognises, read_boris_project)
