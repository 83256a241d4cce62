from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from aucli.errors import OptionsError, RecipeError
from aucli.faces.alignment import CropSpec
from aucli.models.network import EncoderConfig
from aucli.runtime.files import bundled_folder
from aucli.training.recipe import EncoderSection, Recipe, load_recipe

SMALLEST = {
    "name": "x",
    "data": "bp4d",
    "encoder": {"backbone": "mobilenetv4_conv_small", "aus": [1]},
    "stages": [{"size_px": 160, "epochs": 1}],
}


@pytest.mark.parametrize("path", sorted(bundled_folder("train").rglob("*.toml")), ids=lambda path: path.stem)
def test_bundled_recipes_are_valid(path: Path) -> None:
    recipe = load_recipe(path).with_aus((4, 12, 45), known=(12, 1))
    training = recipe.encoder_training()
    assert training.network.aus == recipe.encoder.aus
    assert training.network.input_size_px == training.crop.size_px == training.stages[-1].size_px
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_defaults_are_those_of_the_network_and_the_crop() -> None:
    recipe = Recipe.model_validate(SMALLEST)
    assert recipe.crop == CropSpec()
    assert recipe.encoder_training().network == EncoderConfig("mobilenetv4_conv_small", (1,), input_size_px=160)
    # All of the network can be asked for, but the input's size, which is the crop's, and the heads' inner width.
    names = {field.name for field in fields(EncoderConfig)}
    assert names - set(EncoderSection.model_fields) == {"input_size_px", "head_dim"}
    assert set(EncoderSection.model_fields) - names == {"pretrained"}


