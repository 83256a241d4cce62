"""What training costs: the share of waiting, of the loss, and the loss's memory.

    python benchmarks/train.py [--set KEY=VALUE ...] [--steps 12]

Trains by train/bp4d.toml on noise in a cache as `aucli prepare` writes it (1,024 faces of the cache's size as JPEG), so
reading, decoding and views are real. Prints, all from one call so that ratios can be trusted:

- steps of the trainer, with batches made ahead by threads: faces a second and the share of time spent waiting;
- bare steps: forward and backward of the same network on views that are there already;
- one step at batch 256 with 12 action units, and how much of it is the loss (forward and backward);
- what the loss keeps for its backward pass, for batches and numbers of action units.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor

from aucli.datasets.cache.reader import CachedFaces
from aucli.datasets.cache.shards import FaceRow
from aucli.datasets.cache.writer import CacheWriter
from aucli.datasets.faces import LabelledFaces
from aucli.datasets.samples import SequenceInfo
from aucli.runtime.files import bundled_folder
from aucli.training.batches import Batch, Prefetcher
from aucli.training.losses import AULoss, LossName, Outputs, make_loss
from aucli.training.recipe import load_recipe
from aucli.training.trainer import Trainer

FACES = 1024
PICTURE_PX = 256
LOSS_BATCH = 256
LOSSES: tuple[LossName, ...] = ("aunce", "supcon", "ntxent", "wbce")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    recipe = load_recipe(bundled_folder("train") / "bp4d.toml", arguments.set)
    training = replace(recipe.encoder_training(), start="")
    with tempfile.TemporaryDirectory() as folder:
        write_cache(noise(recipe.encoder.aus), Path(folder) / "cache")
        faces = CachedFaces.open(Path(folder) / "cache")
        trainer = Trainer(training, faces, Path(folder) / "run", device=arguments.device)
        about = f"{recipe.encoder.backbone}, {recipe.crop.size_px} px, batch {recipe.optim.batch_size}"
        print(f"{about}, {len(recipe.encoder.aus)} action units, {torch.get_num_threads()} threads of torch")
        whole, waiting = trained(trainer, arguments.steps)
        bare = bare_steps(trainer, arguments.steps)
        print(f"trainer: {whole:.1f} faces/s, {waiting:.1%} of the time waiting for pictures and views")
        print(f"bare forward and backward of the same network: {bare:.1f} faces/s, ratio {whole / bare:.2f}")
        share_of_loss(trainer)
    memory()


def noise(aus: tuple[int, ...]) -> LabelledFaces:
    """Smooth noise in colour with landmarks where the template has them."""
    rng = np.random.default_rng(0)
    small = torch.from_numpy(rng.random((FACES, 3, 32, 32), np.float32) * 255)
    pictures = torch.nn.functional.interpolate(small, size=PICTURE_PX, mode="bilinear")
    template = np.array([[0.38, 0.46], [0.62, 0.46], [0.5, 0.6], [0.4, 0.72], [0.6, 0.72]], np.float32) * PICTURE_PX
    return LabelledFaces(
        aus=aus,
        pictures=pictures.permute(0, 2, 3, 1).to(torch.uint8).numpy(),
        sizes_wh=np.full((FACES, 2), PICTURE_PX, np.int32),
        landmarks_xy=np.repeat(template[None], FACES, axis=0),
        labels=rng.integers(-1, 2, (FACES, len(aus))).astype(np.int8),
        subjects=np.array([f"F{i % 40:03d}" for i in range(FACES)]),
    )


def write_cache(faces: LabelledFaces, folder: Path) -> None:
    """A cache of these faces, as prepare would leave it."""
    writer = CacheWriter(folder, aus=faces.aus, content={})
    names, codes = np.unique(faces.subjects, return_inverse=True)
    sequences = [SequenceInfo("bp4d", f"bp4d/{name}", str(name), folder, "folder") for name in names]
    with writer.shard("noise", sequences, "") as shard:
        for row, (picture, points, labels) in enumerate(
            zip(faces.pictures, faces.landmarks_xy, faces.labels, strict=True)
        ):
            shard.append(FaceRow.of_picture(picture, points, labels, sequence=int(codes[row]), frame=row))
    writer.finish(["noise"], {})


def trained(trainer: Trainer, steps: int) -> tuple[float, float]:
    """Faces a second and the share of waiting, after two steps to warm up."""
    with Prefetcher(trainer.batches, 0, steps + 2) as batches:
        for done, batch in enumerate(batches):
            if done == 2:
                batches.take_waited_s()
                began = time.perf_counter()
            float(trainer.train_step(batch))
        seconds = time.perf_counter() - began
        return steps * trainer.training.optim.batch_size / seconds, batches.take_waited_s() / seconds


def bare_steps(trainer: Trainer, steps: int) -> float:
    """Faces a second of the network alone, forward and backward."""
    batch = trainer.batches.batch(0)
    crops = batch.views.flatten(0, 1).to(trainer.device, memory_format=torch.channels_last)

    def step() -> None:
        trainer.network.zero_grad(set_to_none=True)
        trainer.network.logits(crops).sum().backward()  # type: ignore[no-untyped-call]

    step()
    return trainer.training.optim.batch_size / median(timed(step) for _ in range(steps))


def share_of_loss(trainer: Trainer) -> None:
    """One whole step of a large batch, and the loss alone on its embeddings."""
    rows = [trainer.batches.batch(k) for k in range(LOSS_BATCH // trainer.training.optim.batch_size)]
    batch = Batch(*(torch.cat([getattr(one, name) for one in rows], dim) for name, dim in PARTS))
    trainer.train_step(batch)
    step_s = median(timed(lambda: float(trainer.train_step(batch))) for _ in range(2))
    with torch.no_grad():
        z = trainer.embed(batch.views.to(trainer.device))
    labels = batch.labels.to(trainer.device)
    print(f"step of {LOSS_BATCH} faces x {z.shape[2]} action units: {step_s:.2f} s; of it the loss")
    for name in LOSSES:
        loss = make_loss(name).to(trainer.device)
        compute(loss, z, labels)
        seconds = median(timed(partial(compute, loss, z, labels)) for _ in range(5))
        print(f"  {name}: {seconds * 1000:.0f} ms, {seconds / step_s:.1%}")


PARTS = (("views", 1), ("labels", 0), ("subjects", 0))


def compute(loss: AULoss, z: Tensor, labels: Tensor) -> None:
    """Forward and backward of a loss."""
    leaf = z.detach().requires_grad_()
    logits = leaf[..., 0] if loss.needs_logits else None
    loss(Outputs(leaf, logits), labels).backward()


def memory() -> None:
    """What AUNCE keeps for its backward pass."""
    print("kept for the backward pass of AUNCE, 64 numbers an embedding:")
    for batch, aus in ((64, 12), (128, 12), (256, 12), (256, 6), (256, 24)):
        torch.manual_seed(0)
        z = torch.nn.functional.normalize(torch.randn(2, batch, aus, 64), dim=-1).requires_grad_()
        labels = torch.randint(0, 2, (batch, aus))
        sizes: dict[int, int] = {}

        def note(tensor: Tensor, sizes: dict[int, int] = sizes) -> Tensor:
            storage = tensor.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            kept = make_loss("aunce")(Outputs(z), labels)  # alive until the sizes are added up
        print(f"  batch {batch} x {aus} action units: {sum(sizes.values()) / 2**20:.1f} MiB")
        del kept


def timed(step: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
