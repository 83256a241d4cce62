r"""The claims of the AUNCE paper, on data whose truth is known: wrong labels, and rare action units.

    aucli synth --rig RIG --out renders --count 8000 --seed 2026
    aucli train --dataset photographs --recipe synth --set data=photographs --set 'encoder.aus=[1,2,4,6,12,25,26]' \
        --set 'leave_out=[]' --set loss.name=wbce --set loss.bce_weight=0 \
        --set 'stages=[{size_px=112,epochs=3}]' --option photographs=faces.parquet -o start
    python benchmarks/ablation.py renders --start start/model --work ablation --out ablation.md

Five losses learn from the same renders under the same budget: weighted cross-entropy end to end (`wbce`), and NT-Xent,
SupCon, AUNCE and AUNCE beside cross-entropy, each followed by linear evaluation on the frozen embeddings (the heads
that trained beside AUNCE are trained anew as well). Every stage sees the same, spoilt labels of the training people.

- wrong labels: each training label is turned over with probability 0, 0.1, 0.2 or 0.4, for every action unit by itself;
- rare action units: so many training labels are hidden that of the same number of known labels (the same for every
  action unit and rate) 50, 10 or 2 % say "present".

Validation and test people keep their true labels; validation chooses thresholds and each loss's learning rate (once, at
0 wrong labels). To afford the runs on a CPU the backbone is frozen and run once over several random views of each face;
all behind it is trained. The backbone is that of a model trained on photographs of other people (weak labels, no
renders): frozen ImageNet weights tell too little of action units to compare losses on. Intervals come from drawing test
people with replacement, after averaging over seeds.

A run that was stopped goes on: finished cells lie in the work folder.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from aucli.datasets.faces import LabelledFaces, split_of_subject
from aucli.datasets.free.renders import read_renders
from aucli.datasets.free.sources import SPLITS
from aucli.datasets.label_values import SplitName
from aucli.evaluation.scoring import evaluate
from aucli.evaluation.thresholds import choose_thresholds
from aucli.faces.alignment import CropSpec
from aucli.faces.detectors import open_detector
from aucli.models.network import AUNetwork, EncoderConfig
from aucli.models.predictor import load_network
from aucli.models.zoo import find_model
from aucli.training.augment import AugmentConfig, plain_crops, random_views
from aucli.training.losses import AULoss, LossName, Outputs, WeightedBCE, au_weights, make_loss

Loss = Literal["wbce", "ntxent", "supcon", "aunce", "aunce+wbce"]
LOSSES: Final[tuple[Loss, ...]] = ("wbce", "ntxent", "supcon", "aunce", "aunce+wbce")
AUS: Final = (1, 2, 4, 6, 10, 12, 25, 26)
FLIPS: Final = (0.0, 0.1, 0.2, 0.4)
RATES: Final = (0.5, 0.1, 0.02)
KNOWN_LABELS: Final = 800
"""Labels of each action unit that are known where rates are set: twice as many as the rarest one has positives."""
CLEAN: Final[tuple[SplitName, ...]] = ("validation", "test")
VIEWS: Final = 4
LEARNING_RATES: Final = (3e-4, 1e-3, 3e-3)
BATCH: Final = 128
EPOCHS: Final = 8
LINEAR_EPOCHS: Final = 8
TUNING_SEED: Final = 99
REPLICATES: Final = 300

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Condition:
    """How the training labels are spoilt: one of the two."""

    flip: float = 0.0
    rate: float | None = None

    @property
    def name(self) -> str:
        """For file names and tables."""
        return f"flip {self.flip:.0%}" if self.rate is None else f"rate {self.rate:.0%}"


CONDITIONS: Final = (*(Condition(flip=flip) for flip in FLIPS), *(Condition(rate=rate) for rate in RATES))


@dataclass(frozen=True)
class Features:
    """The frozen backbone's tokens of one fold.

    Attributes:
        tokens: (V, N, T, C) float16, of V views: random ones for training people, one plain view of the others.
        labels: (N, A) int8.
        people: (N,).
    """

    tokens: Tensor
    labels: Tensor
    people: npt.NDArray[np.str_]


def main() -> None:
    """Run what is missing, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("renders", type=Path, help="folder of aucli synth")
    parser.add_argument("--start", required=True, help="model whose backbone is used, frozen")
    parser.add_argument("--work", type=Path, required=True, help="folder for finished cells")
    parser.add_argument("--out", type=Path, help="where the report goes; printed if not given")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    folds = features_of(arguments.renders, arguments.start, arguments.work)
    rates = {loss: tune(loss, folds, arguments.work) for loss in LOSSES}
    cells = itertools.product(range(arguments.seeds), CONDITIONS, LOSSES)
    for seed, condition, loss in cells:
        cell(loss, condition, seed, rates[loss], folds, arguments.work)
    text = report(folds, rates, arguments.seeds, arguments.work)
    if arguments.out is None:
        print(text)
    else:
        arguments.out.write_text(text, encoding="utf-8")


