"""Training data that needs no form: renders of a rig, and photographs with weak labels and codes by eye.

Both are read once and kept beside the run's cache; what they were made from is part of the file's name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from aucli.errors import DatasetError, OptionsError
from aucli.faces import open_detector
from aucli.training.data.eye_codes import read_eye_codes
from aucli.training.data.labelled_faces import Fold, LabelledFaces, join
from aucli.training.recipe import Recipe

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class FreeSources:
    """Where the free data lie.

    Attributes:
        rig: ICT FaceKit Light, as `aucli synth` takes it; renders are made from it if they are not in the cache.
        photographs: Parquet file, see `aucli.training.data.photographs`; None trains on renders alone.
        codes: CSV file with codes by eye of these photographs.
    """

    rig: Path | None = None
    photographs: Path | None = None
    codes: Path | None = None

    def __post_init__(self) -> None:
        for name, path in asdict(self).items():
            if path is not None and not path.exists():
                raise OptionsError(f"{name} is {path}, which does not exist")
        if self.codes is not None and self.photographs is None:
            raise OptionsError("codes belong to photographs: give --option photographs=FILE.parquet too")

    @classmethod
    def from_options(cls, root: Path | None, options: Mapping[str, str]) -> FreeSources:
        """Read ``--root`` and ``--option KEY=VALUE``."""
        strange = sorted(set(options) - {"photographs", "codes"})
        if strange:
            raise OptionsError(f"synth has no option {strange[0]!r}; allowed are photographs, codes")
        return cls(rig=root, **{name: Path(value) for name, value in options.items()})


def read_free_data(sources: FreeSources, recipe: Recipe, cache: Path, *, tell: Tell) -> dict[Fold, LabelledFaces]:
    """Training, validation and test fold, by person. Photographs alone choose: they are what the model is for.

    Args:
        sources: where the data lie.
        recipe: AUs, colour, folds, number of renders.
        cache: folder for renders and prepared faces.
        tell: called with a line of text now and then.

    Raises:
        DatasetError: if there is nothing to train on, or something cannot be read.
    """
    cache.mkdir(parents=True, exist_ok=True)
    renders = _renders(sources.rig, recipe, cache, tell) if recipe.data == "synth" else None
    photographs = _photographs(sources, recipe, cache, tell) if sources.photographs is not None else None
    found = [faces for faces in (renders, photographs) if faces is not None]
    if not found:
        raise DatasetError("nothing to train on: give the rig as --root, or --option photographs=FILE.parquet")
    chosen = {name: [_fold(faces, name, recipe) for faces in found] for name in ("train", "validation", "test")}
    if renders is not None and photographs is not None:
        of_renders, of_photographs = chosen["train"]
        chosen["train"] = [*([of_photographs] * recipe.free_data.photograph_repeats), of_renders]
        chosen["validation"] = chosen["validation"][1:]
    return {"train": join(chosen["train"]), "validation": join(chosen["validation"]), "test": join(chosen["test"])}


def _fold(faces: LabelledFaces, name: str, recipe: Recipe) -> LabelledFaces:
    split = recipe.split
    return faces.fold(name, seed=recipe.seed, test=split.test, validation=split.validation)  # type: ignore[arg-type]


def _renders(rig: Path | None, recipe: Recipe, cache: Path, tell: Tell) -> LabelledFaces:
    from aucli.synth import SynthOptions, generate
    from aucli.training.data.renders import read_renders

    free, encoder = recipe.free_data, recipe.encoder
    content = {"renders": free.renders, "seed": free.render_seed, "aus": encoder.aus, "colour": encoder.colour}
    prepared = cache / f"renders-{_digest(content)}.npz"
    if not prepared.is_file():
        folder = cache / f"renders-{free.render_seed}-{free.renders}"
        if not (folder / "labels.parquet").is_file():
            if rig is None:
                raise DatasetError(f"{cache} holds no renders; give the rig (ICT FaceKit Light) as --root")
            tell(f"rendering {free.renders} faces into {folder}")
            generate(SynthOptions(rig=rig, out=folder, count=free.renders, seed=free.render_seed))
        read_renders(folder, open_detector(None), encoder.aus, colour=encoder.colour, progress=tell).save(prepared)
    return LabelledFaces.load(prepared)


def _photographs(sources: FreeSources, recipe: Recipe, cache: Path, tell: Tell) -> LabelledFaces:
    from aucli.training.data.photographs import read_photographs

    assert sources.photographs is not None
    if recipe.encoder.colour != "grey":
        raise DatasetError("the photographs are grey: set encoder.colour=grey, or leave them out")
    files = [path for path in (sources.photographs, sources.codes) if path is not None]
    content = {"aus": recipe.encoder.aus, "files": [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]}
    prepared = cache / f"photographs-{_digest(content)}.npz"
    if not prepared.is_file():
        codes = None if sources.codes is None else read_eye_codes(sources.codes)
        faces = read_photographs(
            sources.photographs, open_detector(None), aus=recipe.encoder.aus, codes=codes, progress=tell
        )
        faces.save(prepared)
    return LabelledFaces.load(prepared)


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
