"""Windows about known faces: what is cut out, when a window stays, what is found in it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.faces.centerface import CenterFace, centerface_path
from aucli.faces.search import FaceSearch
from aucli.faces.values import Faces, intersection_over_union
from aucli.faces.windows import (
    HELD_SHIFT,
    WINDOW_SCALE,
    aligned_as_in_film,
    cut_window,
    find_in_windows,
    measured_anew,
    place_windows,
    windows_about,
)

NONE = np.zeros((0, 3))
Picture = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def detector() -> CenterFace:
    return CenterFace(centerface_path())


@pytest.fixture(scope="module")
def seen(face_frame: Picture, detector: CenterFace) -> Faces:
    """The faces of the whole picture."""
    (faces,) = detector.detect(face_frame[None])
    return faces[faces.scores >= 0.5]


def test_nobody_needs_no_window(face_frame: Picture, detector: CenterFace) -> None:
    assert windows_about(np.zeros((0, 4))).shape == (0, 3)
    assert place_windows(np.zeros((0, 4)), np.array([[1.0, 2.0, 3.0]])).shape == (0, 3)
    assert find_in_windows([], detector) == []
    ((faces, found),) = find_in_windows([(face_frame, NONE, np.zeros((0, 4)))], detector)
    assert (len(faces), found.shape) == (0, (0,))
    assert len(measured_anew(Faces.empty(), faces, found)) == 0


@settings(deadline=None)
@given(st.integers(-30, 90), st.integers(-30, 60), st.integers(8, 60))
def test_a_window_of_whole_pixels_is_a_slice_with_black_around(left: int, top: int, side: int) -> None:
    frame = np.random.default_rng(0).integers(1, 255, (40, 70, 3), dtype=np.uint8)
    cut = cut_window(frame, (left + side / 2, top + side / 2, side), side)
    assert (cut.left_px, cut.top_px, cut.px) == (left, top, 1.0)
    expected = np.zeros((side, side, 3), np.uint8)
    for row in range(side):
        for column in range(side):
            if 0 <= top + row < 40 and 0 <= left + column < 70:
                expected[row, column] = frame[top + row, left + column]
    np.testing.assert_array_equal(cut.picture_rgb, expected)


def test_a_window_shrinks_to_what_it_shows() -> None:
    frame = np.zeros((200, 300, 3), np.uint8)
    frame[:, 150:] = 200
    cut = cut_window(frame, (150.25, 100.5, 128.0), 32)
    picture = cut.picture_rgb
    edge = cut.left_px + cut.px * (np.flatnonzero(picture[16, :, 0] > 100)[0])
    assert edge == pytest.approx(150, abs=cut.px)
    assert (picture[:, :14] == 0).all()
    assert (picture[:, 18:] == 200).all()


def test_a_window_stays_while_its_face_hardly_moves() -> None:
    boxes = np.array([[100.0, 100.0, 160.0, 180.0], [300.0, 100.0, 360.0, 180.0]])
    known = place_windows(boxes, NONE)
    np.testing.assert_array_equal(known, [[130, 140, 80 * WINDOW_SCALE], [330, 140, 80 * WINDOW_SCALE]])
    trembling = boxes + 0.9 * 80 * HELD_SHIFT
    np.testing.assert_array_equal(place_windows(trembling, known), known)
    moved = boxes + np.array([[1.1 * 80 * HELD_SHIFT], [0.0]])
    placed = place_windows(moved, known)
    np.testing.assert_array_equal(placed[0], windows_about(moved)[0])
    np.testing.assert_array_equal(placed[1], known[1])
    grown = boxes * 1.1
    np.testing.assert_array_equal(place_windows(grown, known), windows_about(grown))


def test_a_face_is_found_where_it_moved_to(face_frame: Picture, seen: Faces, detector: CenterFace) -> None:
    expected = seen.boxes_xyxy + np.float32(5.0)
    ((faces, found),) = find_in_windows([(face_frame, windows_about(expected), expected)], detector)
    assert found.all()
    assert (np.diagonal(intersection_over_union(faces.boxes_xyxy, seen.boxes_xyxy)) > 0.8).all()
    eyes = np.linalg.norm(seen.landmarks_xy[:, 1] - seen.landmarks_xy[:, 0], axis=1)
    apart = np.linalg.norm(faces.landmarks_xy - seen.landmarks_xy, axis=2).mean(axis=1)
    assert (apart < 0.1 * eyes).all()


def test_no_face_is_found_where_none_is(face_frame: Picture, seen: Faces, detector: CenterFace) -> None:
    without = face_frame.copy()
    left, top, right, bottom = seen.boxes_xyxy[0].astype(int)
    without[top - 20 : bottom + 20, left - 20 : right + 20] = 128
    boxes = seen.boxes_xyxy
    ((_, found),) = find_in_windows([(without, windows_about(boxes), boxes)], detector)
    assert not found[0]
    assert found[1:].all()


def test_two_windows_do_not_find_one_face_twice(face_frame: Picture, seen: Faces, detector: CenterFace) -> None:
    boxes = np.stack([seen.boxes_xyxy[0], seen.boxes_xyxy[0] + np.float32(6.0)])
    ((_, found),) = find_in_windows([(face_frame, windows_about(boxes), boxes)], detector)
    assert found.sum() == 1


def test_the_whole_picture_says_who_may_begin_a_number(seen: Faces) -> None:
    shown = Faces(
        seen.boxes_xyxy + np.float32(1), seen.landmarks_xy + np.float32(1), np.full(len(seen), 0.9, np.float32)
    )
    weak = Faces(shown.boxes_xyxy, shown.landmarks_xy, np.full(len(seen), 0.31, np.float32))
    doubtful = Faces(seen.boxes_xyxy, seen.landmarks_xy, np.full(len(seen), 0.4, np.float32))
    every = np.ones(len(seen), bool)
    np.testing.assert_allclose(measured_anew(doubtful, shown, every).scores, 0.4)
    np.testing.assert_allclose(measured_anew(seen, weak, every).scores, 0.5)
    np.testing.assert_array_equal(measured_anew(seen, shown, every).landmarks_xy, shown.landmarks_xy)
    unseen = measured_anew(seen, shown, ~every)  # what a window does not show stays as the whole picture has it
    np.testing.assert_array_equal(unseen.landmarks_xy, seen.landmarks_xy)
    np.testing.assert_array_equal(unseen.scores, seen.scores)


def test_windows_of_several_frames_are_looked_into_at_once(
    face_frame: Picture, seen: Faces, detector: CenterFace
) -> None:
    moved = np.roll(face_frame, 8, axis=1)
    looks = [(frame, windows_about(seen.boxes_xyxy), seen.boxes_xyxy) for frame in (face_frame, moved)]
    together = find_in_windows(looks, detector)
    for look, (faces, found) in zip(looks, together, strict=True):
        ((alone, found_alone),) = find_in_windows([look], detector)
        np.testing.assert_array_equal(found, found_alone)
        np.testing.assert_allclose(faces.landmarks_xy, alone.landmarks_xy, atol=1e-2)


def test_training_lays_faces_out_as_films_do(face_frame: Picture, seen: Faces, detector: CenterFace) -> None:
    search = FaceSearch(detector)
    ((in_film),) = search.search_run(None, [], search.search(face_frame))
    (whole,) = detector.detect(face_frame[None])
    in_training = aligned_as_in_film(face_frame, whole, detector)
    np.testing.assert_array_equal(in_training.landmarks_xy, in_film.faces.landmarks_xy)
    assert np.abs(in_training.landmarks_xy - whole.landmarks_xy).max() > 0  # not those of the whole picture
    assert len(aligned_as_in_film(face_frame, Faces.empty(), detector)) == 0


def test_a_detector_without_windows_has_the_last_word(face_frame: Picture, seen: Faces) -> None:
    class WholeOnly:
        name, digest = "whole", "0"

        def detect(self, *_: object, **__: object) -> list[Faces]:
            raise AssertionError

    assert aligned_as_in_film(face_frame, seen, WholeOnly()) is seen
