"""Who is who: cuts, crossings, absences, sparse samples, doubtful detections; pairing; saving and restoring."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.faces import tracking
from aucli.faces.people import VIEWS_KEPT
from aucli.faces.tracking import (
    PEOPLE_REMEMBERED,
    TrackedFaces,
    Tracker,
    best_pairs,
    interpolate,
)
from tests.builders.people import FACE_PX, Place, frame_of

FPS = 25.0
Frame = Any
"""People at places (a list of `Place`); or these and the name of a scene other than the usual."""


def _run(
    frames: Sequence[Frame], tracker: Tracker | None = None, *, step_s: float = 1 / FPS, start: int = 0
) -> list[list[int]]:
    """Return per frame the number of each person, in the order given; -1 for a face that was dropped."""
    tracker = tracker or Tracker()
    numbers = []
    for n, frame in enumerate(frames, start=start):
        places, scene = frame if isinstance(frame, tuple) else (frame, "room")
        tracked = tracker.update(frame_of(places, scene, seed=100 * n), n * step_s)
        found = {
            (float(box[0]), float(box[1])): int(t)
            for box, t in zip(tracked.faces.boxes_xyxy, tracked.tracks, strict=True)
        }
        corners = [(float(np.float32(p[1]) - FACE_PX / 2), float(np.float32(p[2]) - FACE_PX / 2)) for p in places]
        numbers.append([found.get(corner, -1) for corner in corners])
    return numbers


A, B, C = ("a", 200.0, 100.0), ("b", 200.0, 100.0), ("c", 200.0, 100.0)
LEFT, RIGHT = 150.0, 450.0


def _two(left: str, right: str) -> list[Place]:
    return [(left, LEFT, 100.0), (right, RIGHT, 100.0)]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([], []),
        ([[], []], [[], []]),
        ([[A], [A]], [[0], [0]]),
        # cuts: another person at the same place, in another scene and in the same one
        ([[A], ([B], "studio")], [[0], [1]]),
        ([[A], [B]], [[0], [1]]),
        ([[A], [], [B]], [[0], [], [1]]),
        # the same person after a cut, at the same place and elsewhere; A B A
        ([[A], ([A], "studio")], [[0], [0]]),
        ([[A], ([("a", 500.0, 300.0)], "studio")], [[0], [0]]),
        ([[A], ([B], "studio"), [A], ([B], "studio")], [[0], [1], [0], [1]]),
        # seats exchanged by a cut, in another scene and in the same one
        ([_two("a", "b"), (_two("b", "a"), "studio")], [[0, 1], [1, 0]]),
        ([_two("a", "b"), _two("b", "a")], [[0, 1], [1, 0]]),
        ([_two("a", "b"), (_two("c", "a"), "studio")], [[0, 1], [2, 0]]),
        # a newcomer beside somebody known; numbers go from left to right
        ([[("b", 300.0, 100.0), A], [("b", 300.0, 100.0), A, ("c", 20.0, 100.0)]], [[1, 0], [1, 0, 2]]),
        # a slide without anybody
        ([[A], ([], "slide"), ([], "slide"), [A]], [[0], [], [], [0]]),
    ],
)
def test_who_has_which_number(frames: list[Frame], expected: list[list[int]]) -> None:
    assert _run(frames) == expected


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([[4, -9], [-9, 4]], [0, 1]),
        ([[-9, 4], [4, -9]], [1, 0]),
        ([[1.5, -9], [-9, 4]], [0, 1]),  # the other is known, and nobody else is left
        ([[-9, 4], [1.5, -9]], [1, 0]),
        ([[1.5, -9], [-9, 1.2]], [0, 1]),  # neither is known beyond doubt, but both say the same
        ([[0.9, -9], [-9, 4]], [2, 1]),
        ([[1.5, -9], [-2, 4]], [2, 1]),  # another could be that face nearly as well
        ([[1.5, -9], [-9, 0.9]], [2, 3]),
        ([[1.5, -9, -9], [-9, 4, -9]], [2, 1, 3]),  # more faces than people: one of them is new
        ([[1.5], [-9]], [2]),
        ([[-9], [1.5]], [2]),
    ],
)
def test_after_a_cut_a_group_is_known_together(
    monkeypatch: pytest.MonkeyPatch, scores: list[list[float]], expected: list[int]
) -> None:
    tracker = Tracker()
    _run([_two("a", "b")], tracker)
    given_scores = np.repeat(np.array(scores, float)[..., None], 2, axis=-1)
    monkeypatch.setattr(tracking, "same_person_scores", lambda *_, **__: given_scores)
    seats = [("x", 100.0 + 150 * n, 100.0) for n in range(len(scores[0]))]
    assert _run([(seats, "studio")], tracker, start=1) == [expected]


def test_of_one_person_nothing_but_the_face_speaks_after_a_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = Tracker()
    _run([[A]], tracker)
    monkeypatch.setattr(tracking, "same_person_scores", lambda *_, **__: np.full((1, 1, 2), 1.7))
    assert _run([([A], "studio")], tracker, start=1) == [[1]]


@pytest.mark.parametrize("step_s", [0.2, 1.0, 4.0, 60.0, 3600.0])
def test_samples_taken_seldom_keep_a_sitters_number(step_s: float) -> None:
    sway = [[("a", 200.0 + 40 * np.sin(3 * n), 100.0 + 20 * np.cos(5 * n))] for n in range(8)]
    assert _run(sway, step_s=step_s) == [[0]] * 8
    cuts: list[Frame] = [[A], ([B], "studio"), [A], [C]]
    assert _run(cuts, step_s=step_s) == [[0], [1], [0], [2]]


@pytest.mark.parametrize("away_s", [0.5, 2.0, 10.0, 1000.0])
def test_who_returns_is_known_however_long_the_absence(away_s: float) -> None:
    tracker = Tracker()
    assert _run([[A], []], tracker) == [[0], []]
    later = round(away_s * FPS)
    assert _run([[("a", 480.0, 200.0)], [("a", 480.0, 200.0), B]], tracker, start=later) == [[0], [0, 1]]


def test_crossing_people_keep_their_numbers() -> None:
    frames: list[Frame] = []
    for t in range(100):
        a, b = ("a", 50.0 + 5 * t, 100.0), ("b", 550.0 - 5 * t, 104.0)
        frames.append([a] if 46 <= t <= 54 else [a, b])  # b is hidden behind a
    assert all(n == ([0] if len(n) == 1 else [0, 1]) for n in _run(frames))


def test_people_who_change_places_while_nobody_looks_are_told_apart_by_appearance() -> None:
    frames: list[Frame] = [[("a", 100.0, 100.0), ("b", 160.0, 100.0)]] * 5
    frames += [[] for _ in range(10)]
    frames.append([("b", 100.0, 100.0), ("a", 160.0, 100.0)])
    assert _run(frames)[-1] == [1, 0]


def test_a_doubtful_face_goes_on_but_does_not_begin_nor_return() -> None:
    frames: list[Frame] = [[("a", 100, 100, 0.4)], [("a", 100, 100, 0.9)], [("a", 101, 100, 0.4)]]
    assert _run(frames) == [[-1], [0], [0]]
    tracker = Tracker()
    _run([[A]], tracker)
    assert _run([[("a", 200, 100, 0.4)], ([("a", 200, 100, 0.4)], "studio")], tracker, start=100) == [[-1], [-1]]


def test_most_faces_keeps_those_followed() -> None:
    frames: list[Frame] = [[A], [("b", 300, 100, 0.99), A]]
    assert _run(frames, Tracker(max_faces=1)) == [[0], [-1, 0]]


def test_the_largest_faces_come_first_where_room_is_short() -> None:
    observation = frame_of([("a", 100, 100), ("b", 300, 100)])
    observation.faces.boxes_xyxy[1] += np.array([-10, -10, 10, 10], np.float32)
    tracked = Tracker(max_faces=1).update(observation, 0.0)
    assert tracked.faces.boxes_xyxy[:, 0].tolist() == [260.0]


def test_a_frame_of_another_size_is_the_same_place() -> None:
    tracker = Tracker()
    places: list[Place] = [("a", 100, 100), ("a", 400, 100)]  # twins: only their places tell them apart
    for n, scale in enumerate((1.0, 1.0, 0.5, 2.0, 2.0, 1.0)):
        tracked = tracker.update(frame_of(places, scale=scale, seed=n), n / FPS)
        assert tracked.tracks.tolist() == [0, 1]
        assert (np.diff(tracked.faces.boxes_xyxy[:, 0]) > 0).all()


def test_matching_changes_nothing() -> None:
    tracker = Tracker()
    tracker.update(frame_of([("a", 100, 100), ("b", 300, 100)]), 0.0)
    before = json.dumps(tracker.state())
    assert tracker.match(frame_of([("b", 301, 100), ("a", 101, 100)]), 0.04) == {0: 1, 1: 0}
    assert tracker.match(frame_of([("b", 301, 100), ("a", 101, 100)], "studio"), 0.04) == {0: 1, 1: 0}
    assert json.dumps(tracker.state()) == before


def test_numbers_beyond_int16() -> None:
    tracker = Tracker()
    tracker.restore({"next_number": 40_000, "shot": 0, "scene": None, "tracks": []})
    tracked = tracker.update(frame_of([A]), 0.0)
    assert tracked.tracks.tolist() == [40_000]


def test_memory_is_bounded_and_the_last_seen_are_remembered() -> None:
    tracker = Tracker()
    crowd = [f"person {n}" for n in range(PEOPLE_REMEMBERED + 20)]
    numbers = _run([([(who, 200.0, 100.0)], who) for who in crowd], tracker)
    assert numbers == [[n] for n in range(len(crowd))]
    state = tracker.state()
    assert len(state["tracks"]) == PEOPLE_REMEMBERED + 1  # and the one in the picture
    assert len(json.dumps(state)) < 2000 * VIEWS_KEPT * (PEOPLE_REMEMBERED + 2)
    again = [([(crowd[-20], 200.0, 100.0)], "x"), ([(crowd[0], 200.0, 100.0)], "y")]
    assert _run(again, tracker, start=len(crowd)) == [[len(crowd) - 20], [len(crowd)]]


@st.composite
def _films(draw: st.DrawFn) -> list[Frame]:
    """Films of up to four people, two of them alike, who come, go, move and are cut."""
    film: list[Frame] = []
    for _ in range(draw(st.integers(0, 8))):
        who = draw(st.lists(st.sampled_from(["a", "a", "b", "c", "d"]), max_size=4))
        columns = draw(st.permutations(range(6)))
        score = st.sampled_from([0.35, 0.6, 0.9])
        places = [(w, 50.0 + 90 * x, 100.0, draw(score)) for w, x in zip(who, columns, strict=False)]
        film.append((places, draw(st.sampled_from(["room", "room", "studio"]))))
    return film


@settings(max_examples=40, deadline=None)
@given(_films(), st.sampled_from([None, 1, 2]), st.sampled_from([0.04, 1.0, 5.0]))
def test_no_two_faces_of_a_frame_share_a_number(film: list[Frame], max_faces: int | None, step_s: float) -> None:
    for frame, numbers in zip(film, _run(film, Tracker(max_faces=max_faces), step_s=step_s), strict=True):
        given_numbers = [n for n in numbers if n >= 0]
        assert len(set(given_numbers)) == len(given_numbers)
        if max_faces is not None:
            assert len(given_numbers) <= max_faces
        else:  # every face that is sure has a number
            assert all(n >= 0 for n, place in zip(numbers, frame[0], strict=True) if place[3] >= 0.5)


@settings(max_examples=25, deadline=None)
@given(_films(), st.integers(0, 8))
def test_a_restored_tracker_goes_on_as_if_never_stopped(film: list[Frame], stop: int) -> None:
    whole, first, second = Tracker(), Tracker(), Tracker()
    expected = _run(film, whole)
    numbers = _run(film[:stop], first)
    second.restore(json.loads(json.dumps(first.state())))
    assert numbers + _run(film[stop:], second, start=len(film[:stop])) == expected
    assert json.dumps(second.state()) == json.dumps(whole.state())


@settings(deadline=None)
@given(st.floats(0, 1))
def test_carried_boxes_lie_in_proportion_between_their_ends(share: float) -> None:
    def tracked(x: float, y: float) -> TrackedFaces:
        return TrackedFaces(frame_of([("a", x, y, 0.8)]).faces, np.array([3], np.int32), np.array([True]))

    between = interpolate(tracked(100, 50), tracked(120, 40), share)
    assert between.tracks.tolist() == [3]
    assert between.detected.tolist() == [False]
    np.testing.assert_allclose(between.faces.boxes_xyxy[0, :2], [70 + 20 * share, 20 - 10 * share], atol=1e-3)


def test_only_people_seen_at_both_ends_are_carried() -> None:
    faces = frame_of([("a", 100, 100), ("b", 300, 100)]).faces
    both = TrackedFaces(faces, np.array([0, 1], np.int32), np.ones(2, bool))
    one = TrackedFaces(faces[[1]], np.array([1], np.int32), np.ones(1, bool))
    assert interpolate(both, one, 0.5).tracks.tolist() == [1]


def test_nobody_to_pair() -> None:
    assert best_pairs(np.zeros((0, 0))) == []
    assert best_pairs(np.zeros((0, 3))) == []
    assert best_pairs(np.full((1, 1), -np.inf)) == []
    assert best_pairs(np.full((2, 3), -np.inf)) == []


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_pairing_is_the_best_of_all_pairings(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    gain = np.where(rng.uniform(size=(rows, columns)) < 0.7, rng.uniform(-1, 5, size=(rows, columns)), -np.inf)

    best = 0.0
    for order in permutations(range(rows + columns), rows):  # a column beyond the last: paired with nobody
        total = sum(gain[r, c] for r, c in enumerate(order) if c < columns)
        best = max(best, float(total))
    pairs = best_pairs(gain)
    assert sum(gain[r, c] for r, c in pairs) == pytest.approx(best)
    assert all(gain[r, c] > 0 for r, c in pairs)
    assert len({r for r, _ in pairs}) == len({c for _, c in pairs}) == len(pairs)
