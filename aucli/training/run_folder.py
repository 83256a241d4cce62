"""The folder of one fold: what lies where in it, and whose run it holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from pydantic import ValidationError

from aucli.datasets.faces import FaceSource
from aucli.errors import RecipeError
from aucli.evaluation.predictions import PREDICTIONS_NAME
from aucli.runtime.files import whole_or_nothing
from aucli.training.checkpoint import CHECKPOINT_NAME
from aucli.training.plan import TrainingFold
from aucli.training.recipe import AFTER_ENCODER, Recipe, first_problem

RECIPE_NAME: Final = "recipe.json"
FOLD_NAME: Final = "fold.json"
START_PREDICTIONS_NAME: Final = "start_predictions.parquet"
LABELLING_NAME: Final = "labels.md"
MODEL_FOLDER: Final = "model"
FINISH_AGAIN: Final = "add `finish_again` to keep its encoder and do the rest anew"
ANOTHER: Final = "choose another folder, or remove this one"


@dataclass(frozen=True)
class RunFolder:
    """Where a run lies, and which run it is meant to be. Nothing is written before `begin`.

    Attributes:
        path: of the folder.
        recipe: of the run.
        data: what it is trained and tested on: name and number of the fold, and digests of its splits.
    """

    path: Path
    recipe: Recipe
    data: Mapping[str, str | int]

    @classmethod
    def of(cls, path: Path, fold: TrainingFold, recipe: Recipe, dataset: str) -> Self:
        """The folder of a fold's run."""
        digests = {split: data_digest(faces) for split, faces in fold.splits()}
        return cls(path, recipe, {"dataset": dataset, "fold": fold.number, **digests})

    @property
    def model(self) -> Path:
        """The model folder that comes out."""
        return self.path / MODEL_FOLDER

    @property
    def predictions(self) -> Path:
        """What the model said about the test split; written last, so its presence says that the fold is finished."""
        return self.path / PREDICTIONS_NAME

    @property
    def start_predictions(self) -> Path:
        """What the model that training started from said about it, where it started from one."""
        return self.path / START_PREDICTIONS_NAME

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self.predictions.is_file()

    def check(self, *, finish_again: bool = False) -> None:
        """Refuse a folder that holds another run than this very one: its recipe, subjects, faces, labels. Reads only.

        Args:
            finish_again: what comes after the encoder may differ: `AFTER_ENCODER`, validation and test faces.

        Raises:
            RecipeError: naming the first thing that differs, or saying that the folder cannot be understood.
        """
        if not (self.path / FOLD_NAME).is_file():
            if self.is_finished or (self.path / CHECKPOINT_NAME).is_file():
                raise RecipeError(
                    f"{self.path} holds a run without {FOLD_NAME}: what it was trained on is not known; {ANOTHER}"
                )
            return
        try:
            held: dict[str, Any] = json.loads((self.path / FOLD_NAME).read_text(encoding="utf-8"))
            recipe = Recipe.model_validate_json((self.path / RECIPE_NAME).read_text(encoding="utf-8"))
            changed = [name for name, value in self.data.items() if held[name] != value]
        except (OSError, ValueError, KeyError, TypeError) as error:
            why = first_problem(error) if isinstance(error, ValidationError) else error
            raise RecipeError(f"{self.path} holds a run that cannot be read ({why}); {ANOTHER}") from error
        if difference := recipe.first_difference(self.recipe, but=AFTER_ENCODER if finish_again else ()):
            same_encoder = recipe.first_difference(self.recipe, but=AFTER_ENCODER) is None
            remedy = f"{FINISH_AGAIN}, {ANOTHER}" if same_encoder else ANOTHER
            raise RecipeError(f"{self.path} holds a run of another recipe ({difference}); {remedy}")
        if finish_again:
            changed = [name for name in changed if name not in ("validation", "test")]
        if changed:
            number = f"{held['dataset']} fold {held['fold']}"
            what = number if changed[0] in ("dataset", "fold") else f"other {changed[0]} faces, subjects or labels"
            raise RecipeError(f"{self.path} holds a run on {what}; {ANOTHER}")

    def begin(self, labelling: str = "", *, finish_again: bool = False) -> None:
        """Write down whose folder it is, or go on in it. The caller holds its lock.

        Args:
            labelling: where the labels of photographs come from; nothing is written where it is empty.
            finish_again: see `check`; the run counts as unfinished then.

        Raises:
            RecipeError: as `check` does; or if another run has finished it meanwhile.
        """
        self.check(finish_again=finish_again)
        if finish_again:
            self.predictions.unlink(missing_ok=True)
        elif self.is_finished:
            raise RecipeError(f"another run has just finished in {self.path}; give the same command again")
        if finish_again or not (self.path / FOLD_NAME).is_file():
            # The fold last: its presence says that both are there.
            if labelling:
                self._write(LABELLING_NAME, labelling)
            self._write(RECIPE_NAME, self.recipe.model_dump_json(indent=1))
            self._write(FOLD_NAME, json.dumps(self.data, indent=1))

    def _write(self, name: str, text: str) -> None:
        with whole_or_nothing(self.path / name) as partial:
            partial.write_text(text + "\n", encoding="utf-8")


def data_digest(faces: FaceSource) -> str:
    """SHA-256 over action units, labels and subjects: other faces, another run."""
    digest = hashlib.sha256(repr((faces.aus, faces.labels.shape)).encode())
    digest.update(np.ascontiguousarray(faces.labels).tobytes())
    digest.update("\n".join(faces.subjects.tolist()).encode())
    return digest.hexdigest()
