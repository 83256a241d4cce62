"""Gathering intervals per video, with a memory of what was no action unit."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from aucli.errors import TableError
from aucli.human_codes.names import ABSENT, MISSING, PRESENT, aus_of_name, codes_in, state_of
from aucli.human_codes.values import CodedIntervals, CodeOptions, Codes


class Collector:
    """Gathers intervals per video and remembers names that mean nothing.

    Attributes:
        rows: action unit, onset, offset and state by video.
    """

    def __init__(self, source: Path, options: CodeOptions) -> None:
        self.source, self.options = source, options
        self.rows: dict[str | None, list[tuple[int, float, float, int]]] = {}
        self.strange: Counter[str] = Counter()
        self.odd_values: Counter[str] = Counter()

    def add(self, video: str | None, name: str, value: str, onset_s: float, offset_s: float) -> None:
        """Add one interval: a name (tier, column, behaviour) and what stands in it."""
        rows = self.rows.setdefault(video, [])
        span = (onset_s + self.options.shift_s, offset_s + self.options.shift_s)
        if self.options.marks_missing(name):
            rows.append((0, *span, MISSING))
            return
        said, au = self.options.meaning(name)
        aus = (au,) if au is not None else () if said else aus_of_name(name)
        if said and au is None:
            return
        if aus:
            state = state_of(value, self.options.min_intensity)
            if state is None:
                self.odd_values[value.strip()] += 1
                state = PRESENT
            rows += [(a, *span, state) for a in aus if a is not None]
            return
        said, au = self.options.meaning(value)
        coded = {au: None} if au is not None else self._codes_in(name, value)
        if not coded and not said:
            self.strange[f"{name}: {value}" if value.strip() else name] += 1
        for code, intensity in coded.items():
            enough = intensity is None or intensity >= self.options.min_intensity
            rows.append((code, *span, PRESENT if enough else ABSENT))

    def _codes_in(self, name: str, value: str) -> dict[int, int | None]:
        return {} if self.options.marks_missing(value) else codes_in(name, value)

    def finish(self) -> list[Codes]:
        """One value per video.

        Raises:
            TableError: if nothing was an action unit.
        """
        occurring = sorted({au for rows in self.rows.values() for au, *_ in rows if au})
        if not occurring and not self.options.coded_aus:
            seen = ", ".join(name for name, _ in self.strange.most_common(5)) or "no interval at all"
            raise TableError(
                f"nothing in {self.source} is an action unit; it has {seen}; say what is with the option names"
            )
        notes = []
        if self.strange:
            listed = ", ".join(f"{name} ({count})" for name, count in self.strange.most_common(8))
            notes.append(f"{self.source.name}: {sum(self.strange.values())} codes are no action unit: {listed}")
        if self.odd_values:
            listed = ", ".join(f"{value} ({count})" for value, count in self.odd_values.most_common(8))
            notes.append(f"{self.source.name}: taken as present: {listed}")
        aus = tuple(sorted(set(occurring) | set(self.options.coded_aus)))
        return [self._of_video(video, rows, aus, tuple(notes)) for video, rows in self.rows.items()]

    def _of_video(
        self, video: str | None, rows: list[tuple[int, float, float, int]], aus: tuple[int, ...], notes: tuple[str, ...]
    ) -> CodedIntervals:
        return CodedIntervals(
            source=self.source,
            video=video,
            aus=np.array([row[0] for row in rows], dtype=np.int32),
            onset_s=np.array([row[1] for row in rows], dtype=np.float64),
            offset_s=np.array([row[2] for row in rows], dtype=np.float64),
            states=np.array([row[3] for row in rows], dtype=np.int8),
            coded_aus=aus,
            notes=notes,
        )
