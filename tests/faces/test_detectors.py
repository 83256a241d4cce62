"""Detectors: decoding of maps, suppression, working size, and real faces."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aucli.errors import DetectorError, OptionsError
from aucli.faces.centerface import CenterFace, centerface_path, decode_centerface
from aucli.faces.detectors import open_detector
from aucli.faces.values import Faces, intersection_over_union, non_maximum_suppression, working_scale

boxes = st.lists(
    st.tuples(st.floats(0, 90), st.floats(0, 90), st.floats(1, 40), st.floats(1, 40), st.floats(0, 1)), max_size=12
)


def _slow_iou(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    common = max(w, 0) * max(h, 0)
    return float(common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common))


@given(boxes)
def test_suppression_is_that_of_plain_loops(rows: list[tuple[float, float, float, float, float]]) -> None:
    raw = np.array(rows).reshape(-1, 5)
    xyxy = np.column_stack([raw[:, :2], raw[:, :2] + raw[:, 2:4]])
    kept: list[int] = []
    for i in sorted(range(len(raw)), key=lambda i: -raw[i, 4]):
        if all(_slow_iou(xyxy[i], xyxy[j]) < 0.3 for j in kept):
            kept.append(i)
    assert non_maximum_suppression(xyxy, raw[:, 4], 0.3).tolist() == kept


def test_iou_of_known_boxes() -> None:
    a = np.array([[0, 0, 10, 10]])
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]])
    np.testing.assert_allclose(intersection_over_union(a, b), [[1.0, 1 / 3, 0.0]])


def test_decoding_empty_maps_gives_no_face() -> None:
    faces = decode_centerface(*(np.zeros((n, 6, 8), np.float32) for n in (1, 2, 2, 10)), scale=0.5)
    assert len(faces) == 0


def test_decoding_one_cell_by_hand() -> None:
    heatmap, size, offset, points = (np.zeros((n, 6, 8), np.float32) for n in (1, 2, 2, 10))
    heatmap[0, 2, 3] = 0.9
    size[:, 2, 3] = np.log(10.0), np.log(5.0)  # height 40, width 20
    offset[:, 2, 3] = 0.25, -0.25  # y, x
    points[:, 2, 3] = np.tile([0.5, 0.25], 5)  # half way down, a quarter across
    faces = decode_centerface(heatmap, size, offset, points, scale=0.5)
    centre_x, centre_y = (3 - 0.25 + 0.5) * 4, (2 + 0.25 + 0.5) * 4
    expected = np.array([centre_x - 10, centre_y - 20, centre_x + 10, centre_y + 20]) / 0.5
    np.testing.assert_allclose(faces.boxes_xyxy[0], expected, rtol=1e-5)
    np.testing.assert_allclose(faces.landmarks_xy[0, 0], [(centre_x - 5) * 2, centre_y * 2], rtol=1e-5)
    assert faces.scores[0] == pytest.approx(0.9)


def test_a_blended_face_is_the_weighted_mean_of_cells_side_by_side() -> None:
    heatmap, size, offset, points = (np.zeros((n, 8, 12), np.float32) for n in (1, 2, 2, 10))
    size[:] = np.log(5.0)  # 20 px each way
    points[:] = 0.5  # all in the middle
    heatmap[0, 2, 3], heatmap[0, 2, 4], heatmap[0, 2, 5] = 0.9, 0.6, 0.5  # the last is two cells off
    offset[1, 2, 4] = 0.5  # x
    (alone,) = decode_centerface(heatmap, size, offset, points, scale=0.5).landmarks_xy
    (blended,) = decode_centerface(heatmap, size, offset, points, scale=0.5, blend=True).landmarks_xy
    np.testing.assert_allclose(alone, np.tile([28.0, 20.0], (5, 1)), rtol=1e-5)
    np.testing.assert_allclose(blended, np.tile([(0.9 * 28 + 0.6 * 40) / 1.5, 20.0], (5, 1)), rtol=1e-5)


def test_faces_refuse_shapes_that_disagree() -> None:
    with pytest.raises(ValueError, match="expected shapes"):
        Faces(np.zeros((2, 4), np.float32), np.zeros((1, 5, 2), np.float32), np.zeros(2, np.float32))


@given(st.integers(16, 8000), st.integers(16, 8000))
def test_working_size_grows_with_the_frame_and_never_enlarges(width: int, height: int) -> None:
    scale = working_scale(width, height)
    assert 0 < scale <= 1
    assert max(width, height) * scale <= 1200
    bigger = 2 * max(width, height)
    assert bigger * working_scale(2 * width, 2 * height) >= max(width, height) * scale - 1e-6


def test_smallest_face_decides_the_working_size() -> None:
    assert working_scale(1920, 1080, 20) == 1.0
    assert working_scale(1920, 1080, 80) == 0.25
    assert working_scale(640, 360) == 0.5


def test_centerface_finds_the_rendered_people_and_nobody_in_noise(face_frame: npt.NDArray[np.uint8]) -> None:
    detector = open_detector("centerface")
    noise = np.random.default_rng(0).integers(0, 255, face_frame.shape, dtype=np.uint8)
    found, nobody = detector.detect(np.stack([face_frame, noise]))
    assert len(found) >= 1
    assert found.scores[0] > 0.5
    left, right, nose = found.landmarks_xy[0, 0], found.landmarks_xy[0, 1], found.landmarks_xy[0, 2]
    assert left[0] < nose[0] < right[0]
    assert nose[1] > max(left[1], right[1])
    assert not (nobody.scores > 0.5).any()


def test_detection_does_not_depend_on_the_batch(face_frame: npt.NDArray[np.uint8]) -> None:
    frames = np.stack([face_frame, np.roll(face_frame, 16, axis=1), np.roll(face_frame, -16, axis=1)])
    detector = open_detector("centerface")
    together = detector.detect(frames)
    for frame, faces in zip(frames, together, strict=True):
        (alone,) = detector.detect(frame[None])
        np.testing.assert_array_equal(alone.boxes_xyxy, faces.boxes_xyxy)
    assert detector.detect(frames[:0]) == []


def test_device_path_agrees_with_the_host_path(face_frame: npt.NDArray[np.uint8]) -> None:
    torch = pytest.importorskip("torch")
    detector = CenterFace(centerface_path())
    (host,) = detector.detect(face_frame[None])
    (device,) = detector.detect(torch.from_numpy(face_frame)[None])
    assert len(host) == len(device)
    np.testing.assert_allclose(host.boxes_xyxy[0], device.boxes_xyxy[0], atol=3.0)


@pytest.mark.gpu
def test_faces_on_a_gpu_are_those_on_the_host(face_frame: npt.NDArray[np.uint8]) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    (host,) = open_detector("centerface").detect(face_frame[None])
    (device,) = open_detector("centerface", device="cuda:0").detect(torch.from_numpy(face_frame)[None].cuda())
    np.testing.assert_allclose(host.boxes_xyxy[0], device.boxes_xyxy[0], atol=3.0)


def test_default_path_imports_neither_opencv_nor_insightface_nor_torch() -> None:
    code = (
        "import sys, numpy as np\n"
        "from aucli.faces.detectors import open_detector\n"
        "open_detector('centerface').detect(np.zeros((1, 64, 64, 3), np.uint8))\n"
        "import aucli.annotation.run\n"
        "print([m for m in ('cv2', 'insightface', 'torch', 'scipy') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_unknown_detector_says_what_is_there() -> None:
    with pytest.raises(OptionsError, match=r"unknown detector 'nosuch'; at hand are centerface"):
        open_detector("nosuch")
    with pytest.raises(DetectorError, match="does not exist"):
        open_detector("nosuch.onnx")
    with pytest.raises(DetectorError, match="buffalo_l is not here yet; fetch it with: aucli models pull buffalo_l"):
        open_detector("buffalo_l")


def test_a_file_that_is_no_onnx_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(b"not a network")
    with pytest.raises(DetectorError, match="cannot be loaded"):
        open_detector(str(path))


def test_an_onnx_that_is_no_scrfd_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "centerface.onnx"
    path.write_bytes(centerface_path().read_bytes())
    with pytest.raises(DetectorError, match="not an SCRFD detector"):
        open_detector(str(path))


def test_scrfd_and_centerface_see_the_same_face(shared: Path) -> None:
    from PIL import Image

    frame = np.asarray(Image.open(shared / "videos" / "single_face.jpg").convert("RGB"))
    (scrfd,) = open_detector(str(shared / "models" / "scrfd_500m_kps.onnx")).detect(frame[None])
    (center,) = open_detector("centerface").detect(frame[None])
    assert intersection_over_union(scrfd.boxes_xyxy[:1], center.boxes_xyxy[:1])[0, 0] > 0.5
    interocular = np.linalg.norm(center.landmarks_xy[0, 1] - center.landmarks_xy[0, 0])
    assert np.abs(scrfd.landmarks_xy[0] - center.landmarks_xy[0]).max() < 0.35 * interocular
