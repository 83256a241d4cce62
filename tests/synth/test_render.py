"""Rendered pictures: geometry, people, damage, rigs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from aucli.errors import RigError
from aucli.synth.appearance import HairStyle, sample_appearance
from aucli.synth.camera import look_at
from aucli.synth.degrade import Damage, apply_damage, sample_damage
from aucli.synth.expressions import SYNTH_AUS
from aucli.synth.person import Person, lip_gap_cm
from aucli.synth.rig import FACEKIT_RANGES, load_rig
from aucli.synth.studio import Studio, angles_deg, head_rotation, needed_shapes
from tests.builders.facekit_folder import write_facekit_folder
from tests.builders.portraits import plain_look, shoot


def test_two_studios_draw_in_turn(photographer: Studio) -> None:
    before = shoot(photographer, {12: 4.0})
    other = Studio(photographer.body.rig, size_px=64, supersampling=1.0)
    try:
        assert shoot(other, {}).rgb.std() > 5
        between = shoot(photographer, {12: 4.0})
    finally:
        other.close()
    after = shoot(photographer, {12: 4.0})
    for shot in (between, after):
        np.testing.assert_array_equal(shot.rgb, before.rgb)
        assert shot.row == before.row


def test_angles_are_the_inverse_of_the_rotation() -> None:
    rng = np.random.default_rng(1)
    for angles in rng.uniform(-1.0, 1.0, (50, 3)):
        np.testing.assert_allclose(angles_deg(head_rotation(*angles)), np.degrees(angles), atol=1e-6)


def test_projection_agrees_with_similar_triangles() -> None:
    camera = look_at(np.zeros(3), np.array([0.0, 0.0, 1.0]), 50.0, roll_rad=0.0, focal=4.0)
    xy, depth = camera.project(np.array([[0.0, 0, 0], [3.0, 0, 0], [0, 2.0, 10.0]]), 200)
    np.testing.assert_allclose(xy, [[100.0, 100.0], [100 + 100 * 4 * 3 / 50, 100.0], [100.0, 100 - 100 * 4 * 2 / 40]])
    np.testing.assert_allclose(camera.distance_cm(depth), [50, 50, 40], rtol=1e-9)


def test_picture_and_landmarks(photographer: Studio) -> None:
    shot = shoot(photographer, {})
    assert shot.rgb.shape == (160, 160, 3)
    points = np.array(shot.row["landmarks68"]).reshape(68, 2)
    assert shot.row["interocular_px"] == pytest.approx(0.25 * 160, rel=0.08)
    # The person's right eye lies left in the picture; brows over eyes over nose over mouth over chin.
    assert points[36, 0] < points[45, 0]
    heights = [points[17:27, 1].mean(), points[36:48, 1].mean(), points[30, 1], points[48:60, 1].mean(), points[8, 1]]
    assert heights == sorted(heights)
    assert np.mean(shot.row["landmarks68_seen"]) > 0.75
    np.testing.assert_allclose([shot.row[f"{name}_deg"] for name in ("yaw", "pitch", "roll")], 0, atol=1e-4)
    # The dark pupil is where the landmarks say the eye is.
    eye = points[36:42].mean(axis=0).round().astype(int)
    around = shot.rgb[eye[1] - 4 : eye[1] + 5, eye[0] - 4 : eye[0] + 5].mean(axis=2)
    assert around.min() < 0.5 * shot.rgb[int(points[30, 1]), int(points[30, 0])].mean()


def test_pose_moves_the_picture_as_labelled(photographer: Studio) -> None:
    turned = shoot(photographer, {}, head=(0.5, 0.2, -0.1))
    labelled = [turned.row[f"{name}_deg"] for name in ("yaw", "pitch", "roll")]
    np.testing.assert_allclose(labelled, np.degrees([0.5, 0.2, -0.1]), atol=1e-4)
    points = np.array(turned.row["landmarks68"]).reshape(68, 2)
    # Turned to its own left, the nose moves to the right in the picture.
    assert points[30, 0] > 0.5 * (points[36, 0] + points[45, 0])
    rolled = np.array(shoot(photographer, {}, head=(0, 0, 0.3)).row["landmarks68"]).reshape(68, 2)
    assert rolled[45, 1] - rolled[36, 1] > 5


def test_lips_meet_at_rest(portraitist: Studio) -> None:
    up = np.array([0.0, 1.0, 0.0])
    for seed in range(8):
        look = dataclasses.replace(sample_appearance(np.random.default_rng(seed)), hair="bald")
        person = Person.of(portraitist.body, look)
        assert lip_gap_cm(portraitist.body, person.head, up) == pytest.approx(0.0, abs=0.01)


@pytest.mark.slow
def test_a_headscarf_covers_the_head(portraitist: Studio) -> None:
    """Nothing of ears, scalp or jaw sticks out of it, and the face lies open."""
    body = portraitist.body
    for seed in (5, 8, 13, 21):
        look = dataclasses.replace(
            sample_appearance(np.random.default_rng(seed)), headwear="scarf", glasses="none", beard="none"
        )
        person = Person.of(body, look)
        assert person.hair.empty
        seen, bare = (
            np.array(shoot(portraitist, {}, look=dataclasses.replace(look, headwear=worn)).row["landmarks68_seen"])
            for worn in ("scarf", "none")
        )
        assert (seen == bare)[27:60].all()
        assert not seen[[0, 1, 2, 14, 15, 16]].any()
        middle = np.array([0.0, 1.0, 1.0])
        shell, head = person.on_head.positions - middle, person.head[: FACEKIT_RANGES["head_neck"][1]] - middle
        head = head[(head[:, 1] > -8.0) & (head[:, 2] < 0.0)]
        shell_cm, head_cm = np.linalg.norm(shell, axis=1), np.linalg.norm(head, axis=1)
        nearest = ((head / head_cm[:, None]) @ (shell / shell_cm[:, None]).T).argmax(axis=1)
        assert (head_cm < shell_cm[nearest]).all()


@pytest.mark.parametrize("style", ["short", "swept", "bob", "long", "tied", "curly"])
def test_hair_leaves_the_face_free(portraitist: Studio, style: HairStyle) -> None:
    for seed in (5, 8, 13, 21):
        look = dataclasses.replace(sample_appearance(np.random.default_rng(seed)), headwear="none", hair=style)
        hair = Person.of(portraitist.body, look).hair
        assert len(hair.triangles) > 1000
        x, y, z = hair.positions.T
        assert not ((np.abs(x) < 4.5) & (y < 5.0) & (z > 4.0)).any()


def test_no_damage_changes_nothing_and_damage_keeps_the_shape() -> None:
    rng = np.random.default_rng(2)
    picture = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(apply_damage(picture, Damage(), rng), picture)
    for _ in range(20):
        damaged = apply_damage(picture, sample_damage(rng), rng)
        assert damaged.shape == picture.shape
        assert damaged.dtype == np.uint8
    grey = apply_damage(picture, Damage(grey=True), rng)
    assert (grey[..., 0] == grey[..., 2]).all()


@pytest.fixture(scope="module")
def obj_folder(rig_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rig as FaceKit publishes it, with two identity modes and those expressions that are used."""
    rig = load_rig(rig_path)
    names = tuple(sorted(needed_shapes()))
    rows = [rig.expression_index[name] for name in names]
    folder = tmp_path_factory.mktemp("ICT-FaceKit") / "FaceXModel"
    used = dataclasses.replace(rig, expressions=rig.expressions[rows], expression_names=names)
    write_facekit_folder(used, folder, identities=2)
    return folder


