r"""What each part of the bundled model's recipe brings: renders, teacher, codes by eye, joined halves, AUNCE.

    python benchmarks/mixture.py --root facekit.npz --option photographs=GREY.parquet,COLOUR.parquet \
        --option codes=train/photograph_codes.csv --option teacher=face_landmarker.task \
        --cache CACHE --work mixture --out mixture.md

Every arm starts from the same ImageNet weights, trains the whole network (nothing is frozen) by `train/synth.toml`,
sees the same number of faces once each, and is measured on the photographs of validation subjects that were coded by
eye. The test subjects are not touched. Arms differ from `recipe` in one thing:

- `no renders`, `no codes`, `no teacher`: these faces are left out of what the others are drawn from. Without codes the
  teacher's labels still come from rules that were learnt from codes.
- `no halves`: `augment.halves` is 0.
- `AUNCE beside`: AUNCE and 4 times the cross-entropy, two views of each face, thus twice the work.

The budget is small (`--faces`, `--size`): the arms can be compared with each other, not with the bundled model. A
run that was stopped goes on: finished cells lie in the work folder.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from aucli.datasets.faces import MixedFaces
from aucli.datasets.free.sources import FreeData, FreeDataWanted, FreeSource, read_free_data
from aucli.datasets.ranks import area_under_roc
from aucli.runtime.files import bundled_folder
from aucli.training.embeddings import predict
from aucli.training.recipe import Recipe, load_recipe
from aucli.training.trainer import Trainer

SEEDS: Final = (1, 2, 3)
MIN_PRESENT: Final = 10
"""Validation photographs that show an action unit, below which its AUC enters no mean."""
GIVEN: Final = ((6, 12), (2, 1))
"""The first among faces that show the second."""


@dataclass(frozen=True)
class Arm:
    """One change of the recipe.

    Attributes:
        name: as in the table.
        left_out: faces that do not take part: `renders`, `codes`, `teacher`; empty for none.
        overrides: of the recipe.
    """

    name: str
    left_out: str = ""
    overrides: tuple[str, ...] = ()


ARMS: Final = (
    Arm("recipe"),
    Arm("AUNCE beside", overrides=("loss.name=aunce", "loss.bce_weight=4")),
    Arm("no renders", "renders"),
    Arm("no teacher", "teacher"),
    Arm("no codes", "codes"),
    Arm("no halves", overrides=("augment.halves=0",)),
)


def main() -> None:
    """Run what is missing and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--faces", type=int, default=18432)
    parser.add_argument("--size", type=int, default=64, help="side of the crops, pixels")
    parser.add_argument("--arms", nargs="+", choices=[arm.name for arm in ARMS], help="all where none is named")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    source = FreeSource.from_pairs("synth", root=arguments.root, cache=arguments.cache, pairs=arguments.option)
    base = recipe_of(ARMS[0], arguments.size, seed=0)
    data = free_data(source, base, arguments.cache)
    for seed in SEEDS:
        for arm in (arm for arm in ARMS if arm.name in (arguments.arms or [arm.name])):
            cell = arguments.work / cell_name(arm, seed)
            if not cell.is_file():
                faces = drawn(data, arm, count=arguments.faces, seed=seed)
                found = run(arm, faces, data.splits["validation"], arguments.work, size=arguments.size, seed=seed)
                cell.write_text(json.dumps(found))
                print(f"{arm.name}, seed {seed}: {found}", flush=True)
        arguments.out.write_text(table(arguments.work), encoding="utf-8")


def recipe_of(arm: Arm, size_px: int, *, seed: int) -> Recipe:
    """The bundled model's recipe with the budget and the arm's change."""
    budget = (f"crop.size_px={size_px}", f"stages=[{{size_px={size_px},epochs=1}}]", f"seed={seed}")
    return load_recipe(bundled_folder("train") / "synth.toml", (*budget, *arm.overrides))


def free_data(source: FreeSource, recipe: Recipe, cache: Path) -> FreeData:
    """The faces that the bundled model was made from."""
    given = recipe.free_data.model_dump()
    wanted = FreeDataWanted(
        aus=recipe.encoder.aus,
        colour=recipe.encoder.colour,
        with_renders=True,
        seed=recipe.seed,
        validation=recipe.split.validation,
        test=recipe.split.test,
        **given,
    )
    return read_free_data(source, wanted, cache, report=lambda text: print(text, flush=True))


