from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from aucli.evaluation.scoring import evaluate
from aucli.models.network import AUNetwork
from aucli.models.predictor import OnnxPredictor, TorchPredictor
from aucli.models.zoo import find_model, write_model
from aucli.training.embeddings import predict
from aucli.training.model_folder import write_model_folder
from aucli.training.recipe import load_recipe
from tests.builders.tiny_training import AUS as LABELLED
from tests.builders.tiny_training import RECIPE_NETWORK, tiny_faces


@pytest.mark.slow
def test_an_au_that_does_not_work_is_left_out_of_the_model(recipe: Path, tmp_path: Path) -> None:
    training = load_recipe(recipe).encoder_training()
    assert training.network == RECIPE_NETWORK
    faces, crop, aus = tiny_faces(), training.crop, RECIPE_NETWORK.aus
    torch.manual_seed(0)
    network = AUNetwork(RECIPE_NETWORK).eval()
    labels = faces.labels[:, [LABELLED.index(au) for au in aus]]
    results = evaluate(labels, predict(network, faces, crop).numpy(), aus=aus, subjects=faces.subjects)
    config = write_model_folder(
        network,
        results,
        tmp_path / "one",
        crop=crop,
        name="tiny",
        licence="Apache-2.0",
        summary="noise",
        card="# tiny",
        leave_out=[aus[0]],
        experimental=[aus[1]],
        seen_subjects={"bp4d": ("0123456789abcdef",)},
    )
    shutil.copytree(tmp_path / "one", tmp_path / "both")  # the same network, of which nothing is left out
    write_model(tmp_path / "both", replace(config, aus=aus, thresholds=(0.5,) * len(aus)), card="# tiny")
    frame = np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8)
    landmarks = np.array([[[30, 30], [60, 30], [45, 45], [33, 60], [57, 60]]], np.float32)
    where = np.zeros(1, np.intp)
    both = OnnxPredictor(find_model(str(tmp_path / "both"))).predict([frame], where, landmarks)
    one = find_model(str(tmp_path / "one"))
    assert one.config.seen_subjects == {"bp4d": ("0123456789abcdef",)}
    assert one.config.aus == one.config.experimental == (aus[1],)
    np.testing.assert_array_equal(OnnxPredictor(one).predict([frame], where, landmarks), both[:, 1:])
    np.testing.assert_allclose(
        TorchPredictor(one, device="cpu").predict([frame], where, landmarks), both[:, 1:], atol=0.05
    )
