"""Which places are hidden, and that nothing of a face is left there."""

from __future__ import annotations

import numpy as np
import pytest

from aucli.results.overlay.blur import GROWTH_PER_S, HOLD_S, Box, Hiding, hide, hide_all
from aucli.results.overlay.film import FilmRows


def rows_of(seen: dict[int, dict[float, Box]]) -> FilmRows:
    """Rows of faces that were seen at these times."""
    rows = sorted((time_s, face, box) for face, its in seen.items() for time_s, box in its.items())
    times = np.array([time_s for time_s, _, _ in rows])
    return FilmRows(
        np.rint(times * 100).astype(np.int64),
        times,
        np.array([face for _, face, _ in rows], np.int64),
        np.array([box for _, _, box in rows], np.float64).reshape(-1, 4),
        np.zeros((len(rows), 1)),
        np.zeros((len(rows), 1), bool),
        np.zeros(len(rows), bool),
    )


def test_nothing_is_hidden_where_nobody_was_seen() -> None:
    assert Hiding(rows_of({}), []).at(1.0, {}).held == ()


def test_a_found_face_is_hidden_where_it_is_and_a_lost_one_where_it_was_and_will_be() -> None:
    hiding = Hiding(rows_of({0: {1.0: (0, 0, 10, 20), 1.5: (30, 0, 40, 20)}}), [0])
    assert hiding.at(1.0, {0: (0, 0, 10, 20)}).boxes == ((0, 0, 10, 20),)
    (between,) = hiding.at(1.25, {}).held
    margin = GROWTH_PER_S * 0.25
    assert between == pytest.approx((-10 * margin, -20 * margin, 40 + 10 * margin, 20 + 20 * margin))


@pytest.mark.parametrize(
    ("time_s", "is_held"), [(1.0 - HOLD_S - 0.01, 0), (1.0 - HOLD_S, 1), (1.0 + HOLD_S, 1), (1.0 + HOLD_S + 0.01, 0)]
)
def test_places_are_held_before_and_after_and_not_for_longer(time_s: float, is_held: int) -> None:
    hiding = Hiding(rows_of({3: {1.0: (0, 0, 10, 20)}}), [3])
    assert len(hiding.at(time_s, {}).held) == is_held


def test_another_face_found_does_not_end_the_hold() -> None:
    hiding = Hiding(rows_of({0: {1.0: (0, 0, 10, 20)}, 1: {1.0: (50, 0, 60, 20), 1.1: (50, 0, 60, 20)}}), [0, 1])
    places = hiding.at(1.1, {1: (50, 0, 60, 20)})
    assert (len(places.boxes), len(places.held)) == (1, 1)


@pytest.mark.parametrize("size", [12, 60, 400])
def test_a_hidden_face_keeps_four_by_four_colours_whatever_its_size(size: int) -> None:
    """Two faces that differ in everything but the means of their cells give the same picture."""
    rng = np.random.default_rng(size)
    frame = rng.integers(0, 255, (2 * size, 2 * size, 3), dtype=np.uint8)
    box = (size / 2, size / 2, 1.5 * size, 1.5 * size)
    hidden = frame.copy()
    hide(hidden, box)
    inside = np.s_[size // 2 : 3 * size // 2, size // 2 : 3 * size // 2]
    spectrum = np.abs(np.fft.fft2(hidden[inside].astype(float).mean(axis=2)))
    before = np.abs(np.fft.fft2(frame[inside].astype(float).mean(axis=2)))
    fine = np.s_[4 : size // 2, 4 : size // 2]  # waves shorter than a quarter of the face
    assert spectrum[fine].mean() < before[fine].mean() / 6
    # Far away nothing changed.
    np.testing.assert_array_equal(hidden[: size // 20 + 1, : size // 20 + 1], frame[: size // 20 + 1, : size // 20 + 1])


@pytest.mark.parametrize("box", [(-30, -30, 20, 20), (80, 80, 300, 300), (-500, -500, -400, -400), (50, 50, 50, 50)])
def test_places_may_lie_over_the_edge(box: Box) -> None:
    frame = np.zeros((100, 100, 3), np.uint8)
    hide(frame, box)
    assert not frame.any()


def test_a_whole_frame_can_be_hidden() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (120, 200, 3), dtype=np.uint8)
    before = frame.astype(float)
    hide_all(frame)
    assert np.abs(np.diff(frame.astype(float), axis=1)).mean() < np.abs(np.diff(before, axis=1)).mean() / 20
