"""What faces and scenes look like: the same in other light, blurred, half hidden; different for others; as text."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.faces.alignment import invert_similarity, similarity_from_landmarks
from aucli.faces.appearance import (
    CLOTHES_REGION,
    FACE_OVAL,
    FACE_SPEC,
    GREY,
    HEAD_REGION,
    NEUTRAL_CLOTHES,
    NEUTRAL_HEAD,
    NEUTRAL_SKIN,
    SCORE_AT_ZERO,
    SCORE_PER_CLOTHES,
    SCORE_PER_COLOURS,
    SCORE_PER_HEAD,
    SCORE_PER_SKIN,
    Appearances,
    Features,
    Observation,
    describe,
    observe,
    same_person_scores,
)
from aucli.faces.scenes import SceneThumbnail, describe_scene, same_scene
from aucli.faces.values import Faces
from tests.builders.people import appearance_of, frame_of

WIDTH, HEIGHT = 320, 240


def _faces(x: float = 160.0, y: float = 110.0, px: float = 60.0) -> Faces:
    """One face: its landmarks as the template has them."""
    points = np.array([[-0.3, -0.1], [0.3, -0.1], [0, 0.07], [-0.25, 0.25], [0.25, 0.25]]) * px + [x, y]
    box = np.array([[x - px / 2, y - px * 0.6, x + px / 2, y + px * 0.6]], np.float32)
    return Faces(box, points[None].astype(np.float32), np.array([0.9], np.float32))


def _frame(seed: int) -> npt.NDArray[np.uint8]:
    """Smooth random colours."""
    coarse = np.random.default_rng(seed).uniform(20, 235, (13, 17, 3))
    y, x = np.linspace(0, 11.99, HEIGHT), np.linspace(0, 15.99, WIDTH)
    i, j = y.astype(int)[:, None], x.astype(int)[None]
    v, u = (y % 1)[:, None, None], (x % 1)[None, :, None]
    top = coarse[i, j] * (1 - u) + coarse[i, j + 1] * u
    bottom = coarse[i + 1, j] * (1 - u) + coarse[i + 1, j + 1] * u
    return np.asarray(top * (1 - v) + bottom * v, np.uint8)


def _score(a: Appearances, b: Appearances) -> float:
    return float(same_person_scores(Features.of(a), Features.of(b))[0, 0, 0])


def test_nobody() -> None:
    frame = _frame(0)
    nobody = describe(frame, Faces.empty())
    assert len(nobody) == 0
    assert same_person_scores(Features.of(nobody), Features.of(describe(frame, _faces()))).shape == (0, 1, 2)
    assert not describe_scene(frame, Faces.empty()).people.any()
    with pytest.raises(ValueError, match="1 faces, but 0 appearances"):
        Observation(_faces(), nobody, describe_scene(frame, _faces()))


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x,
        lambda x: np.clip(x * 0.7, 0, 255),
        lambda x: np.clip(x * 1.2 + 10, 0, 255),
        lambda x: 255 * (x / 255) ** 1.2,
        lambda x: x + np.random.default_rng(0).normal(0, 6, x.shape),
        lambda x: (x + np.roll(x, 2, 0) + np.roll(x, 2, 1) + np.roll(x, 3, (0, 1))) / 4,
    ],
    ids=["as it was", "darker", "brighter", "gamma", "noise", "blur"],
)
def test_the_same_face_in_other_light(change: object) -> None:
    frame = _frame(1)
    other = np.clip(change(frame.astype(np.float64)), 0, 255).astype(np.uint8)  # type: ignore[operator]
    assert _score(describe(frame, _faces()), describe(other, _faces())) > 4
    assert same_scene(describe_scene(frame, _faces()), describe_scene(other, _faces()))


def test_another_face_and_another_scene() -> None:
    frames = [_frame(seed) for seed in range(6)]
    seen = [observe(frame, _faces()) for frame in frames]
    for n, a in enumerate(seen):
        for b in seen[:n]:
            assert _score(a.appearances, b.appearances) < 0
            assert not same_scene(a.scene, b.scene)


def test_a_face_turned_moved_and_grown_is_the_same() -> None:
    frame = _frame(2)
    upright = describe(frame, _faces())
    turned = np.ascontiguousarray(np.rot90(frame))  # anticlockwise: (x, y) -> (y, W - x)
    faces = _faces()
    points = np.stack([faces.landmarks_xy[..., 1], WIDTH - faces.landmarks_xy[..., 0]], axis=-1)
    large = np.ascontiguousarray(frame.repeat(2, axis=0).repeat(2, axis=1))
    assert _score(upright, describe(turned, Faces(faces.boxes_xyxy, points, faces.scores))) > 6
    doubled = Faces(2 * faces.boxes_xyxy, 2 * faces.landmarks_xy, faces.scores)
    assert _score(upright, describe(large, doubled)) > 6


def test_numpy_and_torch_frames_give_the_same() -> None:
    frame, faces = _frame(3), _faces(20.0, 15.0)  # partly outside
    ours, theirs = observe(frame, faces), observe(torch.from_numpy(frame), faces)
    np.testing.assert_array_equal(ours.appearances.faces, theirs.appearances.faces)
    np.testing.assert_array_equal(ours.appearances.surrounds, theirs.appearances.surrounds)
    np.testing.assert_array_equal(ours.scene.cells, theirs.scene.cells)
    assert 0 < ours.appearances.inside.mean() < 1


def test_landmarks_far_outside_or_all_in_one_point_do_no_harm() -> None:
    for points in (np.full((1, 5, 2), 1e9, np.float32), np.full((1, 5, 2), 7, np.float32)):
        faces = Faces(np.full((1, 4), 1e9, np.float32), points, np.ones(1, np.float32))
        seen = observe(_frame(4), faces)
        assert np.isfinite(_score(seen.appearances, seen.appearances))


def test_a_face_is_described_the_same_alone_and_among_others_in_any_memory_order() -> None:
    frame = _frame(9)
    parts = [_faces(x, y) for x, y in ((60.0, 70.0), (200.0, 120.0), (310.0, 230.0))]
    names = ("boxes_xyxy", "landmarks_xy", "scores")
    together = describe(frame, Faces(*(np.concatenate([getattr(part, name) for part in parts]) for name in names)))
    for n, part in enumerate(parts):
        for picture in (frame, np.asfortranarray(frame), np.pad(frame, ((3, 0), (0, 5), (0, 0)))[3:, :WIDTH]):
            alone = describe(picture, part)
            for name in ("faces", "surrounds", "inside"):
                np.testing.assert_array_equal(getattr(alone, name)[0], getattr(together, name)[n])
        for name in ("whole", "halves", "skin", "around", "inside"):
            np.testing.assert_array_equal(getattr(alone.features, name)[0], getattr(together.features, name)[n])


def test_the_cells_of_a_face_are_means_of_what_the_crop_would_show() -> None:
    frame, faces = _frame(10), _faces()
    to_frame = invert_similarity(similarity_from_landmarks(faces.landmarks_xy, FACE_SPEC.template_xy()))[0]
    slow = np.zeros((12, 12, 3), int)
    for row, column in np.ndindex(36, 36):
        x, y = to_frame @ [column + 0.5, row + 0.5, 1.0]
        slow[row // 3, column // 3] += frame[int(y), int(x)]
    np.testing.assert_array_equal(describe(frame, faces).faces[0], slow // 9)


def test_what_lies_behind_a_face_does_not_count() -> None:
    a, b = appearance_of("a"), appearance_of("b")
    elsewhere = Appearances(np.where(FACE_OVAL[..., None], a.faces, b.faces), a.surrounds, a.inside)
    assert not FACE_OVAL[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    np.testing.assert_array_equal(FACE_OVAL, FACE_OVAL[:, ::-1])  # as many cells left as right
    np.testing.assert_array_equal(
        same_person_scores(Features.of(a), Features.of(elsewhere)), same_person_scores(Features.of(a), Features.of(a))
    )


def test_half_a_face_is_enough_to_know_it() -> None:
    a, b = appearance_of("a"), appearance_of("b")
    half = Appearances(a.faces.copy(), a.surrounds, a.inside)
    half.faces[:, :, 6:] = b.faces[:, :, 6:]
    whole, better = same_person_scores(Features.of(a), Features.of(half))[0, 0]
    assert better > whole + 2
    assert better > 5
    assert same_person_scores(Features.of(b), Features.of(a))[0, 0, 1] < 0


def _slow_score(a: Appearances, b: Appearances) -> float:
    """The score of one pair in plain steps."""

    def opponent(cells: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        r, g, b = np.log(cells.astype(np.float64) + 16).transpose(2, 0, 1)
        return np.stack([(r + g + b) / 3, r - g, (r + g) / 2 - b], axis=-1)

    p, q = (x.faces[0, FACE_OVAL].astype(np.float64).ravel() for x in (a, b))
    score = SCORE_AT_ZERO + SCORE_PER_COLOURS * (1 - np.corrcoef(p, q)[0, 1])
    skins = [opponent(x.faces[0, 3:10, 3:9])[..., 1:].mean(axis=(0, 1)) for x in (a, b)]
    grey = all(np.abs(skin).max() < GREY for skin in skins)
    score += SCORE_PER_SKIN * (NEUTRAL_SKIN if grey else np.abs(skins[0] - skins[1]).sum())
    around = [opponent(x.surrounds[0]) for x in (a, b)]
    for x in around:
        x[..., 0] -= np.sort(x[4:7, 5:7, 0].ravel())[3]
    both = a.inside[0] & b.inside[0]
    for region, weight, neutral in (
        (HEAD_REGION, SCORE_PER_HEAD, NEUTRAL_HEAD),
        (CLOTHES_REGION, SCORE_PER_CLOTHES, NEUTRAL_CLOTHES),
    ):
        apart = []
        for row, column in np.argwhere(region & both):
            light, red, yellow = np.abs(around[0][row, column] - around[1][row, column])
            apart.append(min(0.5 * light + 2 * (red + yellow), 1.0))
        score += weight * (np.mean(apart) if len(apart) >= region.sum() / 4 else neutral)
    return float(score)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=4), st.integers(1, 80), st.floats(-9, 5), st.booleans())
def test_the_fast_scores_agree_with_the_slow(names: list[str], noise: int, at_least: float, cropped: bool) -> None:
    seen = [appearance_of(name, min(noise, 29), seed) for seed, name in enumerate(names)]
    if cropped:
        seen[0].inside[:, 2:] = False
    features = Features.join([Features.of(one) for one in seen])
    all_scores = same_person_scores(features, features)[..., 0]
    slow = np.array([[_slow_score(a, b) for b in seen] for a in seen])
    np.testing.assert_allclose(all_scores, slow, atol=2e-4)
    some = same_person_scores(features, features, at_least=at_least)[..., 0]
    assert (np.isneginf(some) | (some == all_scores)).all()
    assert np.isfinite(some[all_scores >= at_least]).all()


def test_a_scene_goes_on_behind_people_who_move_and_in_other_light() -> None:
    frame = _frame(5)
    moved = frame.copy()
    before, after = _faces(80.0), _faces(200.0)
    for picture, x in ((frame, 80), (moved, 200)):
        picture[60:, x - 50 : x + 50] = _frame(6)[60:, :100]  # a person down to the frame's edge
    assert same_scene(describe_scene(frame, before), describe_scene((moved * 0.8).astype(np.uint8), after))
    black = np.zeros_like(frame)
    assert not same_scene(describe_scene(frame, before), describe_scene(black, Faces.empty()))


def test_a_scene_does_not_depend_on_the_frames_size() -> None:
    frame = _frame(7)
    large = np.ascontiguousarray(frame.repeat(2, axis=0).repeat(2, axis=1))
    assert same_scene(describe_scene(frame, Faces.empty()), describe_scene(large, Faces.empty()))
    tiny = describe_scene(frame[:3, :2], Faces.empty())
    assert tiny.cells.shape == describe_scene(frame, Faces.empty()).cells.shape


def test_text_and_back() -> None:
    seen = observe(_frame(8), _faces(20.0, 15.0))
    again = Appearances.from_text(seen.appearances.to_text())
    for name in ("faces", "surrounds", "inside"):
        np.testing.assert_array_equal(getattr(again, name), getattr(seen.appearances, name))
    scene = SceneThumbnail.from_json(json.loads(json.dumps(seen.scene.to_json())))
    np.testing.assert_array_equal(scene.cells, seen.scene.cells)
    np.testing.assert_array_equal(scene.people, seen.scene.people)
    assert scene.size_wh == (WIDTH, HEIGHT)
    assert frame_of([]).scene.size_wh == (640, 360)
