"""What can be held of the published protocol without the authors' code: each word of `train/paper`, by what it does."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from aucli.datasets.face_finding import cut_with_border
from aucli.datasets.prepared import pictures_for
from aucli.faces.alignment import CropSpec
from aucli.models.network import AUNetwork
from aucli.runtime.files import bundled_folder
from aucli.training.augment import AugmentConfig, plain_crops, random_views
from aucli.training.decisions import make_decisions
from aucli.training.losses import SHARES, au_weights
from aucli.training.objective import LossOptions, Objective
from aucli.training.optimiser import make_optimizer
from aucli.training.plan import TrainingFold
from aucli.training.recipe import Recipe, load_recipe
from aucli.training.trainer import Trainer
from tests.builders.tiny_training import LANDMARKS_XY, TINY_NETWORK, tiny_faces, tiny_training

RECIPES = sorted((bundled_folder("train") / "paper").glob("*.toml"))
VIEWS = 3000
CENTRE_224 = slice(16, 240)


@pytest.fixture(scope="module")
def paper() -> Recipe:
    return load_recipe(bundled_folder("train") / "paper" / "bp4d.toml")


def test_there_is_one_of_each_benchmark_that_the_paper_names_and_they_differ_in_data_alone(paper: Recipe) -> None:
    assert [path.stem for path in RECIPES] == ["affwild2", "bp4d", "bp4dplus", "disfa", "gft"]
    for path in RECIPES:
        other = load_recipe(path)
        assert other.data == path.stem
        encoder = other.encoder.model_copy(update={"aus": paper.encoder.aus})
        linear = other.linear.model_copy(update={"views_like": "training"})
        as_bp4d = other.model_copy(update={"encoder": encoder, "linear": linear})
        assert paper.first_difference(as_bp4d, but=("name", "data")) is None
        assert other.linear.views_like == ("moved" if path.stem == "disfa" else "training")
        assert other.encoder.aus == load_recipe(bundled_folder("train") / path.name).encoder.aus


# --- views ---------------------------------------------------------------------------------------------------------


def views_of(picture: Tensor, config: AugmentConfig, spec: CropSpec, count: int) -> Tensor:
    """Many random views of one picture (C, H, W) with the faces of `tiny_faces`."""
    pictures = picture.expand(count, -1, -1, -1)
    sizes = torch.tensor([[picture.shape[2], picture.shape[1]]]).expand(count, 2)
    landmarks = torch.from_numpy(LANDMARKS_XY).expand(count, -1, -1)
    rng = torch.Generator().manual_seed(0)
    return random_views(pictures, sizes, landmarks, spec, config, rng)


@pytest.mark.parametrize("most", [1, 3])
def test_views_are_all_the_crops_of_whole_pixels_out_of_the_larger_crop_and_no_others(most: int, paper: Recipe) -> None:
    config = paper.augment.moved_alone().model_copy(update={"crop_shift_px": most, "flip": 0.0})
    small = CropSpec(16, 1.2, 0.0)
    large = CropSpec(16 + 2 * most, 1.2 * 16 / (16 + 2 * most), 0.0)
    picture = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(1)) * 255
    whole = plain_crops(picture[None], torch.from_numpy(LANDMARKS_XY)[None], large)[0]
    shifts = range(2 * most + 1)
    expected = torch.stack([whole[:, y : y + 16, x : x + 16] for y in shifts for x in shifts])
    views = views_of(picture, config, small, 40 * len(expected))
    distance = (views[:, None] - expected[None]).abs().amax(dim=(2, 3, 4))
    assert float(distance.amin(dim=1).max()) < 1e-2
    counts = torch.bincount(distance.argmin(dim=1), minlength=len(expected))
    assert int(counts.min()) >= 15  # 40 each are expected
    assert int(counts.max()) <= 75


def test_the_strength_of_light_and_colour_over_many_views(paper: Recipe) -> None:
    """Of a grey picture only brightness can change: a uniform factor from 0.6 to 1.4, on 80 % of the views."""
    grey = paper.augment.model_copy(update={"contrast": 0.0, "saturation": 0.0, "hue": 0.0, "crop_shift_px": 0})
    factors = views_of(torch.full((3, 64, 64), 100.0), grey, CropSpec(16, 1.2), VIEWS)[:, 0, 8, 8] / 100
    changed = factors[(factors - 1).abs() > 1e-3]
    assert abs(len(changed) / VIEWS - 0.8) < 0.03
    assert float(changed.min()) >= 0.6
    assert float(changed.max()) <= 1.4
    # A uniform spread has its quarters where they belong.
    quarters = torch.quantile(changed, torch.tensor([0.25, 0.5, 0.75]))
    torch.testing.assert_close(quarters, torch.tensor([0.8, 1.0, 1.2]), atol=0.03, rtol=0)


def test_a_fifth_of_the_views_is_grey_and_half_are_flipped(paper: Recipe) -> None:
    picture = torch.zeros(3, 64, 64)
    picture[0, :, :32] = 200.0  # red on the left
    config = paper.augment.model_copy(update={"colour_probability": 0.0, "crop_shift_px": 0})
    views = views_of(picture, config, CropSpec(16, 1.2), VIEWS)
    assert abs(float((views[:, 0] == views[:, 1]).all(dim=(1, 2)).float().mean()) - 0.2) < 0.03
    assert abs(float((views[:, 0, 8, 14] > views[:, 0, 8, 1]).float().mean()) - 0.5) < 0.04


def test_every_view_is_blurred_by_a_width_of_its_own(paper: Recipe) -> None:
    """A single bright line shows the kernel: its middle weight says how wide it was."""
    config = paper.augment.model_copy(update={"colour_probability": 0.0, "grey": 0.0, "crop_shift_px": 0, "flip": 0.0})
    spec, count = CropSpec(24), 1000
    landmarks = torch.from_numpy(spec.template_xy()).float().expand(count, -1, -1)  # crop and picture: the same pixels
    picture = torch.zeros(3, 24, 24)
    picture[:, :, 12] = 200.0
    sizes, rng = torch.full((count, 2), 24), torch.Generator().manual_seed(0)
    views = random_views(picture.expand(count, -1, -1, -1), sizes, landmarks, spec, config, rng)
    middle, beside = views[:, 0, 12, 12] / 200, views[:, 0, 12, 13] / 200
    torch.testing.assert_close(middle + 2 * beside, torch.ones(count), atol=1e-3, rtol=0)  # three pixels wide
    wide = beside > 1e-4  # from a sigma of 0.233 on; the spread is uniform from 0.1 to 2
    sigmas = (1 / (2 * (middle[wide] / beside[wide]).log())).sqrt()
    assert float(sigmas.max()) < 2.01
    assert abs(float(wide.float().mean()) - (2.0 - 0.233) / 1.9) < 0.03
    assert len(torch.unique((sigmas * 1e4).round())) > 0.9 * len(sigmas)
    assert abs(float(sigmas.median()) - 1.117) < 0.08


# --- crops ---------------------------------------------------------------------------------------------------------


@given(size=st.integers(32, 256), scale=st.floats(0.5, 1.2))
def test_pictures_are_prepared_so_large_that_no_crop_enlarges_a_face(size: int, scale: float) -> None:
    made = pictures_for(CropSpec(size, scale))
    face = made["side_px"] * CropSpec.scale / made["border"]
    assert face >= size * scale * (1 - 1e-3)
    assert made["border"] >= 1.4
    assert made["side_px"] >= 256


def test_the_published_crop_is_256_px_of_the_film_pixel_on_pixel(paper: Recipe) -> None:
    """From a large face to the network's input: one interpolation, none in the cache; a small face is kept as it is."""
    assert paper.largest_crop() == paper.crop
    made = pictures_for(paper.crop)
    assert made == {"side_px": 360, "border": 360 / 256}
    usual = CropSpec()
    cached = CropSpec(made["side_px"], usual.scale / made["border"], usual.shift_y / made["border"])
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (720, 640, 3), dtype=np.uint8)
    landmarks = (CropSpec(500, 0.72).template_xy() + 60).astype(np.float32)
    picture, moved = cut_with_border(frame, landmarks, cached)
    assert picture.shape == (360, 360, 3)
    tensor = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    crop = plain_crops(tensor, torch.from_numpy(moved)[None], paper.crop)
    torch.testing.assert_close(crop[0], tensor[0, :, 68:292, 68:292], atol=0.1, rtol=0)
    whole = plain_crops(tensor, torch.from_numpy(moved)[None], CropSpec(256, usual.scale, usual.shift_y))
    torch.testing.assert_close(crop, whole[:, :, CENTRE_224, CENTRE_224], atol=0.1, rtol=0)
    small = frame[:112, :112]
    assert cut_with_border(small, landmarks, cached)[0] is small


