"""How well a model does on real faces: photographs of people it has not seen, coded by eye.

    python benchmarks/photographs.py MODEL PHOTOGRAPHS.parquet ... [--part test] [--codes train/photograph_codes.csv]

MODEL is a name or a folder; the photographs are tables as `aucli.datasets.free.photograph_tables` reads them (tight
grey or colour pictures of one face each). Prints, per action unit, how often the looks agreed, ROC-AUC, F1 at the
model's threshold with 95 % intervals over people, and the F1 of always answering "present". Codes say 1, 0 or "cannot
tell"; what the looks do not agree on is left out, which makes the task easier than real footage.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image

from aucli.datasets.free.photograph_tables import join_tables, read_photograph_table
from aucli.datasets.free.visual_codes import VisualCodes, read_visual_codes
from aucli.evaluation.scoring import evaluate
from aucli.evaluation.values import Estimate, Evaluation
from aucli.faces.detectors import open_detector
from aucli.faces.values import START_SCORE, Detector
from aucli.faces.windows import aligned_as_in_film
from aucli.models.predictor import Predictor, open_predictor
from aucli.models.zoo import find_model
from aucli.runtime.files import bundled_folder


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("photographs", type=Path, nargs="+")
    parser.add_argument("--codes", type=Path, default=bundled_folder("train") / "photograph_codes.csv")
    parser.add_argument("--part", default="test")
    parser.add_argument("--aus", help="for the mean, as 1,2,4; default: all of the model")
    arguments = parser.parse_args()
    model = find_model(arguments.model)
    aus = model.config.aus
    chosen = tuple(int(au) for au in arguments.aus.split(",")) if arguments.aus else aus
    codes = read_visual_codes(arguments.codes)
    part = pl.read_csv(arguments.codes, infer_schema=False).filter(pl.col("part") == arguments.part)["name"].unique()
    table = join_tables([read_photograph_table(path) for path in arguments.photographs])
    wanted = set(part)
    rows = sorted((row for row, name in enumerate(table.names) if name in wanted), key=lambda row: table.names[row])
    names, subjects = [table.names[row] for row in rows], table.subjects[rows]
    predictor, detector = open_predictor(model), open_detector(None)
    probabilities = np.stack([look(table.jpegs[row], detector, predictor, len(aus)) for row in rows])
    labels = codes.labels_for(names, aus)
    found = evaluate(
        labels,
        probabilities,
        aus=aus,
        subjects=subjects,
        thresholds=list(model.config.thresholds),
    )
    lost = int(np.isnan(probabilities[:, 0]).sum())
    print(f"{len(names)} photographs of {len(set(subjects))} people, {lost} of them without a detected face\n")
    print(as_markdown(found, codes, names, chosen))


def look(jpeg: bytes, detector: Detector, predictor: Predictor, n_aus: int) -> npt.NDArray[np.float32]:
    """Probabilities (A,) of the face in a tight picture, NaN where none is found. The detector gets a border."""
    picture = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))
    border = max(picture.shape[:2]) // 2
    frame = np.pad(picture, ((border, border), (border, border), (0, 0)), mode="edge")
    faces = detector.detect(frame[None], min_face_px=20)[0]
    if not len(faces) or faces.scores.max() < START_SCORE:
        return np.full(n_aus, np.nan, np.float32)
    face = aligned_as_in_film(frame, faces[[int(faces.scores.argmax())]], detector)
    of_face: npt.NDArray[np.float32] = predictor.predict([frame], np.zeros(1, np.intp), face.landmarks_xy)[0]
    return of_face


def as_markdown(found: Evaluation, codes: VisualCodes, names: list[str], chosen: tuple[int, ...]) -> str:
    """One row per AU, then the means over the chosen AUs."""
    row_of = {name: row for row, name in enumerate(codes.names)}
    looks = codes.looks[[row_of[name] for name in names]]
    lines = [
        "| AU | present | absent | left out | looks 1, 2: kappa (n) | AUC (95 %) | F1 (95 %) | always present |",
        "|---|---|---|---|---|---|---|---|",
    ]
    means: dict[str, list[float]] = {"roc_auc": [], "f1": []}
    for one in found.per_au:
        column = codes.aus.index(one.au)
        kappa, n = agreement(looks[:, 0, column], looks[:, 1, column])
        absent, always = one.labelled - one.positive, 2 * one.positive / (one.positive + one.labelled)
        scores = " | ".join(_interval(one.scores[name]) for name in means)
        lines.append(
            f"| {one.au} | {one.positive} | {absent} | {len(names) - one.labelled} | {kappa:.2f} ({n}) | {scores} | "
            f"{always:.2f} |"
        )
        for name, values in means.items():
            value = one.scores[name].value
            if one.au in chosen and value is not None:
                values.append(value)
    auc, f1 = (np.mean(values) for values in means.values())
    lines.append(f"| mean of {', '.join(map(str, chosen))} | | | | | {auc:.3f} | {f1:.3f} | |")
    return "\n".join(lines)


def agreement(one: npt.NDArray[np.int8], other: npt.NDArray[np.int8]) -> tuple[float, int]:
    """Cohen's kappa of two looks over the answers 1 and 0, and on how many pictures both gave one."""
    both = (one >= 0) & (other >= 0)
    a, b = one[both].astype(float), other[both].astype(float)
    by_chance = a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
    return float(((a == b).mean() - by_chance) / (1 - by_chance)) if by_chance < 1 else float("nan"), int(both.sum())


def _interval(score: Estimate) -> str:
    if score.value is None:
        return "not defined"
    return f"{score.value:.2f}" + ("" if score.low is None else f" ({score.low:.2f} to {score.high:.2f})")


if __name__ == "__main__":
    main()
