"""Which AUs occur together, how they move the rig, and how they run in time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.synth.expressions import (
    ACTIONS,
    SYNTH_AUS,
    Expression,
    activation,
    rig_weights,
    sample_aus,
    sample_sides,
    symmetric,
    wrinkle_strengths,
)
from aucli.synth.motion import Event, Performance, Sway, blink, sample_performance


def test_a_face_at_rest_moves_nothing() -> None:
    assert rig_weights(Expression({}, {})) == {}
    left, right = wrinkle_strengths(Expression({}, {}), depth=1.0, age=0.0)
    assert not left.any()
    assert not right.any()


def test_every_au_has_an_action() -> None:
    assert set(ACTIONS) == {*SYNTH_AUS, 22}


@pytest.mark.parametrize("au", SYNTH_AUS)
def test_stronger_means_further(au: int) -> None:
    totals = [sum(rig_weights(symmetric({au: float(intensity)})).values()) for intensity in range(6)]
    assert totals == sorted(totals)
    assert totals[5] > totals[1] > 0


def test_sides_move_alone() -> None:
    weights = rig_weights(Expression({12: 5.0}, {}))
    assert weights["mouthSmile_L"] > 0
    assert weights["mouthSmile_R"] == 0


def test_closed_lids_do_not_squint() -> None:
    weights = rig_weights(symmetric({43: 5.0, 45: 5.0, 7: 5.0}))
    assert weights["eyeBlink_L"] == 1.0
    assert weights["eyeSquint_L"] == 0.0


@given(st.floats(0, 5), st.floats(0, 5))
def test_activation_rises_with_intensity(low: float, high: float) -> None:
    low, high = sorted((low, high))
    assert 0 <= activation(low) <= activation(high) <= 1


@given(st.integers(0, 2**32))
@settings(max_examples=200)
def test_drawn_expressions_are_possible(seed: int) -> None:
    rng = np.random.default_rng(seed)
    aus = sample_aus(rng)
    assert set(aus) <= {*SYNTH_AUS, 22}
    assert all(0 < intensity <= 5 for intensity in aus.values())
    for pressed in (23, 24, 28):
        assert not {pressed, 25} <= set(aus)
        assert not {pressed, 26} <= set(aus)
    assert not {5, 43} <= set(aus)
    expression = sample_sides(rng, aus)
    for au, intensity in aus.items():
        assert expression.intensity(au) == pytest.approx(intensity)


def test_every_au_is_drawn_often_enough() -> None:
    rng = np.random.default_rng(0)
    draws = [set(sample_aus(rng)) for _ in range(3000)]
    for au in SYNTH_AUS:
        if au != 45:
            assert sum(au in drawn for drawn in draws) > 90, au
    assert sum(not drawn for drawn in draws) > 150


def test_onset_apex_offset() -> None:
    event = Event(1.0, 0.5, 1.0, 0.5, symmetric({12: 4.0}))
    assert [event.share(t) for t in (0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 9.0)] == [0, 0, 1, 1, 1, 0, 0]
    assert event.share(1.25) == pytest.approx(0.5)
    still = Sway((0.0, 0.0, 0.0), ((0.0,),) * 3, ((1.0,),) * 3, ((0.0,),) * 3)
    performance = Performance((event, blink(1.2, 0.4)), still, still)
    assert performance.expression(0.5) == Expression({}, {})
    assert performance.expression(2.0).intensity(12) == pytest.approx(4.0)
    closed = max(performance.expression(t).intensity(45) for t in np.linspace(1.2, 1.6, 60))
    assert closed == pytest.approx(5.0)


def test_drawn_videos_are_smooth() -> None:
    performance = sample_performance(np.random.default_rng(5), 10.0)
    times = np.arange(0, 10, 0.01)
    head = np.array([performance.head.at(t) for t in times])
    assert np.abs(np.diff(head, axis=0)).max() < 0.05
    smile = np.array([performance.expression(float(t)).intensity(12) for t in times])
    assert np.abs(np.diff(smile)).max() < 1.2
