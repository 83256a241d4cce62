from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from aucli.training.early_stopping import EarlyStopping


def _network(value: float) -> nn.Linear:
    network = nn.Linear(1, 1)
    nn.init.constant_(network.weight, value)
    return network


def test_before_the_first_score_nothing_stops() -> None:
    stopping = EarlyStopping(1)
    assert not stopping.has_stopped
    assert stopping.best is None
    assert stopping.last_defined() == (None, None)


@given(
    aucs=st.lists(st.one_of(st.just(math.nan), st.sampled_from([0.5, 0.6, 0.7])), max_size=8),
    patience=st.integers(0, 3),
)
def test_it_stops_as_long_after_the_best_epoch_as_it_has_patience(aucs: list[float], patience: int) -> None:
    stopping = EarlyStopping(patience)
    for epoch, auc in enumerate(aucs):
        stopping.add(auc, 0.5, _network(float(epoch)))
    defined = [auc for auc in aucs if not math.isnan(auc)]
    best = aucs.index(max(defined)) if defined else None
    expected = best is not None and patience > 0 and len(aucs) - 1 - best >= patience
    assert stopping.has_stopped is expected
    assert (stopping.best is None) is (best is None or patience == 0)
    if stopping.best is not None:
        assert stopping.best["weight"].item() == best
    again = EarlyStopping(patience)
    again.load(stopping.state())
    assert again.has_stopped is expected


def test_what_is_not_defined_is_not_shown() -> None:
    stopping = EarlyStopping(0)
    stopping.add(math.nan, 0.5, _network(0.0))
    assert stopping.last_defined() == (None, None)
    stopping.add(0.75, 0.5, _network(0.0))
    assert stopping.last_defined() == (0.75, 0.5)


def test_the_best_weights_are_a_copy() -> None:
    stopping, network = EarlyStopping(1), _network(3.0)
    stopping.add(0.9, 0.5, network)
    with torch.no_grad():
        network.weight.zero_()
    assert stopping.best is not None
    assert stopping.best["weight"].item() == pytest.approx(3.0)
