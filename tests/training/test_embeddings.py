from __future__ import annotations

import torch

from aucli.faces.alignment import CropSpec
from aucli.models.network import AUNetwork
from aucli.training.augment import AugmentConfig
from aucli.training.embeddings import embed, predict
from tests.builders.tiny_training import TINY_NETWORK, tiny_faces


def test_embeddings_do_not_depend_on_how_many_are_made_at_once() -> None:
    torch.manual_seed(0)
    network, crop, faces = AUNetwork(TINY_NETWORK), CropSpec(size_px=48), tiny_faces(9)
    assert embed(network, tiny_faces(0), crop).shape == (0, 2, 8)
    whole = embed(network, faces, crop)
    assert whole.shape == (9, 2, 8)
    torch.testing.assert_close(embed(network, faces, crop, batch=4), whole)
    torch.testing.assert_close(predict(network, faces, crop), network.head_logits(whole).sigmoid())
    assert predict(network, tiny_faces(0), crop).shape == (0, 2)
    views = embed(network, faces, crop, augment=AugmentConfig())
    assert not torch.allclose(views, whole)