def features_of(renders: Path, start: str, work: Path) -> dict[SplitName, Features]:
    """Faces, folds by person, and their tokens."""
    prepared = work / "faces.npz"
    if not prepared.is_file():
        read_renders(renders, open_detector(None), AUS, report=print).save(prepared)
    faces = LabelledFaces.load(prepared)
    network = load_network(find_model(start)).eval()
    split_of = [split_of_subject(subject, seed=2026, test=0.2, validation=0.2) for subject in faces.subjects.tolist()]
    folds: dict[SplitName, Features] = {}
    for name in SPLITS:
        fold, saved = faces[np.array(split_of) == name], work / f"tokens {name}.npy"
        if not saved.is_file():
            np.save(work / "partial.npy", tokens_of(fold, network, name).numpy())
            (work / "partial.npy").replace(saved)
        folds[name] = Features(torch.from_numpy(np.load(saved)), torch.from_numpy(fold.labels), fold.subjects)
    return folds


@torch.no_grad()
def tokens_of(faces: LabelledFaces, network: AUNetwork, fold: SplitName) -> Tensor:
    """Run the backbone once over all views of a fold: (V, N, T, C) float16."""
    torch.manual_seed(1)
    spec = CropSpec(size_px=network.config.input_size_px)
    views = []
    for _ in range(VIEWS if fold == "train" else 1):
        parts = []
        for start in range(0, len(faces), 64):
            some = faces[np.arange(start, min(start + 64, len(faces)))]
            pictures, landmarks = torch.from_numpy(some.pictures).permute(0, 3, 1, 2).float(), some.landmarks_xy
            if fold == "train":
                sizes = torch.from_numpy(some.sizes_wh)
                crops = random_views(pictures, sizes, torch.from_numpy(landmarks), spec, AugmentConfig())
            else:
                crops = plain_crops(pictures, torch.from_numpy(landmarks), spec).expand(-1, 3, -1, -1)
            encoder = network.encoder
            parts.append(encoder.backbone(encoder.normalise(crops)).half())
        views.append(torch.cat(parts))
    return torch.stack(views)


def fresh_network(seed: int) -> AUNetwork:
    """The network; what is trained of it starts from a seed."""
    torch.manual_seed(seed)
    return AUNetwork(
        EncoderConfig(
            backbone="efficientnet_lite0",
            aus=AUS,
            input_size_px=112,
            colour="grey",
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
            global_dim=128,
            embedding_dim=64,
        )
    )


def spoil(labels: Tensor, condition: Condition, seed: int) -> Tensor:
    """Training labels (N, A) with some turned over, or hidden until the wanted share of the known is positive."""
    rng = np.random.default_rng((seed, 17))
    spoilt = labels.numpy().copy()
    if condition.rate is None:
        turned = rng.random(spoilt.shape) < condition.flip
        return torch.from_numpy(np.where(turned & (spoilt >= 0), 1 - spoilt, spoilt))
    positives = round(KNOWN_LABELS * condition.rate)
    for column in spoilt.T:
        kept = [
            rng.choice(np.flatnonzero(column == value), count, replace=False)
            for value, count in ((1, positives), (0, KNOWN_LABELS - positives))
        ]
        hidden = np.ones(len(column), np.bool_)
        hidden[np.concatenate(kept)] = False
        column[hidden] = -1
    return torch.from_numpy(spoilt)


