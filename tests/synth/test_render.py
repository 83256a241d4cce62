"""Rendered pictures and their labels: geometry, visibility, determinism, resumption."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from aucli.errors import OptionsError, RenderError, RigError
from aucli.synth import generation
from aucli.synth.appearance import Appearance, HairStyle, sample_appearance
from aucli.synth.camera import look_at
from aucli.synth.degrade import Damage, apply_damage, sample_damage
from aucli.synth.expressions import SYNTH_AUS, Expression, symmetric
from aucli.synth.generation import SCHEMA_NUMBER, generate
from aucli.synth.lighting import studio as studio_light
from aucli.synth.options import SynthOptions
from aucli.synth.person import Person, lip_gap_cm
from aucli.synth.rig import FACEKIT_RANGES, load_rig, save_rig
from aucli.synth.studio import Set, Shot, Studio, angles_deg, head_rotation, needed_shapes
from tests.builders.facekit_folder import write_facekit_folder

PLAIN = Set(
    lighting=studio_light(),
    background=np.full((4, 4, 3), 150, np.uint8),
    focal=4.0,
    face_share=0.25,
    shift=(0.0, 0.0),
    camera_height_rad=0.0,
    damage=Damage(),
)


@pytest.fixture(scope="module")
def rig_path(shared: Path) -> Path:
    return shared / "facekit" / "facekit.npz"


@pytest.fixture(scope="module")
def photographer(rig_path: Path, opengl: None) -> Any:
    try:
        studio = Studio(load_rig(rig_path), size_px=160, supersampling=1.0)
    except RenderError as error:
        pytest.skip(f"no OpenGL on this machine: {error}")
    yield studio
    studio.close()


def plain_look() -> Appearance:
    look = sample_appearance(np.random.default_rng(21))
    return dataclasses.replace(look, hair="buzz", glasses="none", headwear="none", beard="none")


def shoot(photographer: Studio, aus: dict[int, float], *, look: Appearance | None = None, **change: Any) -> Shot:
    person = Person.of(photographer.body, look or plain_look())
    head = change.pop("head", (0.0, 0.0, 0.0))
    gaze = change.pop("gaze", (0.0, 0.0))
    scenery = dataclasses.replace(PLAIN, **change)
    return photographer.shoot(person, symmetric(aus), head, gaze, scenery, np.random.default_rng(0))


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


@pytest.mark.parametrize("au", [au for au in SYNTH_AUS if au not in (25, 45)])
def test_strong_aus_are_seen_and_alone(photographer: Studio, au: int) -> None:
    codes = shoot(photographer, {au: 5.0}).row
    assert codes[f"AU{au:02d}"] == 1
    others = [other for other in SYNTH_AUS if other not in (au, 25)]
    assert all(codes[f"AU{other:02d}"] == 0 for other in others)


def test_rest_is_absent_and_traces_are_unknown(photographer: Studio) -> None:
    rest = shoot(photographer, {}).row
    assert all(rest[f"AU{au:02d}"] == 0 for au in SYNTH_AUS)
    assert shoot(photographer, {4: 0.6}).row["AU04"] == -1
    assert shoot(photographer, {12: 1.8}).row["AU12"] == -1
    assert shoot(photographer, {43: 2.0}).row["AU43"] == -1


def test_lips_are_coded_by_their_gap(photographer: Studio) -> None:
    parted = shoot(photographer, {26: 4.0}).row
    assert parted["AU25"] == 1
    assert parted["AU25_intensity"] > 1
    assert shoot(photographer, {24: 4.0}).row["AU25"] == 0
    # From above, the upper lip hides a small gap: the picture cannot tell.
    frontal, from_above = (shoot(photographer, {25: 2.8}, head=(0.0, pitch, 0.0)).row for pitch in (0.0, -0.5))
    assert from_above["AU25_intensity"] == pytest.approx(frontal["AU25_intensity"], abs=0.05)
    assert (frontal["AU25"], from_above["AU25"]) == (1, -1)


def test_lips_meet_at_rest(photographer: Studio) -> None:
    up = np.array([0.0, 1.0, 0.0])
    for seed in range(8):
        look = dataclasses.replace(sample_appearance(np.random.default_rng(seed)), hair="bald")
        person = Person.of(photographer.body, look)
        assert lip_gap_cm(photographer.body, person.head, up) == pytest.approx(0.0, abs=0.01)


def test_a_headscarf_covers_the_head(photographer: Studio) -> None:
    """Nothing of ears, scalp or jaw sticks out of it, and the face lies open."""
    body = photographer.body
    for seed in (5, 8, 13, 21):
        look = dataclasses.replace(
            sample_appearance(np.random.default_rng(seed)), headwear="scarf", glasses="none", beard="none"
        )
        person = Person.of(body, look)
        assert person.hair.empty
        seen, bare = (
            np.array(shoot(photographer, {}, look=dataclasses.replace(look, headwear=worn)).row["landmarks68_seen"])
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
def test_hair_leaves_the_face_free(photographer: Studio, style: HairStyle) -> None:
    for seed in (5, 8, 13, 21):
        look = dataclasses.replace(sample_appearance(np.random.default_rng(seed)), headwear="none", hair=style)
        hair = Person.of(photographer.body, look).hair
        assert len(hair.triangles) > 1000
        x, y, z = hair.positions.T
        assert not ((np.abs(x) < 4.5) & (y < 5.0) & (z > 4.0)).any()


@pytest.mark.parametrize("au", [1, 4, 12, 15])
def test_what_only_the_resting_face_would_show_is_unknown(photographer: Studio, au: int) -> None:
    codes = [shoot(photographer, {au: intensity}).row[f"AU{au:02d}"] for intensity in (0.0, 1.0, 1.9, 4.0, 5.0)]
    assert codes == [0, -1, -1, 1, 1]


def test_a_face_of_a_few_pixels_says_nothing(photographer: Studio) -> None:
    row = shoot(photographer, {}, face_share=0.05).row
    assert {row[f"AU{au:02d}"] for au in SYNTH_AUS} == {-1}


def test_what_is_hidden_or_too_small_is_unknown(photographer: Studio) -> None:
    shaded = dataclasses.replace(plain_look(), glasses="sunglasses", lens_tint=0.97)
    eyes = shoot(photographer, {43: 5.0}, look=shaded).row
    assert eyes["AU43"] == -1
    assert eyes["AU05"] == -1
    assert eyes["AU12"] == 0
    tiny = shoot(photographer, {7: 2.0}, face_share=0.08).row
    assert tiny["AU07"] == -1
    blurred = shoot(photographer, {14: 3.0}, damage=Damage(blur_px=6.0)).row
    assert blurred["AU14"] == -1
    blocks = [shoot(photographer, {7: 3.5}, damage=Damage(h264_crf=crf)).row["AU07"] for crf in (22, 40)]
    assert blocks == [1, -1]
    night = dataclasses.replace(studio_light(), exposure=0.001)
    assert {shoot(photographer, {12: 5.0}, lighting=night).row[f"AU{au:02d}"] for au in (1, 4, 12, 17)} == {-1}


def test_one_sided_aus_keep_their_side(photographer: Studio) -> None:
    person = Person.of(photographer.body, plain_look())
    shot = photographer.shoot(person, Expression({12: 4.0}, {}), (0, 0, 0), (0, 0), PLAIN, np.random.default_rng(0))
    assert shot.row["AU12"] == 1
    assert shot.row["AU12_asymmetry"] == pytest.approx(4.0)
    points = np.array(shot.row["landmarks68"]).reshape(68, 2)
    # The left corner, right in the picture, is pulled up.
    assert points[54, 1] < points[48, 1] - 1


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


def small(rig: Path, out: Path, **changes: Any) -> SynthOptions:
    chosen: dict[str, Any] = {"count": 5, "size_px": 64, "pictures_per_person": 2, "workers": 1, "supersampling": 1.0}
    return SynthOptions(rig=rig, out=out, **{**chosen, **changes})


def content(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


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


def test_workers_hand_their_errors_back(rig_path: Path, tmp_path: Path) -> None:
    rig = load_rig(rig_path)
    save_rig(
        dataclasses.replace(rig, expressions=rig.expressions[3:], expression_names=rig.expression_names[3:]),
        tmp_path / "rig.npz",
    )
    with pytest.raises(RigError, match="lacks the shapes"):
        generate(small(tmp_path / "rig.npz", tmp_path / "out", workers=2))


def test_same_seed_same_bytes_for_any_number_of_workers(photographer: Studio, rig_path: Path, tmp_path: Path) -> None:
    alone = generate(small(rig_path, tmp_path / "alone"))
    shared_out = generate(small(rig_path, tmp_path / "shared", workers=2))
    assert alone.frames == shared_out.frames == 5
    assert content(tmp_path / "alone") == content(tmp_path / "shared")
    generate(small(rig_path, tmp_path / "other", seed=1))
    assert content(tmp_path / "alone") != content(tmp_path / "other")


def test_a_stopped_run_goes_on(photographer: Studio, rig_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    generate(small(rig_path, out))
    whole = content(out)
    (out / "labels.parquet").unlink()
    (out / "parts" / "0000001.parquet").unlink()
    again = generate(small(rig_path, out))
    assert (again.rendered_units, again.kept_units) == (1, 2)
    assert content(out) == whole
    # What was lost, emptied or cut off afterwards is made again as well.
    (out / "pictures" / "00000" / "0000001.jpg").unlink()
    (out / "pictures" / "00000" / "0000002.jpg").write_bytes(b"")
    (out / "parts" / "0000002.parquet").write_bytes(whole["parts/0000002.parquet"][:100])
    assert generate(small(rig_path, out)).rendered_units == 3
    assert content(out) == whole
    with pytest.raises(OptionsError, match="seed=0, not seed=7"):
        generate(small(rig_path, out, seed=7))


def test_a_folder_holds_renders_of_one_rig(photographer: Studio, rig_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    generate(small(rig_path, out, count=0))
    rig = photographer.body.rig
    save_rig(dataclasses.replace(rig, neutral=rig.neutral * np.float32(1.001)), tmp_path / "other.npz")
    for count in (0, 4):
        with pytest.raises(OptionsError, match="holds a run with another rig"):
            generate(small(tmp_path / "other.npz", out, count=count))
    assert generate(small(rig_path, out, count=0)).frames == 0


def test_a_table_of_somebody_else_is_not_overwritten(rig_path: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.parquet"
    foreign = pa.table({"path": ["mine.mp4"], "AU12": [1]})
    pq.write_table(foreign, table)
    before = content(tmp_path)
    with pytest.raises(OptionsError, match=r"labels\.parquet is not the table of a run in this folder"):
        generate(small(rig_path, tmp_path, count=0))
    assert content(tmp_path) == before
    # Neither beside a run's own note.
    table.unlink()
    generate(small(rig_path, tmp_path, count=0))
    pq.write_table(foreign, table)
    with pytest.raises(OptionsError, match="is not the table of a run"):
        generate(small(rig_path, tmp_path, count=0))
    assert pq.read_table(table).equals(foreign)


def test_a_shorter_run_does_not_cut_a_finished_one(photographer: Studio, rig_path: Path, tmp_path: Path) -> None:
    generate(small(rig_path, tmp_path, count=3))
    whole = content(tmp_path)
    for count in (0, 2):
        with pytest.raises(OptionsError, match=f"finished run of 3 pictures; `count` {count} would cut it"):
            generate(small(rig_path, tmp_path, count=count))
    assert generate(small(rig_path, tmp_path, count=3)).kept_units == 2
    assert content(tmp_path) == whole


@pytest.mark.parametrize(("schema", "made"), [(None, "an aucli that wrote no schema down"), (1, "schema 1")])
def test_renders_of_another_version_are_called_so(
    rig_path: Path, tmp_path: Path, schema: int | None, made: str
) -> None:
    generate(small(rig_path, tmp_path, count=0))
    note = tmp_path / "synth.json"
    noted = json.loads(note.read_text())
    # The first ones wrote no digest of the rig down either.
    del noted["schema"], noted["rig_sha256"]
    note.write_text(json.dumps(noted if schema is None else {**noted, "schema": schema}))
    with pytest.raises(OptionsError, match=f"holds renders of {made}; this aucli makes schema {SCHEMA_NUMBER}"):
        generate(small(rig_path, tmp_path, count=0))


def test_no_more_workers_than_cores_that_may_be_used(
    rig_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class RefusedError(Exception):
        pass

    def pool(workers: int, *_: object) -> None:
        raise RefusedError(workers)

    monkeypatch.setattr(generation, "available_cores", lambda: 3)
    monkeypatch.setattr(generation, "ProcessPoolExecutor", pool)
    with pytest.raises(RefusedError, match="3"):
        generate(small(rig_path, tmp_path, count=20, workers=0))


def test_a_rig_with_too_few_people_is_refused(photographer: Studio, tmp_path: Path) -> None:
    rig = photographer.body.rig
    for modes in (0, 99):
        save_rig(dataclasses.replace(rig, identities=rig.identities[:modes]), tmp_path / "few.npz")
        with pytest.raises(RigError, match=f"few.npz has {modes} identity modes; 100 are needed"):
            generate(small(tmp_path / "few.npz", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_places_that_cannot_be_written_to(rig_path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OptionsError, match="choose another `out`"):
            generate(small(rig_path, out, count=0))
    assert (tmp_path / "file").read_text() == "mine"
    for damaged in ("", "[1]", "{"):
        (tmp_path / "synth.json").write_text(damaged)
        with pytest.raises(OptionsError, match=r"synth\.json is damaged"):
            generate(small(rig_path, tmp_path, count=0))


@pytest.mark.skipif(sys.platform == "win32", reason="killing is POSIX's")
def test_workers_end_quietly_when_the_run_is_killed(photographer: Studio, rig_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    folders = ["--rig", str(rig_path), "--out", str(out)]
    options = ["--count", "4000", "--per-person", "1", "--size", "64", "--workers", "2", "-q"]
    command = [sys.executable, "-m", "aucli", "synth", *folders, *options]
    with (tmp_path / "told").open("wb") as told:
        run = subprocess.Popen(command, stdout=told, stderr=told)
        deadline = time.monotonic() + 120
        while run.poll() is None and not list(out.glob("parts/*.parquet")) and time.monotonic() < deadline:
            time.sleep(0.05)
        run.kill()
        assert run.wait() == -signal.SIGKILL
    rendered = -1
    while rendered != len(list(out.rglob("*"))) and time.monotonic() < deadline:
        rendered = len(list(out.rglob("*")))
        time.sleep(0.5)
    assert time.monotonic() < deadline
    assert b"Traceback" not in (tmp_path / "told").read_bytes()


def test_a_longer_run_completes_a_shorter_one(photographer: Studio, rig_path: Path, tmp_path: Path) -> None:
    generate(small(rig_path, tmp_path / "grown", count=3))
    grown = generate(small(rig_path, tmp_path / "grown", count=4))
    assert (grown.rendered_units, grown.frames) == (1, 4)
    generate(small(rig_path, tmp_path / "whole", count=4))
    assert content(tmp_path / "grown") == content(tmp_path / "whole")


def test_table_fits_the_pictures(photographer: Studio, rig_path: Path, tmp_path: Path) -> None:
    result = generate(small(rig_path, tmp_path))
    rows = pq.read_table(result.table).to_pylist()
    assert [row["person"] for row in rows] == [0, 0, 1, 1, 2]
    for row in rows:
        with Image.open(tmp_path / row["path"]) as picture:
            assert picture.size == (64, 64)
        assert {row[f"AU{au:02d}"] for au in SYNTH_AUS} <= {-1, 0, 1}
        assert all(0 <= row[f"AU{au:02d}_intensity"] <= 5 for au in SYNTH_AUS)


def test_nothing_asked_for_gives_an_empty_table(rig_path: Path, tmp_path: Path) -> None:
    result = generate(small(rig_path, tmp_path, count=0))
    assert result.frames == 0
    table = pq.read_table(result.table)
    assert table.num_rows == 0
    assert "AU12" in table.column_names


def test_videos(photographer: Studio, rig_path: Path, tmp_path: Path) -> None:
    import av

    options = small(rig_path, tmp_path, kind="videos", count=1, seconds=0.4, fps=25.0)
    rows = pq.read_table(generate(options).table).to_pylist()
    assert [row["frame"] for row in rows] == list(range(10))
    assert rows[5]["time_s"] == pytest.approx(0.2)
    with av.open(str(tmp_path / rows[0]["path"])) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in container.decode(video=0)) == 10
    # The settings that libx264 writes into the stream: with macroblock trees, the bytes are not the same every time.
    assert b"mbtree=0" in (tmp_path / rows[0]["path"]).read_bytes()
    first = content(tmp_path)
    again = small(rig_path, tmp_path / "again", kind="videos", count=1, seconds=0.4, fps=25.0, workers=2)
    generate(again)
    assert content(tmp_path / "again") == first


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": -1}, "`count` is -1"),
        ({"count": 10**7}, "allowed is 0 to 9999999"),
        ({"size_px": 65}, "even number"),
        ({"kind": "films"}, "pictures or videos"),
        ({"seed": 2**63}, "`seed` is 9223372036854775808; allowed is 0 to"),
        ({"kind": "videos", "seconds": 0.2, "fps": 1}, "`seconds` 0.2 at `fps` 1 make no whole frame"),
        ({"seconds": float("nan")}, "`seconds` is nan"),
    ],
)
def test_options_check_themselves(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=message):
        SynthOptions(rig=tmp_path, out=tmp_path, **changes)


def test_command(photographer: Studio, rig_path: Path, tmp_path: Path) -> None:
    from aucli.cli import app

    runner = CliRunner()
    folders = ["synth", "--rig", str(rig_path), "--out", str(tmp_path / "out")]
    arguments = [*folders, "--count", "1", "--size", "64", "--workers", "1"]
    done = runner.invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "labels.parquet").is_file()
    missing = runner.invoke(app, ["synth", "--rig", str(tmp_path / "none"), "--out", str(tmp_path / "o")])
    assert missing.exit_code == 1
    assert "no rig at" in missing.output
    refused = runner.invoke(app, [*folders, "--size", "7"])
    assert refused.exit_code == 2
