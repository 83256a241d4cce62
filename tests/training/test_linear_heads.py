from __future__ import annotations

import copy
from typing import Literal

import pytest
import torch
from torch import Tensor

from aucli.evaluation.scoring import evaluate
from aucli.faces.alignment import CropSpec
from aucli.models.network import AUNetwork
from aucli.training.augment import AugmentConfig
from aucli.training.embeddings import predict
from aucli.training.linear_heads import LinearOptions, fit_linear_heads
from tests.builders.tiny_training import AUS, TINY_NETWORK, tiny_faces


@pytest.mark.parametrize(("fresh", "optimiser"), [(False, "adamw"), (True, "adam")])
def test_the_heads_learn_and_the_encoder_stays_as_it_is(fresh: bool, optimiser: Literal["adamw", "adam"]) -> None:
    torch.manual_seed(0)
    network, faces, crop = AUNetwork(TINY_NETWORK), tiny_faces(), CropSpec(size_px=48)
    before = copy.deepcopy(network.state_dict())
    fitted = []
    for epochs in (2, 2, 30):
        options = LinearOptions(epochs=epochs, batch_size=16, lr=0.03, fresh_views=fresh, optimiser=optimiser)
        fit_linear_heads(network, faces, options, crop=crop, augment=AugmentConfig(), seed=1)
        fitted.append({k: v.clone() for k, v in network.state_dict().items() if k.startswith("full_connect.")})
    assert all(torch.equal(value, fitted[1][name]) for name, value in fitted[0].items())  # same seed, same bits
    after = network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items() if name.startswith("encoder."))
    assert not any(torch.equal(value, before[name]) for name, value in fitted[0].items())
    scores = evaluate(faces.labels, predict(network, faces, crop).double().numpy(), aus=AUS, replicates=0)
    auc = scores.mean["roc_auc"].value
    assert auc is not None
    assert auc > 0.65  # an encoder at random already tells bright from dark


def test_fresh_views_show_every_face_once_an_epoch_and_another_view_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    network, faces = AUNetwork(TINY_NETWORK), tiny_faces(24)
    seen: list[Tensor] = []
    encode = network.encoder.forward

    def watched(crops: Tensor) -> Tensor:
        assert not network.training
        seen.extend(crops)
        return encode(crops)

    monkeypatch.setattr(network.encoder, "forward", watched)
    said: list[str] = []
    for like, differ in (("training", 72), ("moved", 72)):
        seen.clear()
        options = LinearOptions(epochs=3, batch_size=8, fresh_views=True, views_like=like, schedule="constant")
        augment = AugmentConfig(noise=1.0)
        fit_linear_heads(
            network, faces, options, crop=CropSpec(size_px=48), augment=augment, seed=1, report=said.append
        )
        assert len(seen) == 72
        assert len({one.numpy().tobytes() for one in seen}) == differ
    assert said == [f"linear evaluation: epoch {n} of 3" for n in (1, 2, 3)] * 2