def tune(loss: Loss, folds: dict[SplitName, Features], work: Path) -> float:
    """The learning rate of the best validation AUC with true labels."""
    scores = {}
    for lr in LEARNING_RATES:
        found = cell(loss, Condition(), TUNING_SEED, lr, folds, work)
        scores[lr] = mean_auc(folds["validation"].labels.numpy(), found["validation"])
    return max(scores, key=lambda lr: scores[lr])


def cell(
    loss: Loss, condition: Condition, seed: int, lr: float, folds: dict[SplitName, Features], work: Path
) -> dict[str, FloatArray]:
    """Probabilities of validation and test people, trained now or read."""
    path = work / f"{loss} {condition.name} seed {seed} lr {lr:g}.npz"
    if not path.is_file():
        train = folds["train"]
        labels = spoil(train.labels, condition, seed)
        network = fresh_network(seed)
        learn(network, train.tokens, labels, loss, lr)
        if loss != "wbce":
            fit_heads(network, train.tokens, labels)
        network.eval()
        validation, test = (probabilities(network, folds[name].tokens[0]) for name in CLEAN)
        partial = work / ".partial.npz"
        np.savez(partial, validation=validation, test=test)
        partial.replace(path)
        print(path.stem, f"{mean_auc(folds['test'].labels.numpy(), test):.4f}", flush=True)
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def embed(network: AUNetwork, tokens: Tensor) -> Tensor:
    """Tokens (B, T, C) -> embeddings (B, A, D)."""
    embeddings: Tensor = network.encoder.head(network.encoder.global_linear(tokens.float()))
    return embeddings


def learn(network: AUNetwork, tokens: Tensor, labels: Tensor, loss: Loss, lr: float) -> None:
    """Stage 1: everything behind the backbone, by one loss."""
    weights = au_weights(labels)
    name: LossName = "aunce" if loss == "aunce+wbce" else loss
    first: AULoss = make_loss(name, weights=weights)
    beside = WeightedBCE(weights) if loss == "aunce+wbce" else None
    network.train()

    def loss_of(rows: Tensor) -> Tensor:
        chosen = torch.randperm(len(tokens))[:2]
        z = embed(network, torch.cat([tokens[view, rows] for view in chosen]))
        logits = network.head_logits(z)
        outputs = Outputs(z.view(2, -1, *z.shape[1:]), logits.view(2, *labels[rows].shape))
        total: Tensor = first(outputs, labels[rows])
        return total if beside is None else total + beside(outputs, labels[rows])

    behind = [network.encoder.global_linear, network.encoder.head, network.full_connect]
    optimise([p for part in behind for p in part.parameters()], loss_of, len(labels), BATCH, EPOCHS, lr)


def fit_heads(network: AUNetwork, tokens: Tensor, labels: Tensor) -> None:
    """Stage 2: fresh heads on the frozen embeddings of two views, by weighted cross-entropy."""
    network.eval()
    with torch.no_grad():
        z = torch.cat([embed(network, tokens[view]) for view in range(2)])
    both = labels.repeat(2, 1)
    network.full_connect.load_state_dict(AUNetwork(network.config).full_connect.state_dict())
    cross_entropy = WeightedBCE(au_weights(labels))

    def loss_of(rows: Tensor) -> Tensor:
        some = z[rows]
        total: Tensor = cross_entropy(Outputs(some[None], network.head_logits(some)[None]), both[rows])
        return total

    optimise(list(network.full_connect.parameters()), loss_of, len(both), 256, LINEAR_EPOCHS, 3e-3)


