"""Where panels go, and what stands in them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.results.overlay.blur import Box
from aucli.results.overlay.layout import (
    LINGER_S,
    MOST_HIDDEN,
    MOST_OF_ITS_FACE,
    FaceReading,
    PanelLayout,
    PlacedPanel,
    lingering,
    smoothed,
)
from aucli.results.overlay.paint import AuReading, Painter

READINGS = tuple(AuReading(f"AU{n:02d}", 90, 50, True) for n in (1, 6, 12))


def face(number: int, box: Box) -> FaceReading:
    return FaceReading(number, box, box, READINGS)


def overlap(one: Box, other: Box) -> float:
    w = min(one[2], other[2]) - max(one[0], other[0])
    h = min(one[3], other[3]) - max(one[1], other[1])
    return max(w, 0) * max(h, 0)


def area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def box_of(painter: Painter, panel: PlacedPanel) -> Box:
    w, h = painter.panel_size(len(panel.reading.readings), bars=panel.bars)
    return panel.x, panel.y, panel.x + w, panel.y + h


def test_no_face_no_panel() -> None:
    assert PanelLayout(Painter(640, 360)).place([], keep_off=[]) == ([], 0)


@given(
    st.lists(
        st.tuples(st.integers(0, 560), st.integers(0, 280), st.integers(20, 150), st.integers(20, 150)), max_size=9
    )
)
@settings(max_examples=60, deadline=None)
def test_panels_lie_in_the_frame_and_off_other_faces_and_panels(places: list[tuple[int, int, int, int]]) -> None:
    painter = Painter(640, 360)
    faces = [face(n, (x, y, x + w, y + h)) for n, (x, y, w, h) in enumerate(places)]
    layout = PanelLayout(painter)
    panels, n_crowded = layout.place(faces, keep_off=[one.box for one in faces])
    boxes = [box_of(painter, panel) for panel in panels]
    assert n_crowded >= len(faces) - len(panels)
    for x0, y0, x1, y1 in boxes:
        assert 0 <= x0 < x1 <= 640
        assert 0 <= y0 < y1 <= 360
    for one, other in itertools.combinations(boxes, 2):
        assert overlap(one, other) <= MOST_HIDDEN * min(area(one), area(other)) + 1e-6
    for panel, box in zip(panels, boxes, strict=True):
        for other_face in faces:
            most = MOST_OF_ITS_FACE if other_face.box == panel.reading.box else MOST_HIDDEN
            assert overlap(box, other_face.box) <= most * area(other_face.box) + 1e-6
            tag = layout.tag_box(other_face)
            assert overlap(box, tag) <= MOST_HIDDEN * area(tag) + 1e-6


def test_a_panel_stays_on_its_side_until_another_is_clearly_better() -> None:
    layout = PanelLayout(Painter(640, 360))
    ((right,), _) = layout.place([face(0, (100, 100, 200, 200))], keep_off=[(100, 100, 200, 200)])
    assert right.x > 200
    # Another face comes to its right: the panel moves; when it goes the panel stays where it is.
    boxes = [(100.0, 100.0, 200.0, 200.0), (210.0, 60.0, 300.0, 240.0)]
    ((moved,), _) = layout.place([face(0, boxes[0])], keep_off=boxes)
    assert moved.x < 200
    ((stays,), _) = layout.place([face(0, boxes[0])], keep_off=boxes[:1])
    assert (stays.x, stays.y) == (moved.x, moved.y)


def test_where_there_is_no_room_bars_go_and_then_the_panel() -> None:
    narrow = Painter(100, 96)
    assert narrow.panel_size(3, bars=False)[0] < 100 < narrow.panel_size(3, bars=True)[0]
    ((panel,), n_crowded) = PanelLayout(narrow).place([face(0, (10, 10, 40, 40))], keep_off=[(10, 10, 40, 40)])
    assert (panel.bars, n_crowded) == (False, 1)
    tiny = Painter(40, 40)
    assert PanelLayout(tiny).place([face(0, (10, 10, 20, 20))], keep_off=[(10, 10, 20, 20)]) == ([], 1)


def test_smoothing_is_the_mean_of_what_is_near_in_time() -> None:
    times = np.array([0.0, 0.1, 0.2, 5.0])
    boxes = np.array([[0.0] * 4, [3.0] * 4, [6.0] * 4, [100.0] * 4])
    np.testing.assert_allclose(smoothed(times, boxes)[:, 0], [3.0, 3.0, 3.0, 100.0])
    assert smoothed(np.zeros(0), np.zeros((0, 4))).shape == (0, 4)


def test_an_action_unit_lingers_after_it_was_present_and_not_before() -> None:
    times = np.array([0.0, 0.5, 1.0, 1.0 + LINGER_S, 1.01 + LINGER_S])
    present = np.array([[False], [False], [True], [False], [False]])
    np.testing.assert_array_equal(lingering(times, present)[:, 0], [False, False, True, True, False])


@pytest.mark.parametrize(("width", "height"), [(640, 360), (1920, 1080), (1080, 1920), (3840, 2160), (128, 96)])
def test_text_grows_with_the_frame_and_is_never_too_small(width: int, height: int) -> None:
    painter = Painter(width, height)
    assert painter.text_px == max(round(13 * min(width, height) / 360), 10)
    w, h = painter.panel_size(3, bars=True)
    patch = painter.panel(READINGS, (86, 180, 233), bars=True)
    assert patch.size_wh == (w, h)
    assert patch.light.max() > 200  # white text
