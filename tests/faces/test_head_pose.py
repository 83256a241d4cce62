"""How heads are turned: angles come back from points that were turned by them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.faces.head_pose import HEAD_XYZ, head_pose


def _turned(yaw: float, pitch: float, roll: float, scale: float, x: float, y: float) -> np.ndarray:
    """The generic head's points in the picture, by three turns one after the other."""
    cy, cp, cr = (np.cos(np.radians(a)) for a in (yaw, pitch, roll))
    sy, sp, sr = (np.sin(np.radians(a)) for a in (yaw, pitch, roll))
    points = []
    for px, py, pz in HEAD_XYZ:
        px, py = px * cr + py * sr, -px * sr + py * cr  # clockwise in the picture, where y points up here
        py, pz = py * cp + pz * sp, -py * sp + pz * cp  # up
        px, pz = px * cy + pz * sy, -px * sy + pz * cy  # towards the person's left: the picture's right
        points.append((x + scale * px, y - scale * py))
    return np.array(points)


@settings(deadline=None, max_examples=60)
@given(*(st.floats(-60, 60) for _ in range(2)), st.floats(-90, 90), st.floats(5, 400), *(st.floats(0, 4000),) * 2)
def test_a_turned_head_gives_its_angles(
    yaw: float, pitch: float, roll: float, scale: float, x: float, y: float
) -> None:
    found = head_pose(_turned(yaw, pitch, roll, scale, x, y)[None])
    np.testing.assert_allclose(found, [[yaw, pitch, roll]], atol=1e-3)


def test_signs_as_one_sees_them() -> None:
    front = _turned(0, 0, 0, 50, 100, 100)
    to_the_right, up = front.copy(), front.copy()
    to_the_right[2, 0] += 10  # the nose goes to the right of the picture: the person's left
    up[2, 1] -= 10
    tilted = (front - 100) @ np.array([[0.9, 0.436], [-0.436, 0.9]]) + 100  # the right eye goes down
    assert tilted[1, 1] > tilted[0, 1]
    assert head_pose(to_the_right[None])[0, 0] > 5
    assert head_pose(up[None])[0, 1] > 5
    assert head_pose(tilted[None])[0, 2] > 5


def test_no_faces_and_landmarks_without_area() -> None:
    assert head_pose(np.zeros((0, 5, 2))).shape == (0, 3)
    flat = np.array([np.zeros((5, 2)), np.full((5, 2), 7.0), np.arange(5)[:, None] * [1.0, 2.0]])
    assert np.isnan(head_pose(flat)).all()


def test_a_face_is_the_same_in_any_company() -> None:
    points = np.random.default_rng(0).uniform(0, 2000, (100, 5, 2)).astype(np.float32)
    alone = np.concatenate([head_pose(face[None]) for face in points])
    assert head_pose(points).tobytes() == alone.tobytes()


@pytest.mark.parametrize("angle", range(3))
def test_mirrored_faces_are_turned_the_other_way(angle: int) -> None:
    points = _turned(20, 10, 5, 60, 100, 100)
    mirrored = (points * [-1, 1])[[1, 0, 2, 4, 3]]
    sign = (-1, 1, -1)[angle]
    assert head_pose(mirrored[None])[0, angle] == pytest.approx(sign * head_pose(points[None])[0, angle], abs=1e-3)
