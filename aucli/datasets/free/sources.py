"""Training data that needs no form: renders of a rig, and photographs with weak labels and codes by eye.

Both are read once and kept beside the run's cache; what they were made from is part of the file's name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from aucli.datasets.faces import LabelledFaces, join
from aucli.datasets.free.visual_codes import VisualCodes, read_visual_codes
from aucli.datasets.readers.options import KeyValueOptions, Place
from aucli.datasets.samples import SplitName
from aucli.errors import DatasetError, OptionsError
from aucli.faces.detectors import open_detector
from aucli.runtime.device import available_cores
from aucli.runtime.files import sha256_path

SPLITS: Final[tuple[SplitName, ...]] = ("train", "validation", "test")

Report = Callable[[str], None]


class FreeOptions(KeyValueOptions):
    """The files of free data, as ``KEY=VALUE``: see `FreeSource`."""

    photographs: Place = None
    codes: Place = None


@dataclass(frozen=True, kw_only=True)
class FreeSource:
    """Where free data lie.

    Attributes:
        dataset: ``synth`` or ``photographs``.
        rig: ICT FaceKit Light, as `aucli synth` takes it; renders are made from it if they are not in the cache.
        photographs: Parquet file, see `aucli.datasets.free.weak_labels`; None trains on renders alone.
        codes: CSV file with codes by eye of these photographs.
        cache: folder for renders and prepared faces; None is one inside the run.
    """

    dataset: str = "synth"
    rig: Path | None = None
    photographs: Path | None = None
    codes: Path | None = None
    cache: Path | None = None

    def __post_init__(self) -> None:
        for name, path in (("root", self.rig), ("photographs", self.photographs), ("codes", self.codes)):
            if path is not None and not path.exists():
                raise OptionsError(f"`{name}` is {path}, which does not exist")
        if self.codes is not None and self.photographs is None:
            raise OptionsError("codes belong to photographs: give `photographs` too, a Parquet file")

    @classmethod
    def from_pairs(
        cls, dataset: str, *, root: Path | None = None, cache: Path | None = None, pairs: Sequence[str] = ()
    ) -> FreeSource:
        """A source whose files are ``KEY=VALUE`` texts, and whose rig is ``root``.

        Raises:
            OptionsError: for a name that is not known, or a file that is not there.
        """
        given = {name: Path(value) for name, value in FreeOptions.from_pairs(pairs) if value is not None}
        return cls(dataset=dataset, rig=root, cache=cache, **given)

    @cached_property
    def digests(self) -> dict[Path, str]:
        """SHA-256 of each source, read once."""
        given = [path for path in (self.rig, self.photographs, self.codes) if path is not None]
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
        photograph_repeats: how often an epoch shows each photograph for every render.
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
    seed: int
    validation: float
    test: float


def read_free_data(
    source: FreeSource, wanted: FreeDataWanted, cache: Path, *, report: Report
) -> dict[SplitName, LabelledFaces]:
    """The faces of each split, by subject.

    Args:
        source: where the data lie.
        wanted: AUs, colour, splits, number of renders.
        cache: folder for renders and prepared faces.
        report: called with a line of text now and then.

    Raises:
        DatasetError: if there is nothing to train on, or something cannot be read.
    """
    cache.mkdir(parents=True, exist_ok=True)
    renders = _renders(source, wanted, cache, report) if wanted.with_renders else None
    photographs = _photographs(source, wanted, cache, report) if source.photographs is not None else None
    found = [faces for faces in (renders, photographs) if faces is not None]
    if not found:
        raise DatasetError("nothing to train on: give the rig as `root`, or `photographs`, a Parquet file")
    known = _coded_subjects(source)
    chosen = {name: [_split(faces, name, wanted, known) for faces in found] for name in SPLITS}
    if renders is not None and photographs is not None:
        of_renders, of_photographs = chosen["train"]
        chosen["train"] = [*([of_photographs] * wanted.photograph_repeats), of_renders]
    return {"train": join(chosen["train"]), "validation": join(chosen["validation"]), "test": join(chosen["test"])}


def _split(
    faces: LabelledFaces, name: SplitName, wanted: FreeDataWanted, known: Mapping[str, SplitName]
) -> LabelledFaces:
    return faces.split(name, seed=wanted.seed, test=wanted.test, validation=wanted.validation, known=known)


def _coded_subjects(source: FreeSource) -> Mapping[str, SplitName]:
    """Subjects whom the codes hold out stay held out, whatever the seed: they are what a model is measured on."""
    from aucli.datasets.free.photographs import splits_of_coded_subjects

    if source.photographs is None or source.visual_codes is None:
        return {}
    return splits_of_coded_subjects(source.photographs, source.visual_codes)


def _renders(source: FreeSource, wanted: FreeDataWanted, cache: Path, report: Report) -> LabelledFaces:
    from aucli.datasets.free.renders import read_renders
    from aucli.synth.generation import generate
    from aucli.synth.options import SynthOptions

    rig = source.rig
    name = f"renders-{wanted.render_seed}-{wanted.renders}"
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
    return LabelledFaces.load(prepared)


def _photographs(source: FreeSource, wanted: FreeDataWanted, cache: Path, report: Report) -> LabelledFaces:
    from aucli.datasets.free.photographs import read_photographs

    assert source.photographs is not None
    if wanted.colour != "grey":
        raise DatasetError("the photographs are grey: set encoder.colour=grey, or leave them out")
    files = [path for path in (source.photographs, source.codes) if path is not None]
    content = {"aus": wanted.aus, "files": [source.digests[path] for path in files]}
    prepared = cache / f"photographs-{_digest(content)}.npz"
    if not prepared.is_file():
        codes, detector = source.visual_codes, open_detector(None)
        faces = read_photographs(source.photographs, detector, aus=wanted.aus, codes=codes, report=report)
        faces.save(prepared)
    return LabelledFaces.load(prepared)


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
