"""Crops: the transform, the slow obvious crop, and agreement of devices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.faces.alignment import (
    ARCFACE_TEMPLATE_112,
    CropSpec,
    crop_faces,
    crop_faces_on_device,
    invert_similarity,
    similarity_from_landmarks,
)

SPEC = CropSpec(size_px=48)


def _picture(height: int, width: int) -> npt.NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    channels = [127 + 100 * np.sin(x / 9) * np.cos(y / 7), x * 255 / width, y * 255 / height]
    return np.stack(channels, axis=-1).astype(np.uint8)


def _face(interocular_px: float, centre: tuple[float, float], angle: float = 0.0) -> npt.NDArray[np.float64]:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray((ARCFACE_TEMPLATE_112 - 56) * interocular_px / 35.2 @ turn.T + np.array(centre))


def _slow_crop(
    frame: npt.NDArray[np.uint8], landmarks: npt.NDArray[np.float64], spec: CropSpec
) -> npt.NDArray[np.float64]:
    """Pixel by pixel: the mean of k x k bilinear samples, black outside the frame."""
    (matrix,) = invert_similarity(similarity_from_landmarks(landmarks[None], spec.template_xy()))
    k = max(1, int(np.hypot(matrix[0, 0], matrix[1, 0]) + 0.5))
    height, width = frame.shape[:2]
    crop = np.zeros((spec.size_px, spec.size_px, 3))
    for v in range(spec.size_px):
        for u in range(spec.size_px):
            x, y = matrix @ np.array([u + 0.5, v + 0.5, 1.0])
            if x < -k or y < -k or x > width + k or y > height + k:
                continue
            # Bilinear between averages of k x k pixels is the mean over a tent; sample it finely.
            total, weight = np.zeros(3), 0.0
            for dy in np.arange(-k + 0.5, k):
                for dx in np.arange(-k + 0.5, k):
                    w = (1 - abs(dx) / k) * (1 - abs(dy) / k)
                    column, row = int(np.floor(x + dx)), int(np.floor(y + dy))
                    inside = 0 <= column < width and 0 <= row < height
                    total += w * (frame[row, column] if inside else 0.0)
                    weight += w
            crop[v, u] = total / weight
    return crop


@given(
    st.floats(-3.1, 3.1),
    st.floats(0.05, 20.0),
    st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
def test_similarity_recovers_the_transform_that_made_the_points(
    angle: float, scale: float, shift: tuple[float, float]
) -> None:
    template = SPEC.template_xy()
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    to_frame = np.array([[[c, -s, shift[0]], [s, c, shift[1]]]])
    points = template @ to_frame[0, :, :2].T + to_frame[0, :, 2]
    found = invert_similarity(similarity_from_landmarks(points[None], template))
    np.testing.assert_allclose(found, to_frame, atol=1e-6 * (1 + scale * 500))


def test_no_faces_give_no_crops() -> None:
    none = np.zeros((0, 5, 2))
    assert crop_faces(_picture(20, 20), none, SPEC).shape == (0, 48, 48, 3)
    assert crop_faces_on_device(torch.zeros((1, 20, 20, 3), dtype=torch.uint8), np.zeros(0, int), none, SPEC).shape == (
        0,
        3,
        48,
        48,
    )


def test_coinciding_landmarks_give_a_black_crop_not_nan() -> None:
    crops = crop_faces(_picture(40, 40), np.full((1, 5, 2), 20.0), SPEC)
    assert crops.max() == 0


@pytest.mark.parametrize(
    ("interocular", "centre", "angle"),
    [(15, (60, 50), 0.0), (15, (60, 50), 0.4), (12, (2, 50), 0.1), (60, (100, 80), -0.3)],
)
def test_crops_agree_with_the_slow_crop(interocular: float, centre: tuple[float, float], angle: float) -> None:
    frame = _picture(120, 160)
    landmarks = _face(interocular, centre, angle)
    fast = crop_faces(frame, landmarks[None], SPEC)[0].astype(float)
    slow = _slow_crop(frame, landmarks, SPEC)
    assert np.abs(fast - slow).mean() < 1.5
    assert np.quantile(np.abs(fast - slow), 0.95) < 10  # the squares of the fast crop lie on a fixed grid


@settings(max_examples=30, deadline=None)
@given(st.floats(4, 150), st.floats(-50, 250), st.floats(-50, 200), st.floats(-3, 3))
def test_devices_agree(interocular: float, x: float, y: float, angle: float) -> None:
    frame = _picture(150, 200)
    landmarks = _face(interocular, (x, y), angle)[None]
    cpu = crop_faces(frame, landmarks, SPEC)[0].astype(float)
    device = crop_faces_on_device(torch.from_numpy(frame)[None], np.array([0]), landmarks, SPEC)[0].permute(1, 2, 0)
    assert np.abs(cpu - device.numpy()).max() <= 2.0


def test_template_points_come_to_lie_where_the_template_says() -> None:
    frame = np.zeros((200, 200, 3), np.uint8)
    landmarks = _face(60, (100, 100))
    for x, y in landmarks:
        frame[int(y) - 4 : int(y) + 5, int(x) - 4 : int(x) + 5] = 255
    crop = crop_faces(frame, landmarks[None], SPEC)[0, :, :, 0].astype(float)
    for x, y in SPEC.template_xy():
        assert crop[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].max() > 100


@pytest.mark.parametrize("arguments", [{"size_px": 4}, {"scale": 0.1}, {"shift_y": 0.5}])
def test_a_senseless_crop_is_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        CropSpec(**arguments)  # type: ignore[arg-type]