@pytest.mark.slow
def test_both_forms_of_the_rig_give_the_same_picture(photographer: Studio, obj_folder: Path) -> None:
    packed, from_folder = photographer.body.rig, load_rig(obj_folder.parent)
    assert from_folder.is_facekit
    assert from_folder.materials == packed.materials
    for name in ("triangles", "triangle_material", "uv_triangles", "landmarks68"):
        np.testing.assert_array_equal(getattr(from_folder, name), getattr(packed, name))
    # OBJ files hold six decimals, the packed rig half floats.
    np.testing.assert_allclose(from_folder.neutral, packed.neutral, atol=2e-6)
    np.testing.assert_allclose(from_folder.uv, packed.uv, atol=2e-6)
    np.testing.assert_allclose(from_folder.identities, packed.identities[:2], atol=4e-6)
    rows = [packed.expression_index[name] for name in from_folder.expression_names]
    np.testing.assert_allclose(from_folder.expressions, packed.expressions[rows], atol=4e-6)
    look = dataclasses.replace(plain_look(), identity=(1.5, -1.0))
    aus = {4: 3.0, 12: 4.0, 25: 2.0}
    expected = shoot(photographer, aus, look=look)
    studio = Studio(from_folder, size_px=160, supersampling=1.0)
    try:
        shot = shoot(studio, aus, look=look)
    finally:
        studio.close()
    assert np.mean(np.abs(shot.rgb.astype(int) - expected.rgb)) < 0.02
    assert shot.row["landmarks68"] == pytest.approx(expected.row["landmarks68"], abs=0.01)
    assert all(shot.row[f"AU{au:02d}"] == expected.row[f"AU{au:02d}"] for au in SYNTH_AUS)


def test_rigs_that_cannot_be_drawn_are_refused(photographer: Studio) -> None:
    rig = photographer.body.rig
    lacking = dataclasses.replace(rig, expressions=rig.expressions[1:], expression_names=rig.expression_names[1:])
    Studio(lacking, size_px=64, supersampling=1.0).close()  # without a pupil's shape it can be done
    lacking = dataclasses.replace(rig, expressions=rig.expressions[3:], expression_names=rig.expression_names[3:])
    with pytest.raises(RigError, match="lacks the shapes browDown_L:"):
        Studio(lacking, size_px=64, supersampling=1.0)
    elsewhere = dataclasses.replace(rig, landmarks68=rig.landmarks68[::-1].copy())
    with pytest.raises(RigError, match="present release"):
        Studio(elsewhere, size_px=64, supersampling=1.0)