# --- training ------------------------------------------------------------------------------------------------------


def test_batch_norm_sees_each_view_by_itself_as_in_two_passes(tmp_path: Path) -> None:
    views = torch.rand(2, 8, 3, 48, 48, generator=torch.Generator().manual_seed(0)) * 90
    views[0] += 120
    apart = Trainer(tiny_training(views_apart=True), tiny_faces(), tmp_path / "apart")
    together = Trainer(tiny_training(), tiny_faces(), tmp_path / "together")
    plain = AUNetwork(TINY_NETWORK)
    plain.load_state_dict(apart.network.state_dict())
    for network in (apart.network, together.network, plain):
        network.train()
    found = apart.embed(views).detach()
    torch.testing.assert_close(found, torch.stack([plain.encoder(view) for view in views]), rtol=1e-4, atol=1e-5)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(apart.network.state_dict()[name], value, rtol=1e-4, atol=1e-5)
    assert float((found - together.embed(views).detach()).abs().max()) > 1e-2


@pytest.mark.parametrize("steps_per_epoch", [1, 7])
def test_the_rate_at_every_epoch(steps_per_epoch: int, paper: Recipe) -> None:
    optim, epochs = paper.optim, paper.stages[0].epochs
    rates = [
        optim.lr * optim.rate(s, epochs * steps_per_epoch, steps_per_epoch) for s in range(epochs * steps_per_epoch)
    ]
    assert rates == pytest.approx([1e-5] * 59 * steps_per_epoch + [1e-6] * steps_per_epoch)


