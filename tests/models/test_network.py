from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from aucli.errors import ModelError
from aucli.models.network import (
    AUEncoder,
    AUGraph,
    AUHead,
    AUNetwork,
    EncoderConfig,
    LinearHeads,
    PerAULinear,
    require_input_size,
)


class SlowHead(nn.Module):
    """The head as the published checkpoints name it: a list of blocks, a loop over AUs, nodes and neighbours."""

    def __init__(self, num_aus: int, in_features: int, features: int, neighbours: int) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.fcs = nn.ModuleList([nn.Linear(in_features, features) for _ in range(num_aus)])
        self.bns = nn.ModuleList([nn.BatchNorm1d(features) for _ in range(num_aus)])
        self.U, self.V = nn.Linear(features, features), nn.Linear(features, features)
        self.bnv = nn.BatchNorm1d(num_aus)

    def forward(self, tokens: Tensor) -> Tensor:
        nodes = torch.stack(
            [
                bn(fc(tokens).permute(0, 2, 1)).permute(0, 2, 1).relu().mean(dim=1)
                for fc, bn in zip(self.fcs, self.bns, strict=True)
            ],
            dim=1,
        )
        batch, num_aus, _ = nodes.shape
        heard = torch.zeros_like(nodes)
        for b in range(batch):
            near = []
            for i in range(num_aus):
                similar = [float(nodes[b, i].detach() @ nodes[b, j].detach()) for j in range(num_aus)]
                weakest = sorted(similar)[-min(self.neighbours, num_aus)]
                near.append([j for j in range(num_aus) if similar[j] >= weakest])
            for i in range(num_aus):
                total = self.U(nodes[b, i])
                for j in near[i]:
                    total = total + self.V(nodes[b, j]) / math.sqrt(len(near[i]) * len(near[j]))
                heard[b, i] = total
        out = (nodes + self.bnv(heard)).relu()
        unit: Tensor = out / out.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        return unit

    def load_from(self, head: AUHead) -> None:
        blocks, graph = head.class_linears, head.gnn
        num_aus, features = blocks.fc.bias.shape
        with torch.no_grad():
            for i in range(num_aus):
                fc, bn = self.fcs[i], self.bns[i]
                assert isinstance(fc, nn.Linear)
                assert isinstance(bn, nn.BatchNorm1d)
                fc.weight.copy_(blocks.fc.weight[i])
                fc.bias.copy_(blocks.fc.bias[i])
                for name in ("weight", "bias", "running_mean", "running_var"):
                    getattr(bn, name).copy_(getattr(blocks.bn, name).view(num_aus, features)[i])
        self.U.load_state_dict(graph.U.state_dict())
        self.V.load_state_dict(graph.V.state_dict())
        self.bnv.load_state_dict(graph.bnv.state_dict())