def drawn(data: FreeData, arm: Arm, *, count: int, seed: int) -> MixedFaces:
    """As many faces for every arm, drawn from the mix with its repeats, less what the arm leaves out."""
    mix = data.splits["train"]
    assert isinstance(mix, MixedFaces)
    kinds = kinds_of(mix)
    rows = np.flatnonzero(kinds != arm.left_out)
    rng = np.random.default_rng(seed)
    return mix.subset(rng.choice(rows, count, replace=count > len(rows)))


def kinds_of(mix: MixedFaces) -> npt.NDArray[np.str_]:
    """(N,) who labelled each face: `codes`, `teacher` (or who said who smiles), `renders`.

    Photographs are the first part; those coded by eye are the ones that an epoch shows several times.
    """
    _, place, times = np.unique(mix.places, axis=0, return_inverse=True, return_counts=True)
    kinds = np.where(times[place.ravel()] > 1, "codes", "teacher")
    return np.where(mix.places[:, 0] == len(mix.parts) - 1, "renders", kinds)


def run(
    arm: Arm, faces: MixedFaces, validation: MixedFaces, work: Path, *, size: int, seed: int
) -> dict[str, float | None]:
    """Train one network; the AUC of each action unit on the validation subjects."""
    recipe = recipe_of(arm, size, seed=seed)
    began = time.process_time()
    folder = (work / cell_name(arm, seed)).with_suffix("")
    network = Trainer(recipe.encoder_training(), faces, folder, checkpoint_every=10**6).run()
    network.eval()
    said = predict(network, validation, recipe.crop).double().numpy()
    labels, aus = validation.labels, recipe.encoder.aus
    found: dict[str, float | None] = {}
    for column, au in enumerate(aus):
        found[f"AU{au}"] = auc_of(said[:, column], labels[:, column])
    for one, other in GIVEN:
        where = labels[:, aus.index(other)] == 1
        found[f"AU{one} given {other}"] = auc_of(said[where, aus.index(one)], labels[where, aus.index(one)])
    return {**found, "cpu_s": round(time.process_time() - began, 1)}


def auc_of(said: npt.NDArray[np.float64], labels: npt.NDArray[np.int8]) -> float | None:
    """Area under the ROC curve over what is known; None where one side has fewer than `MIN_PRESENT`."""
    known = labels >= 0
    present = labels[known] == 1
    if min(int(present.sum()), int((~present).sum())) < MIN_PRESENT:
        return None
    return float(area_under_roc(said[known], present))


def table(work: Path) -> str:
    """Means over seeds, with the lowest and the highest seed's mean over action units, as Markdown."""
    runs = {arm.name: [json.loads(file.read_text()) for file in sorted(work.glob(cell_name(arm, "*")))] for arm in ARMS}
    runs = {name: found for name, found in runs.items() if found}
    keys = [key for key, value in next(iter(runs.values()))[0].items() if value is not None and key != "cpu_s"]
    aus = [key for key in keys if " " not in key]
    by_seed = [[np.mean([one[au] for au in aus]) for one in found] for found in runs.values()]
    rows = [
        ("", list(runs)),
        ("---", ["---"] * len(runs)),
        (f"mean of {len(aus)}", [f"{np.mean(of):.3f} ({min(of):.3f} to {max(of):.3f})" for of in by_seed]),
        *((key, [f"{np.mean([one[key] for one in found]):.3f}" for found in runs.values()]) for key in keys),
        ("seeds", [str(len(found)) for found in runs.values()]),
        ("CPU seconds a run", [f"{np.mean([one['cpu_s'] for one in found]):.0f}" for found in runs.values()]),
    ]
    return "".join(f"| {name} | {' | '.join(cells)} |\n" for name, cells in rows)


def cell_name(arm: Arm, seed: int | str) -> str:
    """The file of one run."""
    return f"{arm.name.replace(' ', '_')}-{seed}.json"


if __name__ == "__main__":
    main()
