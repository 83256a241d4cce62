"""The films of a BORIS observation: those that are queued share one clock, which runs on from film to film."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from aucli.errors import OptionsError, TableError
from aucli.human_codes.film_names import file_name
from aucli.human_codes.text import shown

_ROUNDING_S: Final = 0.001
"""Durations and times are written to a millisecond: a longer part of an event is in the next film, a shorter is not."""


@dataclass(frozen=True)
class Timeline:
    """The films of one observation and where each begins on its clock.

    Attributes:
        films: names, in the order of play; None for one film without a name.
        starts_s: when each begins, ascending from 0.
    """

    films: tuple[str | None, ...]
    starts_s: tuple[float, ...]

    def parts(self, onset_s: float, offset_s: float) -> list[tuple[str | None, float, float]]:
        """The films that an event reaches into, with its begin and end in each film's own time."""
        ends_s = (*self.starts_s[1:], np.inf)
        if onset_s == offset_s:
            k = max(int(np.searchsorted(self.starts_s, onset_s, side="right")) - 1, 0)
            return [(self.films[k], onset_s - self.starts_s[k], offset_s - self.starts_s[k])]
        parts = []
        for film, start_s, end_s in zip(self.films, self.starts_s, ends_s, strict=True):
            begin_s = onset_s if start_s == 0 else max(onset_s, start_s)
            last_s = min(offset_s, end_s)
            if last_s - begin_s > _ROUNDING_S or len(self.films) == 1:
                parts.append((film, begin_s - start_s, last_s - start_s))
        return parts


def require_one_observation(timelines: Mapping[str, Timeline], source: Path) -> None:
    """Two observations of one film are two coders or two passes, never to be merged silently."""
    by_film: dict[str | None, list[str]] = {}
    for observation, timeline in timelines.items():
        for film in timeline.films:
            by_film.setdefault(film, []).append(observation)
    for film, observations in by_film.items():
        if len(observations) > 1:
            listed = ", ".join(map(shown, sorted(observations)[:12]))
            of = shown(file_name(film) if film else "one film")
            raise OptionsError(f"{source} holds the observations {listed} of {of}; choose one with `observation`")


def unknown_durations(source: Path, films: Sequence[str]) -> TableError:
    """The error for queued films of which nobody says how long they are."""
    listed = ", ".join(shown(file_name(film)) for film in films[:5])
    return TableError(
        f"{source} holds an observation of several queued films ({listed}), whose clock runs on from film to film, and "
        "not how long each is: export it with the column Media duration (s) (BORIS 8), or code every film in its own "
        "observation"
    )