def optimise(
    parameters: Sequence[nn.Parameter],
    loss_of: Callable[[Tensor], Tensor],
    count: int,
    batch: int,
    epochs: int,
    lr: float,
) -> None:
    """AdamW and half a cosine over shuffled epochs."""
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=0.02)
    steps = epochs * (count // batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(epochs):
        for rows in torch.randperm(count)[: count // batch * batch].view(-1, batch):
            optimizer.zero_grad(set_to_none=True)
            loss_of(rows).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(parameters, 5.0)
            optimizer.step()
            schedule.step()


@torch.no_grad()
def probabilities(network: AUNetwork, tokens: Tensor) -> FloatArray:
    """(N, A)."""
    found: FloatArray = network.head_logits(embed(network, tokens)).sigmoid().double().numpy()
    return found


def mean_auc(labels: npt.NDArray[np.int8], found: FloatArray) -> float:
    """Mean ROC-AUC over the action units."""
    value = evaluate(labels, found, aus=AUS, replicates=0).mean["roc_auc"].value
    assert value is not None
    return value


def main_scores(
    loss: Loss, condition: Condition, seeds: int, lr: float, folds: dict[SplitName, Features], work: Path
) -> dict[str, FloatArray]:
    """Mean AUC and F1 per seed and draw of test people: (seeds, 1 + replicates), first of all people."""
    labels, people = folds["test"].labels.numpy(), folds["test"].people
    known = folds["validation"].labels.numpy()
    scores: dict[str, list[list[float]]] = {"roc_auc": [], "f1": []}
    for seed in range(seeds):
        found = cell(loss, condition, seed, lr, folds, work)
        thresholds = choose_thresholds(known, found["validation"])
        rows = [np.arange(len(labels)), *draws(people)]
        all_scores = [
            evaluate(labels[r], found["test"][r], aus=AUS, thresholds=thresholds, replicates=0).mean for r in rows
        ]
        for name, values in scores.items():
            values.append([float(one[name].value or np.nan) for one in all_scores])
    return {name: np.array(values) for name, values in scores.items()}


def draws(people: npt.NDArray[np.str_]) -> Iterable[npt.NDArray[np.int64]]:
    """Rows of people drawn with replacement, the same draws for every cell."""
    rng = np.random.default_rng(3407)
    names, index = np.unique(people, return_inverse=True)
    rows_of = [np.flatnonzero(index == k) for k in range(len(names))]
    for _ in range(REPLICATES):
        yield np.concatenate([rows_of[k] for k in rng.integers(len(names), size=len(names))])


def report(folds: dict[SplitName, Features], rates: dict[Loss, float], seeds: int, work: Path) -> str:
    """Two tables of means over seeds with intervals, and the differences between AUNCE and cross-entropy."""
    scores = {
        (loss, condition): main_scores(loss, condition, seeds, rates[loss], folds, work)
        for condition in CONDITIONS
        for loss in LOSSES
    }
    lines = []
    for metric, title in (("roc_auc", "ROC-AUC"), ("f1", "F1")):
        lines += [f"### Mean {title}", "", "| training labels | " + " | ".join(LOSSES) + " | aunce - wbce |"]
        lines += ["|---" * (len(LOSSES) + 2) + "|"]
        for condition in CONDITIONS:
            means = {loss: scores[loss, condition][metric].mean(axis=0) for loss in LOSSES}
            cells = [interval(means[loss]) for loss in LOSSES]
            lines.append(
                f"| {condition.name} | " + " | ".join([*cells, interval(means["aunce"] - means["wbce"])]) + " |"
            )
        lines.append("")
    spread = max(float(np.ptp(one["roc_auc"][:, 0])) for one in scores.values())
    about: dict[str, Any] = {name: (len(f.labels), len(np.unique(f.people))) for name, f in folds.items()}
    lines.append(f"Largest spread of AUC between the {seeds} seeds of a cell: {spread:.3f}. ")
    lines.append(f"Faces and people: {json.dumps(about)}. Learning rates: {json.dumps(rates)}.")
    return "\n".join(lines) + "\n"


def interval(values: FloatArray) -> str:
    """The value of all people, and where 95 % of the draws lie."""
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return f"{values[0]:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
