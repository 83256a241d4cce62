from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.datasets.faces import LabelledFaces, fold_of_identity
from aucli.errors import DatasetError, RecipeError
from aucli.evaluation.scoring import evaluate
from aucli.faces.alignment import CropSpec, crop_faces
from aucli.models.network import AUNetwork, EncoderConfig
from aucli.models.zoo import find_model
from aucli.runtime.files import bundled_folder
from aucli.training.augment import AugmentConfig, plain_crops, random_views
from aucli.training.linear_heads import au_weights, predict
from aucli.training.model_folder import write_bundle
from aucli.training.recipe import Recipe, load_recipe
from aucli.training.start_imagenet import load_imagenet
from aucli.training.trainer import Trainer

AUS = (1, 12)


def _faces(count: int = 60, people: int = 20) -> LabelledFaces:
    """Grey noise whose brightness is AU12 and whose texture is AU1."""
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 2, (count, 2)).astype(np.int8)
    fine = rng.normal(0, 1, (count, 64, 64))
    level = 128 + 60 * labels[:, 1, None, None].astype(float) + fine * (10 + 25 * (labels[:, 0, None, None] == 1))
    landmarks = np.array([[24, 26], [40, 26], [32, 34], [26, 44], [38, 44]], np.float32)
    return LabelledFaces(
        aus=AUS,
        pictures=level.clip(0, 255).astype(np.uint8)[..., None],
        sizes_wh=np.full((count, 2), 64, np.int32),
        landmarks_xy=np.repeat(landmarks[None], count, axis=0),
        labels=labels,
        identities=np.array([f"person{i % people}" for i in range(count)]),
    )


def _recipe(**changes: object) -> Recipe:
    options: dict[str, object] = {
        "name": "tiny",
        "data": "photographs",
        "encoder": {
            "backbone": "mobilenetv4_conv_small",
            "aus": AUS,
            "colour": "grey",
            "global_dim": 16,
            "embedding_dim": 8,
        },
        "crop": {"size_px": 48},
        "loss": {"bce_weight": 1.0},
        "stages": [{"size_px": 32, "epochs": 1}, {"size_px": 48, "epochs": 1}],
        "optim": {"batch_size": 8},
        "linear": {"epochs": 2, "batch_size": 16},
    }
    return Recipe(**(options | changes))


# --- data -----------------------------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(st.lists(st.text(max_size=8), max_size=60), st.integers(0, 99))
def test_no_person_is_in_two_folds(names: list[str], seed: int) -> None:
    count = len(names)
    faces = LabelledFaces(
        AUS,
        np.zeros((count, 2, 2, 1), np.uint8),
        np.zeros((count, 2), np.int32),
        np.zeros((count, 5, 2), np.float32),
        np.zeros((count, 2), np.int8),
        np.array(names, dtype=str) if names else np.zeros(0, "U1"),
    )
    parts = [faces.fold(f, seed=seed, test=0.3, validation=0.3) for f in ("train", "validation", "test")]
    people = [set(part.identities.tolist()) for part in parts]
    assert sum(map(len, parts)) == count
    assert not (people[0] & people[1]) | (people[0] & people[2]) | (people[1] & people[2])


def test_shares_of_the_folds() -> None:
    drawn = [fold_of_identity(str(i), seed=1, test=0.2, validation=0.1) for i in range(4000)]
    assert abs(drawn.count("test") / 4000 - 0.2) < 0.02
    assert abs(drawn.count("validation") / 4000 - 0.08) < 0.02


def test_faces_come_back_from_disk(tmp_path: Path) -> None:
    faces = _faces(5)
    faces.save(tmp_path / "faces.npz")
    again = LabelledFaces.load(tmp_path / "faces.npz")
    assert again.aus == faces.aus
    np.testing.assert_array_equal(again.pictures, faces.pictures)
    np.testing.assert_array_equal(again.identities, faces.identities)
    assert [p.name for p in tmp_path.iterdir()] == ["faces.npz"]
    (tmp_path / "broken.npz").write_bytes(b"no")
    with pytest.raises(DatasetError, match="not a cache of labelled faces"):
        LabelledFaces.load(tmp_path / "broken.npz")


