"""Films that a laboratory coded itself, with a program whose files `aucli.human_codes` reads.

On disk: films in a folder, at any depth; codes beside them or in a folder of their own (`labels_dir`); and, where films
do not show a new person each, a table of people (`people`) or a pattern of the films' names (`person_pattern`).

What nobody coded is unknown, not absent: frames outside of what was coded (`coded`), and action units that a file of
codes does not hold, unless `coded_aus` says that they were looked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from aucli.annotation.table import read_metadata
from aucli.datasets.label_values import MISSING
from aucli.datasets.readers.benchmark import Benchmark, SeededFolds
from aucli.datasets.readers.layout import find_folder
from aucli.datasets.readers.options import DatasetOptions, Numbers, NumberSet, PathOption, PathsOption
from aucli.datasets.readers.own_labels import Coded, join_labels, labels_on_frames
from aucli.datasets.readers.own_pairing import CodedBy, listed_films, name_in, pair
from aucli.datasets.readers.own_people import CodedPerson, People, find_people
from aucli.datasets.readers.videos import film_frames
from aucli.datasets.report import Findings
from aucli.datasets.samples import Samples, SamplesBuilder, SequenceInfo
from aucli.errors import AucliError, DatasetError, NothingCodedError, TableError, VideoError
from aucli.facs import AU_NAMES
from aucli.human_codes.coder_files import code_files
from aucli.human_codes.file import CodeFile
from aucli.human_codes.film_names import FilmNames
from aucli.human_codes.names import OneSided, grade_of, meaning_of
from aucli.human_codes.pairing import FilmFrames
from aucli.human_codes.reading import read_codes, recognise
from aucli.human_codes.values import CodeOptions, Codes
from aucli.video.folders import search_folder
from aucli.video.suffixes import VIDEO_SUFFIXES

NAME: Final = "own"
FRAMES_PER_S: Final = 5.0
"""Neighbouring frames of a film hardly differ, and finding a face takes 40 ms."""
MOST_FOLDS: Final = 5
CODING_SUFFIXES: Final = (".eaf", ".opf", ".boris")
"""Of files that hold codes or are damaged; tables and texts may be anything."""


class OwnOptions(DatasetOptions):
    """How to read films that people coded themselves.

    Attributes:
        people: CSV of who is in which film, see `aucli.datasets.readers.own_people`.
        person_pattern: instead of it, regular expression of the person in a film's name: its first group, or all of it.
        study: put before the people's names, so that two studies may call different people the same.
        coded: what of a film was coded, where nothing marks it: from the first to the last of its ``codes``, or the
            whole ``film``. Intervals only: a table by frame says it by its rows.
        coded_names: tiers, columns or behaviours that mark what was coded.
        coded_aus: what was looked for in every file; else what occurs in a file was looked for in that file.
        frames_per_s: most frames of a second that are read; 0 for all.
        format, names, missing_names, min_intensity, one_sided, observation, subject, coder, shift_s, frame_rate,
            frame_base, missing_codes: as in `aucli.human_codes.values.CodeOptions`; a name is ``smile=12``.
    """

    people: PathOption = None
    person_pattern: str | None = None
    study: str = ""
    coded: Coded = "codes"
    coded_names: PathsOption = ()
    coded_aus: Numbers = ()
    frames_per_s: float = Field(default=FRAMES_PER_S, ge=0, le=1000)
    format: str = "auto"
    names: PathsOption = ()
    missing_names: PathsOption = ()
    min_intensity: Annotated[
        float, Field(strict=False), BeforeValidator(lambda v: grade_of(v) if isinstance(v, str) else v)
    ] = 1.0
    one_sided: OneSided = "leave_out"
    observation: str | None = None
    subject: str | None = None
    coder: str | None = None
    shift_s: float = 0.0
    frame_rate: float | None = None
    frame_base: Literal[0, 1] = 0
    missing_codes: NumberSet = CodeOptions().missing_codes

    def reading(self) -> CodeOptions:
        """How files of codes are read.

        Raises:
            OptionsError: if a value is not allowed.
        """
        return CodeOptions(
            format=self.format,
            names=dict(meaning_of(text) for text in self.names),
            missing_names=self.missing_names,
            coded_names=self.coded_names,
            coded_aus=self.coded_aus,
            shift_s=self.shift_s,
            min_intensity=self.min_intensity,
            one_sided=self.one_sided,
            observation=self.observation,
            subject=self.subject,
            coder=self.coder,
            frame_rate=self.frame_rate,
            frame_base=self.frame_base,
            missing_codes=self.missing_codes,
        )


@dataclass(frozen=True, eq=False)
class _Study:
    """The films of a study, and how its codes are read."""

    films: Mapping[str, Path]
    reading: CodeOptions
    findings: Findings

    @cached_property
    def names(self) -> FilmNames:
        return FilmNames(tuple(self.films))

    @cached_property
    def _frames(self) -> dict[str, FilmFrames | None]:
        return {}

    def frames(self, film: str) -> FilmFrames | None:
        """Its frames; None, and a warning once, if it cannot be read."""
        if film not in self._frames:
            self._frames[film] = None
            try:
                self._frames[film] = film_frames(self.films[film], film)
            except VideoError as error:
                self.findings.warn("video cannot be opened", "dropped", 1, "sequence", film, str(error))
        return self._frames[film]

    def rate(self, wanted: str | None, source: Path) -> float | None:
        """Frames per second of the film that codes name, or that is called like their file."""
        fitting = (self.names.fitting(wanted) if wanted else ()) or self.names.called_like(str(source))
        frames = self.frames(fitting[0]) if len(fitting) == 1 else None
        return frames.rate if frames is not None else None


def load_own(root: Path, options: OwnOptions, findings: Findings) -> Samples:
    """Read films and codes, and pair them.

    Raises:
        DatasetError: if there are no films, no codes, or the table of people makes no sense.
        OptionsError: if an option does.
    """
    table = _inside(root, options.people)
    videos = find_folder(root, (), chosen=options.videos_dir) or root
    labels = find_folder(root, (), chosen=options.labels_dir) or root
    films = {
        name_in(path, videos): path for path in search_folder(videos).files if path.suffix.lower() in VIDEO_SUFFIXES
    }
    if not films:
        raise DatasetError(f"{videos} holds no film; give the folder of the films, or set the option videos_dir")
    study = _Study(films, options.reading(), findings)
    people = find_people(study.names, findings, table=table, pattern=options.person_pattern)
    files = _read_codes(labels, study, but=[table] if table is not None else [])
    in_table = {film: [p.codes for p in those if p.codes] for film, those in people.by_film.items()}
    listed = listed_films({film: names for film, names in in_table.items() if names}, [f.name for f in files], findings)
    paired = pair(files, study.names, listed, findings)
    for film in films:
        findings.warn("film without codes", "dropped", int(film not in paired), "sequence", film)
    coded = [
        one
        for film, person in ((film, person) for film in films for person in people.by_film.get(film, ()))
        if (one := _of_person(person, people, paired.get(film, []), study)) is not None
    ]
    coded_aus = {au for _, codes in coded for one in codes for au in one.coded_aus}
    builder = SamplesBuilder(options.chosen_aus(tuple(sorted(coded_aus)), frozenset(AU_NAMES)) or tuple(AU_NAMES))
    n_people = {film: len(those) for film, those in people.by_film.items()}
    for person, codes in coded:
        _add(builder, person, codes, study, options, several=n_people[person.film] > 1)
    samples = builder.build()
    if not people.is_known:
        findings.warn(
            "nobody says who is in which film", "kept", len(samples.subjects), "subject", "",
            "each film counts as a person of its own; if one person is in two films, use the option people",
        )  # fmt: skip
    return samples


def _inside(root: Path, path: str | None) -> Path | None:
    return None if path is None else root / path  # an absolute path stays as it is


def _read_codes(folder: Path, study: _Study, *, but: Sequence[Path]) -> list[CodedBy]:
    """Every file of people's codes in a folder.

    Raises:
        DatasetError: if there is none, with what was wrong with the first.
    """
    findings, files, first_problem = study.findings, [], ""
    try:
        there = code_files([folder], but=but)
    except TableError as error:
        raise DatasetError(f"{error}; name their folder with the option labels_dir") from None
    for path in there:
        name = name_in(path, folder)
        if problem := _why_not_by_people(path, study.reading):
            say = findings.warn if path.suffix.lower() in CODING_SUFFIXES else findings.note
            say("file that holds no codes of people", "ignored", 1, "file", name, problem)
            first_problem = first_problem or problem
            continue
        try:
            files.append(CodedBy(name, tuple(read_codes(path, study.reading, film_rate=study.rate))))
        except NothingCodedError as error:
            findings.warn("file without a single code", "dropped", 1, "file", name, str(error))
            first_problem = first_problem or str(error)
        except AucliError as error:  # the others are read all the same
            findings.warn("file of codes cannot be read", "dropped", 1, "file", name, str(error))
            first_problem = first_problem or str(error)
        else:
            for note in dict.fromkeys(note for one in files[-1].codes for note in one.notes):
                findings.note("remark of the reader of codes", "kept", 1, "file", name, note)
    if not files:
        raise DatasetError(f"no file in {folder} holds codes of a film: {first_problem}")
    return files


def _why_not_by_people(path: Path, reading: CodeOptions) -> str:
    """Why a file is not taken for people's codes; "" if it is."""
    try:
        if reading.format == "auto" and not (program := recognise(CodeFile(path))).is_by_people:
            return f"{program.writes}, and by no person; the option format={program.name} takes it all the same"
        if path.suffix.lower() == ".parquet":
            read_metadata(path)
            return "annotate wrote it, and no person"
    except TableError as error:
        return "" if path.suffix.lower() == ".parquet" or reading.format != "auto" else str(error)
    return ""


