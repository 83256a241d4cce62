"""Training data that needs no form: renders of a rig, and photographs coded by eye and labelled by a teacher.

What takes long is done once and kept in the cache: renders, the faces that the detector finds, the teacher's answers.
What each was made from is part of the file's name. Labels are made anew each time: other codes cost no detection.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from aucli.datasets.faces import LabelledFaces, MixedFaces, split_of_subject
from aucli.datasets.free.blendshapes import blendshape_scores
from aucli.datasets.free.photograph_labels import SMILE_AU, PhotographLabels, label_photographs
from aucli.datasets.free.photograph_tables import PhotographTable, join_tables, read_photograph_table
from aucli.datasets.free.photographs import (
    find_landmarks,
    labelled_photographs,
    load_landmarks,
    save_landmarks,
    splits_of_coded_subjects,
)
from aucli.datasets.free.teacher import TeacherAnswers, ask_teacher, require_teacher
from aucli.datasets.free.visual_codes import VisualCodes, read_visual_codes
from aucli.datasets.label_values import SplitName
from aucli.datasets.readers.options import KeyValueOptions, PathOption, PathsOption
from aucli.errors import DatasetError, OptionsError
from aucli.faces.detectors import open_detector
from aucli.runtime.device import available_cores
from aucli.runtime.files import sha256_path

SPLITS: Final[tuple[SplitName, ...]] = ("train", "validation", "test")

RARE_BELOW: Final = 100
"""Training photographs that show an action unit, by eye, below which each of them is shown more often."""

LANDMARKS_VERSION: Final = 2
"""Of how the detector is asked about photographs; 1 laid them out by whole pictures alone."""

LIKE_A_SMILE: Final = (4, 6, 7, 9, 10, 15, 20, 24, 43)
"""Action units of weeping, disgust, pain and anger: faces that show one of them without a smile are what a network
takes for smiles."""

OnMessage = Callable[[str], None]


class FreeOptions(KeyValueOptions):
    """The files of free data, as ``KEY=VALUE``: see `FreeSource`."""

    photographs: PathsOption = ()
    codes: PathOption = None
    teacher: PathOption = None


@dataclass(frozen=True, kw_only=True)
class FreeSource:
    """Where free data lie.

    Attributes:
        dataset: ``synth`` or ``photographs``.
        rig: ICT FaceKit Light, as `aucli synth` takes it; renders are made from it if they are not in the cache.
        photographs: Parquet files, see `aucli.datasets.free.photograph_tables`; none trains on renders alone.
        codes: CSV file with codes by eye of these photographs; needed with photographs.
        teacher: MediaPipe's ``face_landmarker.task``, which labels photographs that nobody has coded; None leaves them
            out.
        cache: folder for renders and what was found in photographs; None is one inside the run.
    """

    dataset: str = "synth"
    rig: Path | None = None
    photographs: tuple[Path, ...] = ()
    codes: Path | None = None
    teacher: Path | None = None
    cache: Path | None = None

    def __post_init__(self) -> None:
        named = [("root", self.rig), ("codes", self.codes), ("teacher", self.teacher)]
        for name, path in (*named, *(("photographs", path) for path in self.photographs)):
            if path is not None and not path.exists():
                raise OptionsError(f"`{name}` is {path}, which does not exist")
        if len(set(self.photographs)) < len(self.photographs):
            raise OptionsError("`photographs` names a file twice")
        for name, path in named[1:]:
            if path is not None and not self.photographs:
                raise OptionsError(f"`{name}` belongs to photographs: give `photographs` too, a Parquet file")
        if self.dataset == "photographs" and not self.photographs:
            raise OptionsError("nothing to train on: give `photographs`, a Parquet file, and `codes` of them")
        if self.photographs and self.codes is None:
            raise OptionsError("`photographs` needs `codes` too, a CSV file of codes by eye: they say what is seen")

    @classmethod
    def from_pairs(
        cls, dataset: str, *, root: Path | None = None, cache: Path | None = None, pairs: Sequence[str] = ()
    ) -> FreeSource:
        """A source whose files are ``KEY=VALUE`` texts, and whose rig is ``root``.

        Raises:
            OptionsError: for a name that is not known, or a file that is not there.
        """
        given = FreeOptions.from_pairs(pairs)
        return cls(
            dataset=dataset,
            rig=root,
            cache=cache,
            photographs=tuple(Path(one) for one in given.photographs),
            codes=None if given.codes is None else Path(given.codes),
            teacher=None if given.teacher is None else Path(given.teacher),
        )

    @cached_property
    def digests(self) -> dict[Path, str]:
        """SHA-256 of each source, read once."""
        given = [path for path in (self.rig, *self.photographs, self.codes, self.teacher) if path is not None]
        return {path: sha256_path(path) for path in given}

    @cached_property
    def visual_codes(self) -> VisualCodes | None:
        """The codes by eye, read once."""
        return None if self.codes is None else read_visual_codes(self.codes)


@dataclass(frozen=True, kw_only=True)
class FreeDataWanted:
    """What a training wants of the free data.

    Attributes:
        aus: action units to label.
        colour: ``grey`` or ``rgb``.
        with_renders: whether rendered faces take part.
        renders: how many.
        render_seed: everything about the renders follows from it.
        photograph_repeats: how often an epoch shows a photograph that the teacher labelled, for every render.
        coded_repeats: the same of a photograph coded by eye.
        rare_repeats: the same of one that shows, by eye, an action unit that fewer than `RARE_BELOW` of them show.
        grimace_repeats: the same of one that shows, by eye, one of `LIKE_A_SMILE` and no smile.
        held_out: whom a model is measured on: ``all``, or ``coded``, the photographs coded by eye alone where there
            are any.
        seed: of the division of the subjects.
        validation: share of the training subjects, 0 to 1.
        test: share of all subjects, 0 to 1.
    """

    aus: tuple[int, ...]
    colour: str
    with_renders: bool
    renders: int
    render_seed: int
    photograph_repeats: int
    coded_repeats: int
    rare_repeats: int
    grimace_repeats: int
    held_out: str
    seed: int
    validation: float
    test: float


@dataclass(frozen=True, eq=False)
class RenderedFaces:
    """Renders of people of one split.

    Attributes:
        faces: N of them.
        intensities: (N, A) of their action units, 0 to 5, NaN where not known.
    """

    faces: MixedFaces
    intensities: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FreeData:
    """Faces of each split, and what else is known of the held-out ones.

    Attributes:
        splits: nobody is in two.
        labelling: where the labels of photographs come from, as a Markdown table; empty without photographs.
        renders: those of validation and of test subjects; none without renders.
        renders_apart: whether these are in no split, which then holds photographs alone.
        blendshapes: (N, A) what the teacher's nearest blendshape says of the test faces, 0 to 1, NaN where nothing;
            None without a teacher.
    """

    splits: Mapping[SplitName, MixedFaces]
    labelling: str
    renders: Mapping[SplitName, RenderedFaces] = field(default_factory=dict)
    renders_apart: bool = False
    blendshapes: npt.NDArray[np.float32] | None = None


def read_free_data(source: FreeSource, wanted: FreeDataWanted, cache: Path, *, report: OnMessage) -> FreeData:
    """The faces of each split, by subject.

    Args:
        source: where the data lie.
        wanted: AUs, colour, splits, number of renders.
        cache: folder for renders and what was found in photographs.
        report: called with a line of text now and then.

    Raises:
        DatasetError: if something cannot be read.
        MissingPackageError: if there is a teacher, and its package is not installed.
    """
    if source.teacher is not None:
        require_teacher()
    cache.mkdir(parents=True, exist_ok=True)
    renders = _renders(source, wanted, cache, report) if wanted.with_renders else None
    photographs = _photographs(source, wanted, cache, report) if source.photographs else None
    chosen: dict[SplitName, list[tuple[LabelledFaces, npt.NDArray[np.intp]]]] = {name: [] for name in SPLITS}
    labelling, coded_alone = "", False
    blendshapes: npt.NDArray[np.float32] | None = None
    held_out: dict[SplitName, RenderedFaces] = {}
    if photographs is not None:
        faces, labels, answers = photographs
        if answers is not None:
            blendshapes = blendshape_scores(answers[labels.rows_of("test")], wanted.aus)
        labelling = labels.as_markdown()
        report(labelling)
        for name in SPLITS:
            rows = labels.rows_of(name)
            times = _repeats(labels, rows, wanted) if name == "train" else 1
            chosen[name].append((faces, labels.position(np.repeat(rows, times))))
    if renders is not None:
        coded_alone = (
            wanted.held_out == "coded"
            and photographs is not None
            and any(len(rows) for name in ("validation", "test") for _, rows in chosen[name])
        )
        rendered, intensities = renders
        split_of = {subject: _split(subject, wanted) for subject in np.unique(rendered.subjects).tolist()}
        splits = np.array([split_of[subject] for subject in rendered.subjects.tolist()], np.str_)
        for name in SPLITS:
            rows = np.flatnonzero(splits == name)
            if name == "train" or not coded_alone:
                chosen[name].append((rendered, rows))
            if name != "train":
                held_out[name] = RenderedFaces(MixedFaces.of((rendered, rows)), intensities[rows])
        if blendshapes is not None and not coded_alone:  # nobody has asked the teacher about renders
            of_renders = np.full((int((splits == "test").sum()), len(wanted.aus)), np.nan, np.float32)
            blendshapes = np.concatenate([blendshapes, of_renders])
    return FreeData(
        splits={name: MixedFaces.of(*parts) for name, parts in chosen.items()},
        labelling=labelling,
        renders=held_out,
        renders_apart=coded_alone,
        blendshapes=blendshapes,
    )


def _repeats(labels: PhotographLabels, rows: npt.NDArray[np.intp], wanted: FreeDataWanted) -> npt.NDArray[np.intp]:
    """How often an epoch shows each of the training photographs."""
    shown = labels.by_eye[rows] == 1
    shows_rare = shown[:, shown.sum(axis=0) < RARE_BELOW].any(axis=1)
    coded = np.where(shows_rare, wanted.rare_repeats, wanted.coded_repeats)
    coded = np.where(_grimaces(labels, rows), np.maximum(coded, wanted.grimace_repeats), coded)
    repeats: npt.NDArray[np.intp] = np.where(labels.is_coded[rows], coded, wanted.photograph_repeats).astype(np.intp)
    return repeats


def _grimaces(labels: PhotographLabels, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """(N,) whether an eye saw one of `LIKE_A_SMILE` and no smile."""
    by_eye = labels.by_eye[rows]
    if SMILE_AU not in labels.aus:
        return np.zeros(len(rows), bool)
    like_a_smile = [column for column, au in enumerate(labels.aus) if au in LIKE_A_SMILE]
    grimaces: npt.NDArray[np.bool_] = (by_eye[:, labels.aus.index(SMILE_AU)] == 0) & (by_eye[:, like_a_smile] == 1).any(
        axis=1
    )
    return grimaces


def _renders(
    source: FreeSource, wanted: FreeDataWanted, cache: Path, report: OnMessage
) -> tuple[LabelledFaces, npt.NDArray[np.float32]]:
    """All renders, and the intensities of their action units, (N, A)."""
    from aucli.datasets.free.renders import read_renders, rendered_intensities
    from aucli.synth.generation import SCHEMA_NUMBER, generate
    from aucli.synth.options import SynthOptions

    rig = source.rig
    name = f"renders-schema{SCHEMA_NUMBER}-{wanted.render_seed}-{wanted.renders}"
    # Without the rig, the renders of whichever rig the cache holds.
    if rig is not None:
        folders = [cache / f"{name}-{source.digests[rig][:8]}"]
    else:
        folders = sorted(cache.glob(f"{name}-????????"))
    if len(folders) != 1:
        what = (
            f"renders of {len(folders)} rigs"
            if folders
            else f"no {wanted.renders} renders of seed {wanted.render_seed}"
        )
        raise DatasetError(f"{cache} holds {what}; give the rig (ICT FaceKit Light) as `root`")
    folder = folders[0]
    content = {"renders": folder.name, "aus": wanted.aus, "colour": wanted.colour}
    prepared = cache / f"faces-{_digest(content)}.npz"
    if not prepared.is_file():
        if not (folder / "labels.parquet").is_file():
            if rig is None:
                raise DatasetError(f"{folder} is not finished; give the rig (ICT FaceKit Light) as `root`")
            report(f"rendering {wanted.renders} faces into {folder}")
            # In processes of their own: OpenGL in software loads an LLVM, beside which Triton's crashes when torch
            # imports it later.
            workers = max(available_cores(), 2)
            generate(SynthOptions(rig=rig, out=folder, count=wanted.renders, seed=wanted.render_seed, workers=workers))
        read_renders(folder, open_detector(None), wanted.aus, colour=wanted.colour, report=report).save(prepared)
    faces = LabelledFaces.load(prepared)
    return faces, rendered_intensities(folder, faces)


def _photographs(
    source: FreeSource, wanted: FreeDataWanted, cache: Path, report: OnMessage
) -> tuple[LabelledFaces, PhotographLabels, TeacherAnswers | None]:
    """The photographs that have labels, and labels and the teacher's answers of all."""
    codes = source.visual_codes
    assert codes is not None
    tables = [read_photograph_table(path) for path in source.photographs]
    table = join_tables(tables)
    files = list(zip(source.photographs, tables, strict=True))
    landmarks_xy = np.concatenate([_landmarks(source.digests[path], one, cache, report) for path, one in files])
    answers = None
    if source.teacher is not None:
        answers = TeacherAnswers.join(
            [_answers(source, source.teacher, path, one, cache, report) for path, one in files]
        )
    labels = label_photographs(
        table, landmarks_xy, wanted.aus, codes, _splits_of_photographs(table, codes, wanted), answers
    )
    faces = labelled_photographs(table, labels.used, landmarks_xy, labels.labels, wanted.aus, colour=wanted.colour)
    return faces, labels, answers