def test_labels_that_make_no_sense_are_refused() -> None:
    faces = _faces(3)
    with pytest.raises(DatasetError, match="allowed are 1, 0 and -1"):
        LabelledFaces(**{**faces.__dict__, "labels": faces.labels + 2})
    with pytest.raises(DatasetError, match="have shapes"):
        LabelledFaces(**{**faces.__dict__, "labels": faces.labels[:2]})


# --- crops ----------------------------------------------------------------------------------------------------------


def test_plain_crops_are_those_of_annotate() -> None:
    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, (12, 12)).astype(np.float32)
    picture = torch.nn.functional.interpolate(torch.from_numpy(small)[None, None], size=(96, 96), mode="bicubic")
    frame = picture.clamp(0, 255).round()[0, 0].numpy().astype(np.uint8)
    landmarks = np.array([[[36, 40], [61, 37], [50, 52], [41, 66], [62, 64]]], np.float32)
    spec = CropSpec(size_px=96, scale=0.6)
    expected = crop_faces(np.repeat(frame[..., None], 3, axis=2), landmarks, spec)[0, :, :, 0].astype(np.float32)
    found = plain_crops(torch.from_numpy(frame)[None, None].float(), torch.from_numpy(landmarks), spec)[0, 0].numpy()
    assert np.abs(found - expected)[8:-8, 8:-8].mean() < 1.0


def test_views_without_strength_are_plain_crops() -> None:
    faces = _faces(4)
    nothing = AugmentConfig(**dict.fromkeys(AugmentConfig.model_fields, 0.0))
    pictures = torch.from_numpy(faces.pictures).permute(0, 3, 1, 2).float()
    landmarks, sizes = torch.from_numpy(faces.landmarks_xy), torch.from_numpy(faces.sizes_wh)
    spec = CropSpec(size_px=32, scale=1.2)  # so tight that nothing lies outside
    views = random_views(pictures, sizes, landmarks, spec, nothing)
    torch.testing.assert_close(views[:, :1], plain_crops(pictures, landmarks, spec), rtol=0, atol=0.1)


@pytest.mark.parametrize("channels", [1, 3])
def test_views_differ_and_stay_in_range(channels: int) -> None:
    pictures = torch.rand(6, channels, 64, 64) * 255
    landmarks = torch.from_numpy(_faces(6).landmarks_xy)
    sizes = torch.full((6, 2), 64)
    torch.manual_seed(0)
    first, second = (random_views(pictures, sizes, landmarks, CropSpec(48), AugmentConfig()) for _ in range(2))
    assert first.shape == (6, 3, 48, 48)
    assert float(first.min()) >= 0
    assert float(first.max()) <= 255
    assert not torch.equal(first, second)


# --- recipe ---------------------------------------------------------------------------------------------------------


