"""Steady landmarks: exact where nothing shakes, calm where landmarks do, not late where the face moves, the same after
a break."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from aucli.faces.alignment import ARCFACE_TEMPLATE_112
from aucli.faces.steadying import FORGET_S, MOST, SteadyLandmarks
from aucli.faces.tracking import TrackedFaces
from aucli.faces.values import Faces

EYES_PX = float(np.linalg.norm(ARCFACE_TEMPLATE_112[1] - ARCFACE_TEMPLATE_112[0]))
FPS = 25.0
Points = npt.NDArray[np.floating]
Picture = npt.NDArray[np.uint8]
seeds = st.integers(0, 2**32 - 1)


def _tracked(landmarks_xy: Points, numbers: Sequence[int] | None = None, shot: int = 0) -> TrackedFaces:
    n = len(landmarks_xy)
    boxes = np.tile(np.array([0, 0, 112, 112], np.float32), (n, 1))
    faces = Faces(boxes, np.asarray(landmarks_xy, np.float32), np.ones(n, np.float32))
    return TrackedFaces(faces, np.array(range(n) if numbers is None else numbers, np.int32), np.ones(n, bool), shot)


def _picture(seed: int = 0) -> Picture:
    """240 x 240 pixels of soft blots, a face's worth of structure anywhere."""
    blots = np.random.default_rng(seed).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(blots).resize((240, 240), Image.Resampling.BICUBIC))


def _turned(picture: Picture, x: float, y: float, roll: float = 0.0, size: float = 1.0) -> tuple[Picture, Points]:
    """The picture moved by so many pixels, rolled and grown about its middle, and landmarks in it, (1, 5, 2)."""
    a, b = size * np.cos(roll), size * np.sin(roll)
    back = np.linalg.inv([[a, -b], [b, a]])
    offset = 120 - back @ (120 + np.array([x, y]))
    coefficients = (back[0, 0], back[0, 1], offset[0], back[1, 0], back[1, 1], offset[1])
    moved = Image.fromarray(picture).transform(
        (240, 240), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC
    )
    landmarks = (ARCFACE_TEMPLATE_112 - 56) @ np.array([[a, -b], [b, a]]).T + 120 + np.array([x, y])
    return np.asarray(moved), landmarks[None]


