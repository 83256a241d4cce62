"""Who is who: numbers through losses, crossings, doubtful detections; carrying; saving and restoring."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aucli.faces.tracking import MAX_LOST_S, TrackedFaces, Tracker, cheapest_pairs, describe, interpolate, unlikeness
from aucli.faces.values import Faces

FPS = 25.0
RNG = np.random.default_rng(7)
LOOKS = {name: RNG.normal(size=432) for name in "abc"}


def _faces(
    *places: tuple[str, float, float] | tuple[str, float, float, float],
) -> tuple[Faces, npt.NDArray[np.float64]]:
    """People at places: (who, x, y[, score]); every face is 60 px wide and high."""
    if not places:
        return Faces.empty(), np.zeros((0, 432))
    xy = np.array([place[1:3] for place in places], np.float32)
    scores = np.array([place[3] if len(place) == 4 else 0.9 for place in places], np.float32)
    offsets = np.array([[-12, -10], [12, -10], [0, 2], [-10, 14], [10, 14]], np.float32)
    looks = np.stack([LOOKS[place[0]] + 0.1 * RNG.normal(size=432) for place in places])
    looks -= looks.mean(axis=1, keepdims=True)
    return (
        Faces(np.concatenate([xy - 30, xy + 30], axis=1), xy[:, None] + offsets[None], scores),
        looks / np.linalg.norm(looks, axis=1, keepdims=True),
    )


def _run(tracker: Tracker, frames: Sequence[Sequence[tuple[str, float, float]]], start: int = 0) -> list[list[int]]:
    """Feed frames at 25 a second; return per frame the number of each person, in the order given."""
    numbers = []
    for n, places in enumerate(frames, start=start):
        faces, looks = _faces(*places)
        tracked = tracker.update(faces, looks, n / FPS)
        by_x = {float(box[0]): int(t) for box, t in zip(tracked.faces.boxes_xyxy, tracked.tracks, strict=True)}
        numbers.append([by_x[float(np.float32(place[1]) - 30)] for place in places])
    return numbers


def test_no_faces() -> None:
    tracked = Tracker().update(*_faces(), 0.0)
    assert len(tracked.faces) == 0
    assert describe(np.zeros((10, 10, 3), np.uint8), Faces.empty()).shape == (0, 432)


def test_people_are_numbered_in_order_of_appearance_left_to_right() -> None:
    frames = [[("b", 300, 100), ("a", 100, 100)], [("b", 300, 100), ("a", 100, 100), ("c", 20, 100)]]
    assert _run(Tracker(), frames) == [[1, 0], [1, 0, 2]]


def test_a_short_loss_keeps_the_number_and_a_long_one_does_not() -> None:
    tracker = Tracker()
    seen: list[tuple[str, float, float]] = [("a", 200, 100)]
    assert _run(tracker, [seen])[-1] == [0]
    assert _run(tracker, [seen], start=int(1.5 * FPS))[-1] == [0]
    assert _run(tracker, [seen], start=int((2.0 + MAX_LOST_S) * FPS + 25))[-1] == [1]


def test_another_person_at_the_same_place_gets_another_number() -> None:
    assert _run(Tracker(), [[("a", 200, 100)], [], [("b", 200, 100)]])[-1] == [1]


def test_crossing_people_keep_their_numbers() -> None:
    frames: list[list[tuple[str, float, float]]] = []
    for t in range(100):
        a, b = ("a", 50.0 + 5 * t, 100.0), ("b", 550.0 - 5 * t, 104.0)
        frames.append([a] if 46 <= t <= 54 else [a, b])  # b is hidden behind a
    numbers = _run(Tracker(), frames)
    assert all(n == ([0] if len(n) == 1 else [0, 1]) for n in numbers)


def test_people_who_swap_places_behind_the_others_back_are_told_apart_by_looks() -> None:
    frames: list[list[tuple[str, float, float]]] = [[("a", 100.0, 100.0), ("b", 160.0, 100.0)]] * 5
    frames += [[] for _ in range(10)]
    frames.append([("b", 100, 100), ("a", 160, 100)])
    assert _run(Tracker(), frames)[-1] == [1, 0]


def test_a_doubtful_face_goes_on_but_does_not_begin() -> None:
    tracker = Tracker()
    assert len(tracker.update(*_faces(("a", 100, 100, 0.4)), 0.0).tracks) == 0
    assert tracker.update(*_faces(("a", 100, 100, 0.9)), 0.04).tracks.tolist() == [0]
    assert tracker.update(*_faces(("a", 101, 100, 0.4)), 0.08).tracks.tolist() == [0]


def test_most_faces_keeps_those_followed() -> None:
    tracker = Tracker(max_faces=1)
    assert tracker.update(*_faces(("a", 100, 100)), 0.0).tracks.tolist() == [0]
    tracked = tracker.update(*_faces(("b", 300, 100, 0.99), ("a", 100, 100)), 0.04)
    assert tracked.tracks.tolist() == [0]
    assert tracked.faces.boxes_xyxy[0, 0] == 70


def test_foresight_changes_nothing() -> None:
    tracker = Tracker()
    tracker.update(*_faces(("a", 100, 100), ("b", 300, 100)), 0.0)
    before = json.dumps(tracker.state())
    assert tracker.foresee(*_faces(("b", 301, 100), ("a", 101, 100)), 0.04) == {0: 1, 1: 0}
    assert json.dumps(tracker.state()) == before


def test_a_restored_tracker_goes_on_with_the_same_numbers() -> None:
    tracker, again = Tracker(), Tracker()
    frames: list[list[tuple[str, float, float]]] = [
        [("a", 100.0 + t, 100.0), ("b", 300.0 - t, 100.0)] for t in range(10)
    ]
    _run(tracker, frames)
    again.restore(json.loads(json.dumps(tracker.state())))
    assert _run(again, [[("b", 290, 100), ("a", 110, 100), ("c", 500, 100)]], start=10) == [[1, 0, 2]]


@given(st.floats(0, 1))
def test_carried_boxes_lie_in_proportion_between_their_ends(share: float) -> None:
    def tracked(x: float, y: float) -> TrackedFaces:
        faces, _ = _faces(("a", x, y, 0.8))
        return TrackedFaces(faces, np.array([3], np.int16), np.array([True]))

    between = interpolate(tracked(100, 50), tracked(120, 40), share)
    assert between.tracks.tolist() == [3]
    assert between.detected.tolist() == [False]
    np.testing.assert_allclose(between.faces.boxes_xyxy[0, :2], [70 + 20 * share, 20 - 10 * share], atol=1e-3)


def test_only_people_seen_at_both_ends_are_carried() -> None:
    faces, _ = _faces(("a", 100, 100), ("b", 300, 100))
    both = TrackedFaces(faces, np.array([0, 1], np.int16), np.ones(2, bool))
    one = TrackedFaces(faces[[1]], np.array([1], np.int16), np.ones(1, bool))
    assert interpolate(both, one, 0.5).tracks.tolist() == [1]


@given(st.integers(1, 4), st.integers(1, 4), st.randoms())
def test_pairing_is_the_best_of_all_pairings(rows: int, columns: int, random: object) -> None:
    from itertools import permutations

    cost = RNG.uniform(0, 3, size=(rows, columns))
    allowed = RNG.uniform(size=(rows, columns)) < 0.7

    def value(pairs: list[tuple[int, int]]) -> tuple[int, float]:
        return -len(pairs), sum(cost[r, c] for r, c in pairs)

    best = (0, 0.0)
    longer = max(rows, columns)
    for order in permutations(range(longer), rows):
        pairs = [(r, c) for r, c in enumerate(order) if c < columns and allowed[r, c]]
        best = min(best, value(pairs))
    assert value(cheapest_pairs(cost, allowed)) == pytest.approx(best)


def test_half_a_face_is_enough_to_know_it() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 1, 12, 12, 3))
    half = a.copy()
    half[:, :, 6:] = b[:, :, 6:]
    flat = [x.reshape(1, -1) for x in (a, half, b)]
    assert unlikeness(flat[0], flat[1])[0, 0] < 0.01
    assert unlikeness(flat[0], flat[2])[0, 0] > 0.7