def test_bundled_recipes_are_valid() -> None:
    found = sorted(bundled_folder("train").glob("photographs.toml"))
    assert found
    for path in found:
        assert load_recipe(path).encoder_config().aus


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "not a readable recipe"),
        ('name = "x"', "data is missing"),
        ('name = "x"\ndata = "photographs"\nsead = 1', "sead is not a word of recipes"),
    ],
)
def test_bad_recipes_name_the_value(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(RecipeError, match=message):
        load_recipe(tmp_path / "r.toml")


def test_the_imagenet_start_is_the_packages_network_and_its_grey_form_sees_the_same() -> None:
    config = EncoderConfig(
        "efficientnet_lite0", AUS, 64, mean=(0.5,) * 3, std=(0.5,) * 3, global_dim=8, embedding_dim=8
    )
    colour, grey = AUNetwork(config).eval(), AUNetwork(replace(config, colour="grey")).eval()
    fresh = colour.encoder.backbone.network.conv_stem.weight.clone()
    for network in (colour, grey):
        load_imagenet(network, "package")
    assert not torch.equal(colour.encoder.backbone.network.conv_stem.weight, fresh)
    picture = torch.rand(2, 1, 64, 64).expand(-1, 3, -1, -1) * 255
    seen = [network.encoder.backbone(network.encoder.normalise(picture)) for network in (colour, grey)]
    torch.testing.assert_close(*seen, rtol=1e-3, atol=1e-3)
    with pytest.raises(RecipeError, match="no package carries mobilenetv4_conv_small; allowed are efficientnet_lite0"):
        load_imagenet(AUNetwork(_recipe().encoder_config()), "package")


# --- training -------------------------------------------------------------------------------------------------------


def test_au_weights_are_inverse_to_occurrence() -> None:
    labels = torch.tensor([[1, 1], [0, 1], [0, 0], [0, -1], [-1, -1]])
    torch.testing.assert_close(au_weights(labels), torch.tensor([4.0, 1.5]) * 2 / 5.5)


def test_a_killed_run_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    recipe, faces = _recipe(), _faces(32)
    straight = Trainer(recipe, faces, tmp_path / "straight", progress=lambda _: None).run()
    first = Trainer(recipe, faces, tmp_path / "killed", progress=lambda _: None, checkpoint_every=3)
    first.run(until_step=5)  # two steps beyond the checkpoint are lost
    second = Trainer(recipe, faces, tmp_path / "killed", progress=lambda _: None)
    assert second.step == 3
    resumed = second.run().state_dict()
    assert all(torch.equal(value, resumed[name]) for name, value in straight.state_dict().items())


def test_an_au_that_does_not_work_is_left_out_of_the_model(tmp_path: Path) -> None:
    from aucli.models.predictor import OnnxPredictor, TorchPredictor

    recipe, faces = _recipe(), _faces()
    torch.manual_seed(0)
    network = AUNetwork(recipe.encoder_config()).eval()
    results = evaluate(faces.labels, predict(network, faces, recipe).numpy(), aus=AUS, subjects=faces.identities)
    for name, leave_out in (("both", []), ("one", [AUS[0]])):
        write_bundle(
            network,
            results,
            recipe,
            tmp_path / name,
            name="tiny",
            licence="Apache-2.0",
            summary="noise",
            card="# tiny",
            leave_out=leave_out,
        )
    frame = np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8)
    landmarks = np.array([[[30, 30], [60, 30], [45, 45], [33, 60], [57, 60]]], np.float32)
    where = np.zeros(1, np.intp)
    both = OnnxPredictor(find_model(str(tmp_path / "both"))).predict([frame], where, landmarks)
    one = find_model(str(tmp_path / "one"))
    assert one.config.aus == (AUS[1],)
    np.testing.assert_array_equal(OnnxPredictor(one).predict([frame], where, landmarks), both[:, 1:])
    np.testing.assert_allclose(
        TorchPredictor(one, device="cpu").predict([frame], where, landmarks), both[:, 1:], atol=0.05
    )


def test_colour_turns_and_grey_stays_grey() -> None:
    config = AugmentConfig(
        flip=0, brightness=0, contrast=0, log_gamma=0, blur=0, low_resolution=0, noise=0, erase=0, grey=0,
        landmark_jitter=0, shift=0, log_scale=0, rotation_degrees=0, saturation=0.4, hue=0.1,
    )  # fmt: skip
    faces = _faces(4)
    pictures = torch.from_numpy(faces.pictures).permute(0, 3, 1, 2).float().expand(-1, 3, -1, -1)
    sizes, landmarks = torch.from_numpy(faces.sizes_wh), torch.from_numpy(faces.landmarks_xy)
    spec = CropSpec(size_px=32, scale=1.4)  # well inside the pictures: what lies outside is filled at random
    rng = torch.Generator().manual_seed(0)
    grey = random_views(pictures, sizes, landmarks, spec, config, rng)
    torch.testing.assert_close(grey, random_views(pictures, sizes, landmarks, spec, config), atol=0.02, rtol=0)
    red = pictures * torch.tensor([1.0, 0.5, 0.5]).view(1, 3, 1, 1)
    turned = random_views(red, sizes, landmarks, spec, config, rng)
    plain = random_views(red, sizes, landmarks, spec, config.model_copy(update={"saturation": 0, "hue": 0}), rng)
    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    inside = (turned > 0).all(dim=1, keepdim=True) & (turned < 255).all(dim=1, keepdim=True)
    difference = ((turned - plain) * luma).sum(dim=1, keepdim=True)[inside]
    assert float(difference.abs().max()) < 0.1  # the same light
    assert float((turned - plain).abs().mean()) > 2  # another colour
    none = config.model_copy(update={"colour_probability": 0.0})
    torch.testing.assert_close(random_views(red, sizes, landmarks, spec, none, rng), plain)