def _film(seed: int, n: int = 30) -> tuple[list[Picture], list[TrackedFaces], list[float]]:
    """Up to three faces that come, go and shake over a picture that moves, at irregular times, with a cut."""
    rng = np.random.default_rng(seed)
    times_s = np.cumsum(rng.choice([0.02, 0.04, 0.1, 0.7], n, p=[0.4, 0.4, 0.15, 0.05])).tolist()
    pictures, film = [], []
    for k in range(n):
        picture = np.roll(_picture(int(k > n // 2)), (k // 3, k // 2), axis=(0, 1))
        numbers = np.flatnonzero(rng.uniform(size=3) < 0.8)
        points = ARCFACE_TEMPLATE_112 + EYES_PX * rng.normal(0, 0.02, (3, 5, 2)) + 60 * np.arange(3)[:, None, None]
        pictures.append(picture)
        film.append(_tracked(points[numbers], numbers.tolist(), shot=int(k > n // 2)))
    return pictures, film, times_s


def _run(
    steady: SteadyLandmarks, pictures: Sequence[Picture], film: Sequence[TrackedFaces], times_s: Sequence[float]
) -> list[Points]:
    return [steady.update(*frame) for frame in zip(pictures, film, times_s, strict=True)]


def _shaking(n: int, sd: float, seed: int = 0) -> Points:
    """A common shift of all landmarks, in pixels, that wanders within some tenths of a second."""
    rng, shift = np.random.default_rng(seed), np.zeros(2)
    path = []
    for _ in range(n):
        shift = 0.8 * shift + np.sqrt(1 - 0.8**2) * rng.normal(0, sd * EYES_PX, 2)
        path.append(shift)
    return np.array(path)


def test_no_faces() -> None:
    assert SteadyLandmarks(2.0).update(_picture(), _tracked(np.zeros((0, 5, 2))), 0.0).shape == (0, 5, 2)


def test_a_photograph_keeps_its_landmarks() -> None:
    tracked = _tracked(ARCFACE_TEMPLATE_112[None])
    np.testing.assert_array_equal(SteadyLandmarks(2.0).update(_picture(), tracked, 0.0), tracked.faces.landmarks_xy)


def test_without_a_time_constant_landmarks_stay_as_they_are() -> None:
    pictures, film, times_s = _film(0)
    for tracked, out in zip(film, _run(SteadyLandmarks(0.0), pictures, film, times_s), strict=True):
        np.testing.assert_array_equal(out, tracked.faces.landmarks_xy)


@settings(deadline=None, max_examples=20)
@given(seeds)
def test_what_does_not_change_comes_out_as_it_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points, picture = rng.uniform(-50, 300, (2, 5, 2)).astype(np.float32), _picture(seed % 5)
    steady = SteadyLandmarks(2.0)
    for time_s in np.cumsum(rng.uniform(0.01, 0.6, 8)).tolist():
        np.testing.assert_array_equal(steady.update(picture, _tracked(points), time_s), points)


@settings(deadline=None, max_examples=20)
@given(seeds)
def test_it_never_strays_far_from_what_was_measured(seed: int) -> None:
    """Even where the picture makes no sense: noise that changes with every frame."""
    pictures, film, times_s = _film(seed)
    rng = np.random.default_rng(seed)
    pictures = [rng.integers(0, 256, (240, 240, 3), dtype=np.uint8) for _ in pictures]
    for tracked, out in zip(film, _run(SteadyLandmarks(60.0), pictures, film, times_s), strict=True):
        measured = tracked.faces.landmarks_xy
        middle = measured.mean(axis=1)
        assert (np.linalg.norm(out.mean(axis=1) - middle, axis=1) <= 1.2 * MOST * EYES_PX).all()
        spread, now = (np.linalg.norm(p - p.mean(axis=1, keepdims=True), axis=2) for p in (measured, out))
        assert (now <= (1 + MOST) * spread + 1e-3).all()


def test_shaking_landmarks_are_held() -> None:
    picture, path = _picture(), _shaking(200, 0.02)
    film = [_tracked(ARCFACE_TEMPLATE_112[None] + 64 + shift) for shift in path]
    out = np.stack(_run(SteadyLandmarks(2.0), [picture] * 200, film, (np.arange(200) / FPS).tolist()))[:, 0]
    assert out[50:].mean(axis=1).std(axis=0).mean() < 0.5 * path[50:].std(axis=0).mean()


def test_shaking_landmarks_are_held_while_the_face_moves_rolls_and_grows() -> None:
    picture, path = _picture(), _shaking(150, 0.02)
    pictures, points = zip(
        *(_turned(picture, 0.3 * k - 20, 0.1 * k - 5, 0.002 * k, 1 + 0.001 * k) for k in range(150)), strict=True
    )
    film = [_tracked(point + shift) for point, shift in zip(points, path, strict=True)]
    out = np.stack(_run(SteadyLandmarks(2.0), pictures, film, (np.arange(150) / FPS).tolist()))[:, 0]
    off = (out - np.concatenate(points)).mean(axis=1)
    assert off[50:].std() < 0.6 * path[50:].std()


@pytest.mark.parametrize(("x", "y", "roll", "size"), [(0.9, 0.4, 0, 1), (0, 0, 0.02, 1), (0, 0, 0, 1.01)])
def test_a_face_that_moves_is_not_late(x: float, y: float, roll: float, size: float) -> None:
    """Landmarks without noise, a face that moves, rolls or grows: it is where its landmarks are, at every frame."""
    picture = _picture()
    for k, steady in enumerate([SteadyLandmarks(2.0)] * 25):
        moved, points = _turned(picture, x * k, y * k, roll * k, size**k)
        out = steady.update(moved, _tracked(points), k / FPS)
        assert np.abs(out - points).max() < 0.02 * EYES_PX * size**k


def test_an_offset_fades() -> None:
    """Landmarks that jump and stay are believed after a while, at any frame rate alike."""
    picture, jump = _picture(), np.array([0.02 * EYES_PX, 0.0])
    for fps in (25, 100):
        steady = SteadyLandmarks(0.5)
        steady.update(picture, _tracked(ARCFACE_TEMPLATE_112[None] + 64), 0.0)
        left = []
        for k in range(1, 3 * fps):
            measured = ARCFACE_TEMPLATE_112[None] + 64 + jump
            out = steady.update(picture, _tracked(measured), k / fps)
            left.append(float((measured - out)[0].mean(axis=0)[0] / jump[0]))
        assert left[0] > 0.6
        assert left[fps // 2] == pytest.approx(np.exp(-1) * 0.8, abs=0.2)
        assert abs(left[-1]) < 0.15  # 0.3 % of the distance of the eyes


@pytest.mark.parametrize("how", ["cut", "gap", "another person", "another picture"])
def test_it_begins_anew(how: str) -> None:
    steady = SteadyLandmarks(2.0)
    steady.update(_picture(), _tracked(ARCFACE_TEMPLATE_112[None] + 64), 0.0)
    moved = (ARCFACE_TEMPLATE_112[None] + 64.5).astype(np.float32)
    shot, number, time_s = int(how == "cut"), int(how == "another person"), 0.04 + FORGET_S * (how == "gap")
    picture = _picture(seed=int(how == "another picture"))
    np.testing.assert_array_equal(steady.update(picture, _tracked(moved, [number], shot), time_s), moved)


@settings(deadline=None, max_examples=20)
@given(seeds, st.integers(0, 30))
def test_a_run_cut_off_anywhere_gives_the_same(seed: int, at: int) -> None:
    pictures, film, times_s = _film(seed)
    whole = SteadyLandmarks(2.0)
    expected = _run(whole, pictures, film, times_s)
    first, second = SteadyLandmarks(2.0), SteadyLandmarks(2.0)
    out = _run(first, pictures[:at], film[:at], times_s[:at])
    second.restore(json.loads(json.dumps(first.state())))
    out += _run(second, pictures[at:], film[at:], times_s[at:])
    for a, b in zip(out, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    assert second.state() == whole.state()


def test_people_who_went_are_forgotten() -> None:
    steady = SteadyLandmarks(2.0)
    for k in range(10):
        steady.update(_picture(), _tracked(ARCFACE_TEMPLATE_112[None], [k]), float(k))
    assert [one["number"] for one in steady.state()] == [9]


def test_a_face_beyond_the_frame_and_one_of_no_extent_are_no_trouble() -> None:
    steady = SteadyLandmarks(2.0)
    points = np.stack([ARCFACE_TEMPLATE_112 - 5000, np.full((5, 2), 60.0)])
    for k in range(3):
        out = steady.update(_picture(k), _tracked(points), k / FPS)
        np.testing.assert_array_equal(out, points.astype(np.float32))