@settings(max_examples=15, deadline=None)
@given(
    num_aus=st.integers(1, 6),
    neighbours=st.integers(1, 5),
    num_tokens=st.integers(1, 5),
    batch=st.integers(2, 4),
    training=st.booleans(),
    seed=st.integers(0, 999),
)
def test_head_agrees_with_loops(
    num_aus: int, neighbours: int, num_tokens: int, batch: int, training: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    head = AUHead(num_aus, 7, 5, neighbours).double()
    for module in head.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    slow = SlowHead(num_aus, 7, 5, neighbours).double()
    slow.load_from(head)
    head.train(training)
    slow.train(training)
    tokens = torch.randn(batch, num_tokens, 7, dtype=torch.float64)
    torch.testing.assert_close(head(tokens), slow(tokens), rtol=1e-9, atol=1e-9)


def test_per_au_linear_agrees_with_loops() -> None:
    linear = PerAULinear(3, 4, 2)
    x = torch.randn(5, 3, 4)
    expected = torch.stack([nn.functional.linear(x[:, a], linear.weight[a], linear.bias[a]) for a in range(3)], dim=1)
    torch.testing.assert_close(linear(x), expected)
    same = torch.randn(5, 4)
    torch.testing.assert_close(linear.shared(same), linear(same[:, None].expand(5, 3, 4)))


def test_ties_in_similarity_all_stay() -> None:
    graph = AUGraph(3, 2, 1)
    adjacency = graph.adjacency(torch.ones(1, 3, 2))
    torch.testing.assert_close(adjacency, torch.full((1, 3, 3), 1 / 3))


def test_index_zero_is_present() -> None:
    network = AUNetwork(_config("mobilenetv4_conv_small", size=64)).eval()
    assert isinstance(network.full_connect, LinearHeads)
    with torch.no_grad():
        network.full_connect.second.bias[:, 0] += 100.0
        probabilities = network(torch.rand(2, 3, 64, 64) * 255)
    assert probabilities.shape == (2, 3)
    assert bool((probabilities > 0.99).all())


def _config(backbone: str, *, size: int, colour: str = "rgb") -> EncoderConfig:
    return EncoderConfig(
        backbone=backbone,
        aus=(1, 4, 12),
        input_size_px=size,
        colour=colour,  # type: ignore[arg-type]
        global_dim=24,
        embedding_dim=16,
    )


@pytest.mark.parametrize(
    ("backbone", "size", "colour"),
    [
        ("mobilenetv4_conv_small", 64, "rgb"),
        ("mobilenetv4_conv_small", 96, "grey"),
        ("resnet10t", 64, "rgb"),
        ("resnet10t", 64, "grey"),
        ("convnext_atto", 64, "rgb"),
        ("convnext_atto", 64, "grey"),
        ("swin_tiny_patch4_window7_224", 64, "grey"),
        ("swin_tiny_patch4_window7_224", 160, "rgb"),
        ("vit_tiny_patch16_224", 64, "rgb"),
        ("vit_tiny_patch16_224", 64, "grey"),
    ],
)
def test_backbones_give_unit_vectors_for_any_batch(backbone: str, size: int, colour: str) -> None:
    torch.manual_seed(0)
    encoder = AUEncoder(_config(backbone, size=size, colour=colour)).eval()
    crops = torch.rand(3, 3, size, size) * 255
    with torch.no_grad():
        z = encoder(crops)
        assert z.shape == (3, 3, 16)
        torch.testing.assert_close(z.norm(dim=-1), torch.ones(3, 3))
        torch.testing.assert_close(encoder(crops[1:2]), z[1:2], rtol=1e-3, atol=1e-4)


def test_empty_batch() -> None:
    network = AUNetwork(_config("mobilenetv4_conv_small", size=64)).eval()
    assert network(torch.empty(0, 3, 64, 64)).shape == (0, 3)


def test_grey_network_ignores_hue_and_normalises() -> None:
    encoder = AUEncoder(_config("mobilenetv4_conv_small", size=64, colour="grey")).eval()
    red = torch.zeros(1, 3, 64, 64)
    red[:, 0] = 200.0
    grey = torch.full_like(red, 0.299 * 200.0)
    torch.testing.assert_close(encoder.normalise(red), encoder.normalise(grey))
    torch.testing.assert_close(encoder.normalise(grey)[0, 0, 0, 0], torch.tensor((0.299 * 200 / 255 - 0.4914) / 0.2023))


def test_weights_carry_no_dead_classifier_and_no_constants() -> None:
    state = AUNetwork(_config("mobilenetv4_conv_small", size=64)).state_dict()
    assert not [name for name in state if "conv_head" in name or "classifier" in name or "channel_mean" in name]
    assert {name.split(".")[0] for name in state} == {"encoder", "full_connect"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": "mobilenetv4_conv_smal"}, "no model of timm; near it are mobilenetv4_conv_small,"),
        ({"aus": ()}, "aus is"),
        ({"aus": (1, 1)}, "aus is"),
        ({"aus": (3,)}, "aus names AU 3"),
        ({"colour": "bgr"}, "colour is 'bgr'"),
        ({"input_size_px": 8}, "at least 32"),
        ({"embedding_dim": 0}, "embedding_dim is 0"),
        ({"std": (0.0, 1.0, 1.0)}, "std is"),
        ({"drop_path": 1.0}, "drop_path is 1.0"),
        ({"drop_path": 0.1, "backbone": "ghostnet_050"}, "drop_path is 0.1, but ghostnet_050 knows none; give 0"),
        ({"backbone": "test_vit.nonsense"}, "test_vit.nonsense cannot be built for 224 px .Invalid pretrained tag"),
    ],
)
def test_senseless_configs_are_refused(change: dict[str, object], message: str) -> None:
    options: dict[str, object] = {"backbone": "mobilenetv4_conv_small", "aus": (1, 2)}
    with pytest.raises(ModelError, match=message):
        AUNetwork(EncoderConfig(**(options | change)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("backbone", "size_px", "message"),
    [
        ("hrnet_w18_small", 64, "backbone hrnet_w18_small gives several sets of features side by side"),
        ("coat_lite_tiny", 96, "cannot take crops of 96 px, for it was built for 64 px .Input height"),
        ("test_efficientnet", 96, None),
    ],
)
def test_a_network_that_cannot_take_a_size_says_so(backbone: str, size_px: int, message: str | None) -> None:
    network = AUNetwork(EncoderConfig(backbone, (1, 2), 64, global_dim=4, embedding_dim=4))
    if message is None:
        require_input_size(network, size_px)
        return
    with pytest.raises(ModelError, match=message) as caught:
        require_input_size(network, size_px)
    assert "\n" not in str(caught.value)
