"""Gathering intervals per video, with a memory of what was no action unit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np

from aucli.errors import NothingCodedError, OptionsError, SubjectNotCodedError, TableError
from aucli.human_codes.file import CodeFile
from aucli.human_codes.film_names import file_name
from aucli.human_codes.headers import role_of
from aucli.human_codes.names import MISSING, PRESENT, AuCode, Said, codes_in, codes_of_name, promises_codes, reading_of
from aucli.human_codes.text import shown
from aucli.human_codes.times import CodedTime, timecode_seconds
from aucli.human_codes.values import ONE_SIDED, CodedIntervals, CodeOptions, Codes


@dataclass(frozen=True)
class CodedEvent:
    """One interval as a program wrote it.

    Attributes:
        video: the film, as named there.
        name: of the tier, column or behaviour.
        value: what stands in it.
        onset, offset: when.
        subject: who was coded; "" where nobody is named.
        coder: who coded; "" where nobody is named.
    """

    video: str | None
    name: str
    value: str
    onset: CodedTime
    offset: CodedTime
    subject: str = ""
    coder: str = ""


_Meant = list[tuple[CodedEvent, list[tuple[AuCode, Said]]]]
"""Events, each with what it says of which action units."""


class Collector:
    """Gathers the intervals of a file and makes of them one value per video.

    Args:
        file: the file.
        options: how to read it.
        unit: of the times: seconds, or frame numbers from 0.
    """

    def __init__(self, file: CodeFile, options: CodeOptions, unit: Literal["s", "frame"] = "s") -> None:
        if unit == "frame" and options.shift_s:
            raise OptionsError(f"{file.source} counts frames; `shift_s` moves times only")
        self.file, self.options, self.unit = file, options, unit
        self.events: list[CodedEvent] = []
        self.videos: dict[str | None, None] = {}
        self._strange: Counter[str] = Counter()
        self._odd_values: Counter[str] = Counter()
        self._one_sided: Counter[str] = Counter()
        self._notes: list[str] = []

    def expect(self, video: str | None) -> None:
        """Note a video that was coded even if nothing occurs in it."""
        self.videos.setdefault(video)

    def note(self, text: str) -> None:
        """Remember something that a reader should know."""
        self._notes.append(f"{self.file.source.name}: {text}")

    def add(self, event: CodedEvent) -> None:
        """Add one interval."""
        self.expect(event.video)
        self.events.append(event)

    def finish(self) -> list[Codes]:
        """One value per video and, where several subjects were coded in it, per subject.

        What is coded of nobody by name is coded of all subjects of its video.

        Raises:
            NothingCodedError: if there is not a single code.
            TableError: if nothing was an action unit.
            OptionsError: if there are several coders and none was chosen, the chosen subject is not there, or a frame
                rate is needed.
        """
        meant = [(event, self._meaning(event)) for event in self.events]
        if self.options.subject is not None:
            meant = self._chosen(meant, "subject")
        meant = _without_mere_ones(self._chosen(meant, "coder"))
        for _, codes in meant:
            self._one_sided.update(f"AU{code.au}{said.side[0].upper()}" for code, said in codes if said.side)
        occurring = {code.au for _, codes in meant for code, said in codes if code.au and self._counts(said)}
        if not occurring and not self.options.coded_aus:
            strange = self._strange + self._one_sided
            kind = TableError if strange else NothingCodedError
            seen = ", ".join(shown(name) for name, _ in strange.most_common(5)) or "no interval at all"
            remedy = "say what is one with `names`" if strange else "say what was looked for with `coded_aus`"
            remedy = "count one-sided codes with `one_sided`" if self._one_sided else remedy
            raise kind(f"nothing in {self.file.source} is an action unit; it has {seen}; {remedy}")
        aus = tuple(sorted(occurring | set(self.options.coded_aus)))
        notes = (*self._notes, *self._counted_notes(meant))
        return [
            self._of_video(video, subject, meant, aus, notes)
            for video in self.videos
            for subject in _subjects_in(video, meant)
        ]

    def _meaning(self, event: CodedEvent) -> list[tuple[AuCode, Said]]:
        """Action units of an event and what is said of each; AU 0 for a stretch that was coded, or could not be."""
        options = self.options
        if options.marks_missing(event.name) or (event.value.strip() and options.marks_missing(event.value)):
            return [(AuCode(0), Said(MISSING))]
        if options.marks_coded(event.name) or (event.value.strip() and options.marks_coded(event.value)):
            return [(AuCode(0), Said(PRESENT))]
        said, au = options.meaning(event.name)
        if said and au is None:
            return []
        named = (AuCode(au),) if au is not None else codes_of_name(event.name)
        if named:
            return self._with_value(event, named)
        said, au = options.meaning(event.value)
        promised = promises_codes(event.name) or role_of(event.name) == "label"
        found = (AuCode(au),) if au is not None else codes_in(event.value, promised=promised)
        if not found and not said:
            name, value = shown(event.name), shown(event.value)
            self._strange[f"{name}: {value}" if value else name] += 1
        return [(code, Said(PRESENT, code.grade, code.side)) for code in found]

    def _with_value(self, event: CodedEvent, named: tuple[AuCode, ...]) -> list[tuple[AuCode, Said]]:
        said = reading_of(event.value)
        if said is None:
            # An AU's own tier may hold the whole code: 12C on the tier AU12.
            again = {code.au: code for code in codes_in(event.value, promised=True)}
            if set(again) == {code.au for code in named}:
                return [(code, Said(PRESENT, again[code.au].grade, again[code.au].side or code.side)) for code in named]
            self._odd_values[shown(event.value)] += 1
            said = Said(PRESENT)
        return [
            (code, Said(said.state, said.grade if said.grade is not None else code.grade, said.side or code.side))
            for code in named
        ]

    def _counts(self, said: Said) -> bool:
        return not said.side or self.options.one_sided == "count"

    def _chosen(self, meant: _Meant, what: Literal["subject", "coder"]) -> _Meant:
        """Events of the chosen subject or coder and unnamed ones; where none was chosen a film must have only one.

        A film that only others were coded in is left out: nothing in it was coded of the chosen one.
        """
        wanted = getattr(self.options, what)
        there: dict[str | None, set[str]] = {}
        for event, codes in meant:
            if codes and getattr(event, what):
                there.setdefault(event.video, set()).add(getattr(event, what))
        if wanted is None:
            for video, names in there.items():
                if len(names) > 1:
                    listed = ", ".join(map(shown, sorted(names)[:12]))
                    of = f" of {shown(file_name(video))}" if video and len(self.videos) > 1 else ""
                    raise OptionsError(f"{self.file.source} holds the {what}s {listed}{of}; choose one with `{what}`")
            return meant
        if not any(wanted in names for names in there.values()):
            listed = ", ".join(map(shown, sorted(set().union(*there.values()))[:12]))
            kind = SubjectNotCodedError if what == "subject" else OptionsError
            raise kind(f"{self.file.source} has no {what} {wanted!r} (`{what}`); it holds {listed or 'none'}")
        for video, names in there.items():
            if wanted not in names:
                del self.videos[video]
        return [
            (event, codes)
            for event, codes in meant
            if getattr(event, what) in ("", wanted) and event.video in self.videos
        ]

    def _counted_notes(self, meant: _Meant) -> list[str]:
        notes, name = [], self.file.source.name
        if self._strange:
            notes.append(f"{name}: {self._strange.total()} codes are no action unit: {_listed(self._strange)}")
        if self._odd_values:
            notes.append(f"{name}: taken as present: {_listed(self._odd_values)}")
        if self._one_sided:
            done = (
                "count as present" if self.options.one_sided == "count" else "are left out; count them with `one_sided`"
            )
            notes.append(f"{name}: codes of one side of the face {done}: {_listed(self._one_sided)}")
        graded = any(said.grade is not None for _, codes in meant for _, said in codes)
        bare = sum(
            said.state == PRESENT and said.grade is None and code.au > 0 for _, codes in meant for code, said in codes
        )
        if self.options.min_intensity > 1 and bare:
            what = "some codes have" if graded else "the codes have"
            notes.append(f"{name}: {what} no intensity; these {bare} count as present whatever `min_intensity` is")
        return notes

    def _of_video(
        self,
        video: str | None,
        subject: str | None,
        meant: _Meant,
        aus: tuple[int, ...],
        notes: tuple[str, ...],
    ) -> CodedIntervals:
        rows: list[tuple[int, float, float, int, float]] = []
        for event, codes in meant:
            if event.video != video or event.subject not in ("", subject):
                continue
            onset, offset = self._seconds(event.onset, video), self._seconds(event.offset, video)
            for code, said in codes:
                state = ONE_SIDED if said.side and said.state == PRESENT else said.state
                rows.append((code.au, onset, offset, state, said.grade if said.grade is not None else np.nan))
        columns = np.array(rows, dtype=np.float64).reshape(len(rows), 5)
        return CodedIntervals(
            source=self.file.source,
            video=video,
            subject=subject,
            aus=columns[:, 0].astype(np.int32),
            onset=columns[:, 1],
            offset=columns[:, 2],
            unit=self.unit,
            states=columns[:, 3].astype(np.int8),
            grades=columns[:, 4],
            coded_aus=aus,
            notes=notes,
        )

    def _seconds(self, time: CodedTime, video: str | None) -> float:
        if time.frames is not None and time.rate is None:
            time = time._replace(rate=self.options.frame_rate or self.file.film_rate(video))
        try:
            return timecode_seconds(time) + (self.options.shift_s if self.unit == "s" else 0.0)
        except (OptionsError, TableError) as error:
            raise type(error)(f"{self.file.source}: {error}") from None


def _subjects_in(video: str | None, meant: _Meant) -> list[str | None]:
    """Who was coded in a video, by name; None where nobody is named."""
    names = {event.subject for event, codes in meant if codes and event.video == video}
    return [*sorted(names - {""})] or [None]


def _without_mere_ones(meant: _Meant) -> _Meant:
    """Where the only grade in a file is a bare 1, it means "present" and no intensity."""
    graded = {event.value.strip() for event, codes in meant for _, said in codes if said.grade is not None}
    if graded != {"1"}:
        return meant
    return [(event, [(code, said._replace(grade=None)) for code, said in codes]) for event, codes in meant]


def _listed(counts: Counter[str]) -> str:
    listed = ", ".join(f"{name} ({count})" for name, count in counts.most_common(8))
    return listed + (f" and {len(counts) - 8} more" if len(counts) > 8 else "")