def _of_person(
    person: CodedPerson, people: People, codes: Sequence[Codes], study: _Study
) -> tuple[CodedPerson, list[Codes]] | None:
    """The codes of one person in a film; None, and a warning, where that is not clear."""
    if not codes:
        return None
    named = sorted({one.subject for one in codes if one.subject})
    together = people.by_film[person.film]
    remedy = "give them a row each in the table of people, with coded_as and face"
    if len(together) > 1 and person.side is None:
        study.findings.warn(
            "person whose face is not told", "dropped", 1, "subject", person.film,
            f"{len(together)} people are coded in it; say with face whether {person.subject} is the left or right one",
        )  # fmt: skip
        return None
    if len(together) == 1 and len(named) <= 1 and not person.coded_as:
        return person, list(codes)
    wanted = person.coded_as or person.subject
    mine = [one for one in codes if one.subject is not None and one.subject.casefold() == wanted.casefold()]
    if not mine:
        held = ", ".join(named) or "nobody by name"
        study.findings.warn(
            "person not found in the codes", "dropped", 1, "subject", person.film,
            f"{wanted} is looked for, and the codes hold {held}; {remedy}",
        )  # fmt: skip
        return None
    return person, mine


def _add(
    builder: SamplesBuilder,
    person: CodedPerson,
    codes: Sequence[Codes],
    study: _Study,
    options: OwnOptions,
    *,
    several: bool,
) -> None:
    findings, film = study.findings, person.film
    frames = study.frames(film)
    if frames is None:
        return
    read = []
    for one in codes:
        try:
            read.append(
                labels_on_frames(one, frames, builder.aus, study.reading, person.stretches_s, options.coded, findings)
            )
        except AucliError as error:
            findings.warn("codes do not fit the film", "dropped", 1, "file", film, str(error))
    if not read:
        return
    labels = join_labels(read, film, findings)
    chosen = np.arange(len(labels))
    if options.frames_per_s:
        # As annotate's every_s: the first frame at or after each multiple.
        slot = np.floor((frames.time_s + 1e-6) * options.frames_per_s)
        chosen = np.flatnonzero(np.diff(slot, prepend=-1.0) > 0)
        findings.note(
            "neighbouring frame", "ignored", len(labels) - len(chosen), "frame", film,
            f"at most {options.frames_per_s:g} a second are read (option frames_per_s)",
        )  # fmt: skip
    is_labelled = (labels[chosen] != MISSING).any(axis=1)
    findings.note("frame without a label", "ignored", int((~is_labelled).sum()), "frame", film)
    chosen = chosen[is_labelled]
    if not len(chosen):
        findings.warn("film in which nothing is known", "dropped", 1, "sequence", film)
        return
    sources = ", ".join(dict.fromkeys(one.source.name for one in codes))
    findings.note("film paired with its codes", "kept", 1, "sequence", film, sources)
    findings.note(
        f"coded face: {'the largest' if person.side is None else f'the {person.side} one of the two largest'}",
        "kept", 1, "sequence", film,
    )  # fmt: skip
    subject = f"{NAME}/{options.study + '/' if options.study else ''}{person.subject}"
    name = f"{film} ({person.subject})" if several else film
    builder.add(
        SequenceInfo(NAME, subject, name, study.films[film], "video", side=person.side),
        frame=frames.frame[chosen],
        labels=labels[chosen],
        position=frames.frame[chosen],
    )


BENCHMARK: Final = Benchmark(
    name=NAME,
    title="your own films",
    aus=(),
    options=OwnOptions,
    read=load_own,
    counts=(),
    folds=SeededFolds(MOST_FOLDS),
    subject_pattern=r"[^\s,;\"]+",
    grows=True,
)
