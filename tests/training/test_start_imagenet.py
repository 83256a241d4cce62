from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from aucli.errors import RecipeError
from aucli.models.network import AUNetwork, EncoderConfig
from aucli.training.start_imagenet import load_imagenet
from tests.builders.tiny_training import AUS, TINY_NETWORK


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
    with pytest.raises(RecipeError, match="no package carries test_efficientnet; allowed are efficientnet_lite0"):
        load_imagenet(AUNetwork(TINY_NETWORK), "package")