def test_the_optimiser_decays_all_weights_and_has_the_published_betas(paper: Recipe) -> None:
    optimizer = make_optimizer(AUNetwork(TINY_NETWORK), [], paper.optim)
    for group in optimizer.param_groups:
        assert (group["lr"], group["betas"], group["weight_decay"], group["factor"]) == (1e-5, (0.9, 0.999), 1e-6, 1.0)


def test_gradients_are_as_long_as_they_are_unless_clipped(tmp_path: Path) -> None:
    lengths = {}
    for norm in (0.0, 1e9, 1e-3):
        trainer = Trainer(tiny_training(clip_norm=norm), tiny_faces(), tmp_path / str(norm))
        trainer.train_step(trainer.batches.batch(0))
        gradients = [p.grad for p in trainer.network.parameters() if p.grad is not None]
        lengths[norm] = math.sqrt(sum(float(g.square().sum()) for g in gradients))
    assert lengths[0.0] == pytest.approx(lengths[1e9])
    assert lengths[1e-3] == pytest.approx(1e-3, rel=1e-2)
    assert lengths[0.0] > 1e-2


def test_weights_of_classes_are_those_of_the_authors_list() -> None:
    """Of BP4D's fold 1, which trains on parts 1 and 2; rates in %, and their list to three digits."""
    part_1 = [16.4, 16.1, 19.9, 41.5, 59.0, 57.7, 55.9, 40.0, 15.1, 31.8, 15.9, 14.0]
    part_2 = [20.3, 13.1, 19.6, 46.4, 55.1, 55.7, 52.2, 51.3, 20.0, 36.6, 17.3, 15.7]
    listed = [1.343, 1.690, 1.248, 0.561, 0.433, 0.436, 0.457, 0.541, 1.408, 0.723, 1.493, 1.667]
    ranks = torch.arange(1000).view(-1, 1)
    labels = torch.cat([(ranks < 10 * torch.tensor(part)).to(torch.int8) for part in (part_1, part_2)])
    torch.testing.assert_close(au_weights(labels), torch.tensor(listed), atol=0.01, rtol=0)


def test_shares_of_pairs_and_exponents_reach_the_loss(paper: Recipe) -> None:
    """Per AU one draw a batch: the share of draws that took each kind, told by the loss that each alone would give."""
    torch.manual_seed(0)
    n_aus = 600
    z = torch.nn.functional.normalize(torch.randn(2, 6, 1, 4), dim=-1).expand(-1, -1, n_aus, -1)
    labels = torch.tensor([1, 0, 1, 0, 0, 0]).view(6, 1).expand(-1, n_aus)

    def objective(options: LossOptions) -> Tensor:
        loss: Tensor = Objective(options, labels)(z, labels, torch.zeros(6), heads=lambda x: x)
        return loss

    kinds = [
        float(objective(paper.loss.model_copy(update={"shares": shares})))
        for shares in ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    ]
    assert len({round(kind, 4) for kind in kinds}) == 3
    expected = float(np.dot(kinds, SHARES))
    spread = math.sqrt(float(np.dot(SHARES, np.square(np.array(kinds) - expected)))) / math.sqrt(n_aus)
    assert abs(float(objective(paper.loss)) - expected) < 4 * spread
    harder = paper.loss.model_copy(update={"beta_present": 2.0, "shares": (0, 1, 0)})
    assert float(objective(harder)) > kinds[1]
    assert float(objective(harder.model_copy(update={"beta_present": 1.2, "beta_absent": 2.0}))) > kinds[1]


def test_what_shows_half_is_present_whatever_the_training_subjects_show(paper: Recipe) -> None:
    faces, nothing = tiny_faces(12), np.zeros(0)
    fold = TrainingFold(1, faces, faces, faces, nothing, nothing, nothing, nothing, nothing, nothing)
    found = make_decisions(AUNetwork(TINY_NETWORK).eval(), fold, paper)
    assert found.thresholds.tolist() == [0.5, 0.5]
    assert found.calibration is None
