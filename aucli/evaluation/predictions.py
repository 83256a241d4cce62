"""What a model said about a test fold, on disk: ``predictions.parquet``, from which any table can be computed again.

One row per test frame, one file per fold:

    subject, sequence   strings
    frame               int32, as in the label files
    AU01, AU02, ...     int8: the label, 1, 0 or null for missing
    AU01_p, ...         float32: the probability, null where no face was found

Data set, fold, model and the thresholds that were chosen on validation subjects lie in the file's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from aucli.datasets.label_values import MISSING
from aucli.errors import DatasetError
from aucli.evaluation.values import Predictions
from aucli.facs import au_column
from aucli.runtime.files import whole_or_nothing
from aucli.runtime.parquet import read_parquet

PREDICTIONS_NAME: Final = "predictions.parquet"
METADATA_KEY: Final = b"aucli_predictions"
FORMAT: Final = 1


@dataclass(frozen=True, eq=False, kw_only=True)
class FoldPredictions:
    """Labels and probabilities of one test fold.

    Attributes:
        dataset: its short name.
        fold: number of the fold, from 1; 0 for all frames of a data set.
        model: name or digest of the model, for readers.
        aus: (A) action units.
        thresholds: (A) present from this probability on; chosen on validation subjects, never on these.
        subjects: (N,) str, who is seen.
        sequences: (N,) str.
        frames: (N,) int32.
        labels: (N, A) int8: 1, 0, -1 missing.
        probabilities: (N, A) float32, NaN where no face was found.

    Raises:
        DatasetError: if shapes or ranges are wrong.
    """

    dataset: str
    fold: int
    model: str
    aus: tuple[int, ...]
    thresholds: tuple[float, ...]
    subjects: npt.NDArray[np.str_]
    sequences: npt.NDArray[np.str_]
    frames: npt.NDArray[np.int32]
    labels: npt.NDArray[np.int8]
    probabilities: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.fold < 0:
            raise DatasetError(f"the fold is {self.fold}; folds count from 1, and 0 means all frames")
        if len(self.sequences) != len(self.frames):
            raise DatasetError(f"{len(self.sequences)} sequences for {len(self.frames)} frames of {self.name}")
        self.to_score()  # checks the rest

    @property
    def name(self) -> str:
        """For tables: ``bp4d fold 1``."""
        return f"{self.dataset} fold {self.fold}" if self.fold else self.dataset

    def to_score(self) -> Predictions:
        """The same as `aucli.evaluation.scoring` takes it."""
        return Predictions(
            name=self.name,
            aus=self.aus,
            labels=self.labels,
            probabilities=self.probabilities,
            subjects=self.subjects,
            thresholds=np.array(self.thresholds, dtype=np.float64),
        )


def write_predictions(path: Path, predictions: FoldPredictions) -> None:
    """Write one file, whole or not at all."""
    columns: dict[str, Any] = {
        "subject": pa.array(predictions.subjects.tolist(), pa.string()).dictionary_encode(),
        "sequence": pa.array(predictions.sequences.tolist(), pa.string()).dictionary_encode(),
        "frame": pa.array(predictions.frames.astype(np.int32), pa.int32()),
    }
    for a, au in enumerate(predictions.aus):
        label, probability = predictions.labels[:, a], predictions.probabilities[:, a].astype(np.float32)
        columns[au_column(au)] = pa.array(label, pa.int8(), mask=label == MISSING)
        columns[f"{au_column(au)}_p"] = pa.array(probability, pa.float32(), mask=np.isnan(probability))
    about = {
        "format": FORMAT,
        "dataset": predictions.dataset,
        "fold": predictions.fold,
        "model": predictions.model,
        "aus": list(predictions.aus),
        "thresholds": list(predictions.thresholds),
    }
    table = pa.table(columns).replace_schema_metadata({METADATA_KEY: json.dumps(about).encode()})
    with whole_or_nothing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_predictions(path: Path) -> FoldPredictions:
    """Read what `write_predictions` wrote.

    Raises:
        DatasetError: if the file cannot be read or holds something else.
    """
    table = read_parquet(path, error=DatasetError, wanted="the folder of a finished run of aucli train")
    raw = (table.schema.metadata or {}).get(METADATA_KEY)
    if raw is None:
        raise DatasetError(f"{path} holds no predictions of a training run; name the folder of a finished one")
    try:
        about = json.loads(raw)
        if about["format"] != FORMAT:
            raise DatasetError(f"{path}: format {about['format']!r} is not known to this version, which reads {FORMAT}")
        aus = tuple(int(au) for au in about["aus"])
        labels = [table[au_column(au)].fill_null(MISSING).to_numpy() for au in aus]
        # Nulls become NaN on their way to numpy.
        probabilities = [table[f"{au_column(au)}_p"].to_numpy() for au in aus]
        return FoldPredictions(
            dataset=about["dataset"],
            fold=int(about["fold"]),
            model=about["model"],
            aus=aus,
            thresholds=tuple(float(t) for t in about["thresholds"]),
            subjects=np.array(table["subject"].to_pylist(), dtype=np.str_),
            sequences=np.array(table["sequence"].to_pylist(), dtype=np.str_),
            frames=table["frame"].to_numpy().astype(np.int32),
            labels=np.stack(labels, axis=1).astype(np.int8),
            probabilities=np.stack(probabilities, axis=1).astype(np.float32),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise DatasetError(f"{path} is damaged or of another kind ({error!r})") from error


def find_predictions(folders: Sequence[Path]) -> list[FoldPredictions]:
    """Read all folds below folders of runs, in the order of data set and fold.

    Raises:
        DatasetError: if there are none, or a fold is there twice.
    """
    paths: list[Path] = []
    for folder in folders:
        found = [folder] if folder.is_file() else sorted(folder.rglob(PREDICTIONS_NAME))
        if not found:
            raise DatasetError(f"{folder} holds no {PREDICTIONS_NAME}; is it a finished run of aucli train?")
        paths += [path for path in found if path.resolve() not in {p.resolve() for p in paths}]
    folds = [(read_predictions(path), path) for path in paths]
    first: dict[tuple[str, int], Path] = {}
    for fold, path in folds:
        other = first.setdefault((fold.dataset, fold.fold), path)
        if other != path:
            raise DatasetError(f"{other} and {path} both test {fold.name}; evaluate one run of each fold")
    return sorted((fold for fold, _ in folds), key=lambda fold: (fold.dataset, fold.fold))
