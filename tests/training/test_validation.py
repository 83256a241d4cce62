from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from aucli.faces.alignment import CropSpec
from aucli.models.network import AUNetwork
from aucli.training.validation import validate, vote
from tests.builders.tiny_training import TINY_NETWORK, tiny_faces


def test_votes_of_similar_pictures() -> None:
    known = torch.eye(4).view(4, 1, 4).repeat(1, 2, 1)
    labels = torch.tensor([[1, -1], [1, -1], [0, -1], [-1, -1]])
    asked = torch.tensor([[1.0, 0.9, 0.0, 0.0], [0.0, 0.0, 1.0, 0.9]]).view(2, 1, 4).repeat(1, 2, 1)
    assert vote(known, labels, asked, 2)[:, 1].tolist() == [0.5, 0.5]  # nobody knows
    assert vote(known, labels, asked, 1)[:, 0].tolist() == [1.0, 0.0]
    assert vote(known[:0], labels[:0], asked).tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_pictures_that_are_known_are_recognised_and_nothing_is_not_scored() -> None:
    torch.manual_seed(0)
    # Random weights of a network with some width tell pictures apart; those of the narrowest do not.
    network = AUNetwork(replace(TINY_NETWORK, backbone="mobilenetv4_conv_small"))
    crop, faces = CropSpec(size_px=48), tiny_faces()
    assert all(map(math.isnan, validate(network, faces, tiny_faces(0), crop, by_heads=False)))
    one_class = faces[np.flatnonzero((faces.labels == 1).all(axis=1))]
    auc, f1 = validate(network, faces, one_class, crop, by_heads=True)
    assert math.isnan(auc)  # no rank without both classes
    assert 0 <= f1 <= 1
    auc, f1 = validate(network, faces, faces, crop, by_heads=False)
    assert auc == pytest.approx(1.0, abs=0.3)
    assert 0 <= f1 <= 1