def test_action_units_that_are_left_open_are_the_data_sets_and_the_starts() -> None:
    left_open = Recipe.model_validate({**SMALLEST, "encoder": {"backbone": "mobilenetv4_conv_small"}})
    chosen = left_open.with_aus((4, 12, 45), known=(12, 1), experimental=(45,))
    assert (chosen.encoder.aus, chosen.leave_out, chosen.experimental) == ((12, 1, 4, 45), (1,), (45,))
    assert chosen.with_aus((9,)) == chosen
    assert Recipe.model_validate(SMALLEST).with_aus((4,), known=(12,)).encoder.aus == (1,)


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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("encoder.aus=[1, 1]", "encoder.aus is [1, 1]; allowed are one or more action units, each once"),
        ("encoder.aus=[1, 99]", "encoder.aus names AU 99, which is not known; allowed are 1, 2, 4"),
        ("encoder.colour=green", "encoder.colour is 'green': Input should be 'rgb' or 'grey'"),
        (
            "encoder.backbone=resnet81",
            "encoder.backbone is 'resnet81', which is no model of timm; near it are",
        ),
        ("encoder.neighbours=0", "encoder.neighbours is 0; allowed is 1 or more"),
        ("encoder.std=[0.0, 1.0, 1.0]", "encoder.std is (0.0, 1.0, 1.0); it needs three values above 0"),
        ("encoder.drop_path=1.0", "encoder.drop_path is 1.0; allowed is 0 to below 1"),
        ("encoder.input_size_px=64", "encoder.input_size_px is not a word of recipes"),
        ("crop.scale=9", "crop.scale is 9.0; allowed is 0.2 to 1.5"),
        ("crop.scale=inf", "crop.scale is inf: Input should be a finite number"),
        ("crop.sise_px=9", "crop.sise_px is not a word of recipes; did you mean crop.size_px?"),
        ("crop=9", "crop is 9: Input should be a dictionary"),
        ("crop.size_px=33", "the last of stages has size_px 32, but crop.size_px, at which the model is used, is 33"),
        ("stages=[] encoder.pretrained=x crop.size_px=20", "crop.size_px is the network's input: input_size_px is 20"),
        ("stages=[{size_px=16,epochs=1}]", "stages.0.size_px is 16: Input should be greater than or equal to 32"),
        ("stages=[]", "linear evaluation alone needs encoder.pretrained"),
        ("optim.lr=-1", "optim.lr is -1: Input should be greater than 0"),
        ("optim.lr=inf", "optim.lr is inf: Input should be a finite number"),
        ("optim.lrr=3", "optim.lrr is not a word of recipes; did you mean optim.lr?"),
        ("lr=3", "lr is not a word of recipes; did you mean optim.lr?"),
        ("stages=[{size_px=32,epoch=1}]", "stages.0.epoch is not a word of recipes; did you mean stages.epochs?"),
        (
            "optim.views_apart=true optim.accumulate=2",
            "optim.accumulate is 2: batch norm then sees a part",
        ),
        ("augment.blur_kernel_px=4", "augment.blur_kernel_px is 4; a kernel has a middle: allowed are odd numbers"),
        ("augment.blur_sigma_px=[2.0,1.0]", "augment.blur_sigma_px is (2.0, 1.0); the first is the smaller one"),
        (
            "loss.shares=[0.5,0.5,0.5]",
            "loss.shares are (0.5, 0.5, 0.5); allowed are three numbers from 0 that sum to 1",
        ),
        ("decisions.threshold=0.5 decisions.max_false_alarms=0.1", "decisions.threshold is 0.5, so nothing is chosen"),
        ("optim.pictures_per_subject=8", "optim.pictures_per_subject is 8, the whole batch"),
        ("optim.accumulate=3", "optim.batch_size 8 cannot be shared by accumulate = 3 parts"),
        ("augment.halves=0.3 optim.identity_weight=0.1", "augment.halves makes faces of two subjects"),
        ("linear.epochs=0 loss.bce_weight=0", "trains no heads"),
        ("loss.authors_code=true loss.name=supcon", "loss.authors_code is a variant of aunce; the loss is supcon"),
        ("loss.name=nonsense", "loss.name is 'nonsense'"),
        ("seed=18446744073709551616", "seed is 18446744073709551616: Input should be less than 18446744073709551616"),
        ("seed=-5", "seed is -5: Input should be greater than or equal to 0"),
        ("leave_out=[99]", "leave_out is [99]: AU 99 is not known"),
        ("leave_out=[1,12]", "leave_out leaves no AU"),
        ("experimental=[4]", "experimental names AU 4, which is no column of the model"),
        ("experimental=[12] leave_out=[12]", "experimental names AU 12, which is no column of the model"),
        ("decisions.max_false_alarms=5", "decisions.max_false_alarms is 5: Input should be less than or equal to 1"),
        ("decisions.min_positives=0", "decisions.min_positives is 0"),
        ("decisions.expected_f1=true", "decisions.expected_f1 needs calibrate = true"),
        ("nonsense", "write it as section.key=value"),
        ("name.first=x", "name is no section of the recipe"),
    ],
)
def test_values_that_make_no_sense(settings: str, message: str, recipe: Path) -> None:
    overrides = [settings] if "[1, " in settings or ", 1.0" in settings else settings.split()
    with pytest.raises(OptionsError) as caught:
        load_recipe(recipe, overrides)
    assert str(caught.value).startswith("`overrides`: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_recipe_says_what_differs_from_the_one_it_extends(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('extends = "paper/disfa"\nname = "own"\n[optim]\nlr = 2e-5\n')
    (tmp_path / "more.toml").write_text('extends = "own.toml"\n[[stages]]\nsize_px = 224\nepochs = 1\n')
    published = load_recipe(bundled_folder("train") / "paper" / "disfa.toml")
    own, more = load_recipe(tmp_path / "own.toml"), load_recipe(tmp_path / "more.toml")
    assert published.first_difference(own, but=("name",)) == "optim.lr was 1e-05, now 2e-05"
    assert own.first_difference(more, but=("stages",)) is None
    assert [stage.epochs for stage in more.stages] == [1]
    for named, message in (("none", "no such recipe"), ("third", "cannot extend itself"), ("more", "cannot extend")):
        (tmp_path / "third.toml").write_text(f'extends = "{named}"')
        (tmp_path / "own.toml").write_text('extends = "third"')
        with pytest.raises(RecipeError, match=message):
            load_recipe(tmp_path / "third.toml")


def test_the_first_difference_is_named() -> None:
    recipe = Recipe.model_validate(SMALLEST)
    assert recipe.first_difference(recipe) is None
    other = Recipe.model_validate(SMALLEST | {"seed": 1, "optim": {"lr": 5e-5}, "crop": {"scale": 0.7}})
    assert recipe.first_difference(other) == "crop.scale was 0.72, now 0.7"
    assert recipe.first_difference(recipe.model_copy(update={"seed": 1})) == "seed was 3407, now 1"