def _landmarks(digest: str, table: PhotographTable, cache: Path, report: OnMessage) -> npt.NDArray[np.float32]:
    """What the detector finds."""
    prepared = cache / f"landmarks-{_digest({'version': LANDMARKS_VERSION, 'photographs': digest})}.npy"
    if not prepared.is_file():
        save_landmarks(find_landmarks(table.jpegs, open_detector(None), report=report), prepared)
    return load_landmarks(prepared)


def _answers(
    source: FreeSource, teacher: Path, path: Path, table: PhotographTable, cache: Path, report: OnMessage
) -> TeacherAnswers:
    """What the teacher says; version 1 of how it is asked."""
    content = {"version": 1, "photographs": source.digests[path], "teacher": source.digests[teacher]}
    prepared = cache / f"teacher-{_digest(content)}.npz"
    if not prepared.is_file():
        ask_teacher(teacher, table.jpegs, report=report).save(prepared)
    return TeacherAnswers.load(prepared)


def _splits_of_photographs(table: PhotographTable, codes: VisualCodes, wanted: FreeDataWanted) -> npt.NDArray[np.str_]:
    """(N,) the split of each photograph, by subject.

    Subjects whom the codes hold out stay held out, whatever the seed: they are what a model is measured on. Others can
    be measured on nothing, for they are not coded: where the codes hold subjects out, all others are trained on.
    """
    known = splits_of_coded_subjects(table, codes)
    held_out = bool({"validation", "test"} & set(known.values()))
    split_of: dict[str, SplitName] = {
        subject: known.get(subject) or ("train" if held_out else _split(subject, wanted))
        for subject in np.unique(table.subjects).tolist()
    }
    return np.array([split_of[subject] for subject in table.subjects.tolist()], np.str_)


def _split(subject: str, wanted: FreeDataWanted) -> SplitName:
    return split_of_subject(subject, seed=wanted.seed, test=wanted.test, validation=wanted.validation)


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
