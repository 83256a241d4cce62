"""BORIS projects: an observation a video, a subject a face, a state event for each stretch of an action unit.

Source: O. Friard and M. Gamba, BORIS user guide, "Project", and the projects that BORIS 8 writes (format 7.0): an event
is time in seconds, subject, code, modifiers, comment and frame number; a state is two events, its start and its stop,
told apart by their order alone. The code ``unscorable`` marks stretches in which the face is not seen.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from aucli.facs import AU_NAMES
from aucli.results.exports.intervals import UNSCORABLE, FilmIntervals
from aucli.results.exports.target import Content, ExportTarget

_FORMAT: Final = "7.0"
_DATE: Final = "1970-01-01T00:00:00"
"""Of every project and observation, which must have one: the same table gives the same bytes."""
_PLAYERS: Final = 8


def write_boris(content: Content, temporary: Path, _place: Path) -> None:
    """Write one project."""
    with temporary.open("w", encoding="utf-8", newline="\n") as file:
        json.dump(boris_project(content), file, indent=1, ensure_ascii=True)
        file.write("\n")


def boris_project(content: Content) -> dict[str, Any]:
    """The project as BORIS keeps it in JSON."""
    assert content.intervals is not None
    films = {video: content.intervals[video] for video in content.videos}
    faces = sorted({face for film in films.values() for face in film.faces})
    descriptions = {au: AU_NAMES[int(au[2:])] for au in content.aus if int(au[2:]) in AU_NAMES}
    descriptions[UNSCORABLE] = "the face is not seen, or its rows are left out"
    return {
        "time_format": "hh:mm:ss",
        "project_date": _DATE,
        "project_name": "Facial action units",
        "project_description": content.made_by,
        "project_format_version": _FORMAT,
        "subjects_conf": {
            str(number): {"key": "", "name": f"face {face}", "description": ""} for number, face in enumerate(faces)
        },
        "behaviors_conf": {
            str(number): _behavior(code, descriptions.get(code, ""))
            for number, code in enumerate((*content.aus, UNSCORABLE))
        },
        "observations": {video: _observation(video, film, content) for video, film in films.items()},
        "behavioral_categories": [],
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
    }


def _behavior(code: str, description: str) -> dict[str, Any]:
    return {
        "type": "State event",
        "key": "",
        "code": code,
        "description": description,
        "color": "",
        "category": "",
        "modifiers": {},
        "excluded": "",
        "coding map": "",
    }


def _observation(video: str, film: FilmIntervals, content: Content) -> dict[str, Any]:
    found, record = content.films[video], content.records.get(video, {})
    media = str(found) if found is not None else str(Path(video).absolute())
    fps = record.get("fps") or (1 / film.frame_interval_s if film.frame_interval_s else 0.0)
    length_s = record.get("duration_s") or film.end_ms / 1000
    changes = sorted(
        (ms, side, one.face, one.code, frame)
        for one in film.intervals
        # A stop before the start at the same moment, so that BORIS pairs each with its own.
        for side, ms, frame in ((1, one.onset_ms, one.onset_frame), (0, one.offset_ms, one.offset_frame))
    )
    return {
        "file": {str(player): [media] if player == 1 else [] for player in range(1, _PLAYERS + 1)},
        "type": "MEDIA",
        "date": _DATE,
        "description": content.made_by,
        "time offset": 0.0,
        "events": [[ms / 1000, f"face {face}", code, "", "", frame] for ms, _, face, code, frame in changes],
        "observation time interval": [0, 0],
        "independent_variables": {},
        "visualize_spectrogram": False,
        "visualize_waveform": False,
        "close_behaviors_between_videos": False,
        "media_info": {
            "length": {media: float(length_s)},
            "fps": {media: float(fps)},
            "hasVideo": {media: True},
            "offset": {"1": 0.0},
        },
    }


TARGET: Final = ExportTarget("boris", ".boris", False, True, (), None, write_boris)
