from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from aucli.models.network import AUNetwork
from aucli.training.optimiser import OptimOptions, make_optimizer, schedule
from tests.builders.tiny_training import TINY_NETWORK


@given(total=st.integers(1, 200), warmup_share=st.floats(0, 0.99))
def test_the_rate_rises_to_one_and_falls_towards_zero(total: int, warmup_share: float) -> None:
    rates = [schedule(step, total, warmup_share=warmup_share) for step in range(total)]
    top = rates.index(max(rates))
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_warm_up_then_a_cosine() -> None:
    assert schedule(0, 100, warmup_share=0.0) == 1.0
    assert schedule(0, 100, warmup_share=0.1) == pytest.approx(1 / 11)
    assert schedule(10, 100, warmup_share=0.1) == 1.0
    assert schedule(55, 100, warmup_share=0.1) == pytest.approx(0.5)
    assert schedule(100, 100, warmup_share=0.1) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("decay_all", [False, True])
def test_every_parameter_is_in_one_group_that_fits_it(decay_all: bool) -> None:
    network, other = AUNetwork(TINY_NETWORK), nn.Linear(2, 3)
    options = OptimOptions(lr=1e-3, weight_decay=0.1, backbone_lr_factor=0.25, decay_all=decay_all, betas=(0.8, 0.99))
    optimizer = make_optimizer(network, other.parameters(), options)
    group_of = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    everything = [*network.parameters(), *other.parameters()]
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(group_of) == len(everything)
    backbone = {id(p) for p in network.encoder.backbone.parameters()}
    for parameter in everything:
        group = group_of[id(parameter)]
        assert group["weight_decay"] == (0.1 if parameter.ndim > 1 or decay_all else 0.0)
        assert group["betas"] == (0.8, 0.99)
        assert group["factor"] == (0.25 if id(parameter) in backbone else 1.0)
