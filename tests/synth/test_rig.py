"""The rig in both of its forms, and the mesh arithmetic."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from aucli.errors import RigError
from aucli.synth.mesh import Topology
from aucli.synth.rig import _ARRAYS, NEUTRAL_OBJ, PACKED_NAME, load_rig, save_rig

# A cube, as FaceKit writes its meshes: quads with texture coordinates, under two materials.
CUBE = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
QUADS = ((1, 2, 4, 3), (5, 7, 8, 6), (1, 5, 6, 2), (3, 4, 8, 7), (1, 3, 7, 5), (2, 6, 8, 4))


def write_obj(path: Path, vertices: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
    lines = ["mtllib some.mtl"]
    lines += [f"v {x:.9f} {y:.9f} {z:.9f}" for x, y, z in vertices]
    lines += ["vt 0.0 0.0", "vt 1.0 0.0", "vt 1.0 1.0", "vt 0.0 1.0", "usemtl M_Face"]
    for number, quad in enumerate(QUADS):
        if number == 4:
            lines.append("usemtl M_Teeth")
        lines.append("f " + " ".join(f"{vertex}/{k + 1}" for k, vertex in enumerate(quad)))
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def obj_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "FaceXModel"
    folder.mkdir()
    write_obj(folder / NEUTRAL_OBJ, CUBE)
    for number in range(3):
        write_obj(folder / f"identity{number:03d}.obj", CUBE * (1 + 0.125 * (number + 1)))
    write_obj(folder / "jawOpen.obj", CUBE - [0, 0.5, 0])
    write_obj(folder / "browDown_L.obj", CUBE + [0.25, 0, 0] * (CUBE[:, :1] > 0))
    (folder / "vertex_indices.json").write_text(json.dumps({"idx_to_landmark_verts": [k % 8 for k in range(68)]}))
    return folder


def test_obj_folder_is_read(obj_folder: Path) -> None:
    rig = load_rig(obj_folder)
    assert rig.neutral.shape == (8, 3)
    assert rig.expression_names == ("browDown_L", "jawOpen")
    assert rig.identities.shape == (3, 8, 3)
    assert rig.materials == ("M_Face", "M_Teeth")
    assert len(rig.triangles) == 12
    assert rig.triangle_material.tolist() == [0] * 8 + [1] * 4
    assert rig.triangles[:2].tolist() == [[0, 1, 3], [0, 3, 2]]
    assert not rig.is_facekit


def test_parent_of_the_obj_folder_will_do(obj_folder: Path) -> None:
    assert load_rig(obj_folder.parent).expression_names == ("browDown_L", "jawOpen")


def test_both_forms_give_the_same_rig(obj_folder: Path, tmp_path: Path) -> None:
    from_folder = load_rig(obj_folder)
    save_rig(from_folder, tmp_path / "rig.npz")
    packed = load_rig(tmp_path / "rig.npz")
    for name in ("neutral", "expressions", "identities", "triangles", "uv", "uv_triangles", "landmarks68"):
        np.testing.assert_array_equal(getattr(packed, name), getattr(from_folder, name))
    assert packed.materials == from_folder.materials


@pytest.mark.parametrize("name", ["neutral", "expressions", "identities", "uv"])
def test_numbers_that_are_none_are_refused(obj_folder: Path, tmp_path: Path, name: str) -> None:
    rig = load_rig(obj_folder)
    for number in (np.nan, np.inf):
        values = getattr(rig, name).copy()
        values.flat[1] = number
        with pytest.raises(RigError, match=f"the rig's {name} holds 1 values that are not finite"):
            dataclasses.replace(rig, **{name: values})
    arrays = {name: np.asarray(getattr(rig, name)) for name in _ARRAYS}
    arrays[name].flat[1] = np.nan
    np.savez(tmp_path / "rig.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(RigError, match="not finite"):
        load_rig(tmp_path / "rig.npz")


def test_wrong_shapes_are_refused(obj_folder: Path) -> None:
    rig = load_rig(obj_folder)
    for name in ("neutral", "triangles", "uv", "uv_triangles"):
        for wrong in (getattr(rig, name).ravel(), getattr(rig, name)[:, :1]):
            with pytest.raises(RigError, match=f"the rig's {name} has the shape"):
                dataclasses.replace(rig, **{name: wrong})


def test_files_that_are_no_packed_rig(obj_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "rig.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(RigError, match="holds one array"):
        load_rig(path)
    save_rig(load_rig(obj_folder), path)
    whole = path.read_bytes()
    for broken in (b"", b"PK", whole[: len(whole) // 2], whole[:-30]):
        path.write_bytes(broken)
        with pytest.raises(RigError, match="is not a packed rig"):
            load_rig(path)


def test_a_rig_is_known_by_its_digest(obj_folder: Path, tmp_path: Path) -> None:
    rig = load_rig(obj_folder)
    save_rig(rig, tmp_path / "rig.npz")
    assert load_rig(tmp_path / "rig.npz").sha256 == rig.sha256
    moved = rig.neutral.copy()
    moved[0, 0] += 0.01
    others = (
        dataclasses.replace(rig, neutral=moved),
        dataclasses.replace(rig, identities=rig.identities[:2]),
        dataclasses.replace(rig, expression_names=rig.expression_names[::-1]),
    )
    assert len({rig.sha256, *(other.sha256 for other in others)}) == 4


def test_shapes_add_up(obj_folder: Path) -> None:
    rig = load_rig(obj_folder)
    np.testing.assert_allclose(rig.identity(np.array([1.0, -1.0])), CUBE * (1 + 0.125 - 0.25), atol=1e-5)
    np.testing.assert_array_equal(rig.identity(np.zeros(0)), rig.neutral)
    np.testing.assert_array_equal(rig.offsets({}), 0)
    both = rig.offsets({"jawOpen": 0.5, "browDown_L": 2.0})
    np.testing.assert_allclose(both, [0, -0.25, 0] + np.array([0.5, 0, 0]) * (CUBE[:, :1] > 0), atol=1e-6)


def test_wrong_input_is_named(obj_folder: Path, tmp_path: Path) -> None:
    rig = load_rig(obj_folder)
    with pytest.raises(RigError, match="no shape 'nose'"):
        rig.offsets({"nose": 1.0})
    with pytest.raises(RigError, match="4 identity coefficients"):
        rig.identity(np.zeros(4))
    with pytest.raises(RigError, match="no rig at"):
        load_rig(tmp_path / "nothing.npz")
    (tmp_path / "text.npz").write_text("no zip")
    with pytest.raises(RigError, match="not a packed rig"):
        load_rig(tmp_path / "text.npz")
    np.savez(tmp_path / "half.npz", neutral=CUBE)
    with pytest.raises(RigError, match="lacks expressions"):
        load_rig(tmp_path / "half.npz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RigError, match=rf"packed {PACKED_NAME}, or .* FaceXModel with {NEUTRAL_OBJ}"):
        load_rig(tmp_path / "empty")


def rewrite(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_bytes(text.encode())


def test_obj_as_other_programs_write_it(obj_folder: Path) -> None:
    """Windows line ends, comments, blank lines, groups, normals, weights, tabs, and faces that count backwards."""
    plain = load_rig(obj_folder)
    rewrite(
        obj_folder / NEUTRAL_OBJ,
        ("mtllib some.mtl\n", "\ufeff# a comment with v 1 2 3\n\nmtllib some.mtl\no head\ng default\n"),
        ("f 1/1 2/2 4/3 3/4", "vn 0 0 1\ns off\nf -8/-4/1 2/2/1  -5/3/-1\t3/4/1 # first"),
        ("f 5/1 7/2 8/3 6/4", "f 5/1 7/2 8/3\nf 5/1 8/3 6/4"),
        ("\n", "\r\n"),
    )
    rewrite(obj_folder / "jawOpen.obj", ("000\n", "000 0.5 0.5 0.5\n"), ("v ", "  v\t"))
    other = load_rig(obj_folder)
    for name in ("neutral", "expressions", "identities", "triangles", "uv", "uv_triangles", "triangle_material"):
        np.testing.assert_array_equal(getattr(other, name), getattr(plain, name))
    assert other.materials == plain.materials


@pytest.mark.parametrize(
    ("face", "why"),
    [
        ("1 2 4 3", "vertex/texture"),
        ("1//1 2//1 4//1", "vertex/texture"),
        ("0/1 1/1 2/1", "0/1"),
        ("1/1 2/1 9/1", "9/1"),
    ],
)
def test_faces_that_cannot_be_used_are_named(obj_folder: Path, face: str, why: str) -> None:
    rewrite(obj_folder / NEUTRAL_OBJ, ("f 1/1 2/2 4/3 3/4", f"f {face}"))
    with pytest.raises(RigError, match=rf"line 15: .*{why}") as caught:
        load_rig(obj_folder)
    assert "\n" not in str(caught.value)


def test_files_that_do_not_fit_are_named(obj_folder: Path) -> None:
    write_obj(obj_folder / "jawOpen.obj", CUBE[:7])
    with pytest.raises(RigError, match=r"jawOpen\.obj has 7 vertices; the neutral mesh has 8"):
        load_rig(obj_folder)
    for content in (b"", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", bytes(range(256))):
        (obj_folder / "jawOpen.obj").write_bytes(content)
        with pytest.raises(RigError, match=r"jawOpen\.obj is not an OBJ file"):
            load_rig(obj_folder)
    (obj_folder / "jawOpen.obj").write_bytes(b"v 1 2\nv 3 4\n")
    with pytest.raises(RigError, match="not three numbers"):
        load_rig(obj_folder)


def test_an_expression_that_is_gone_is_named(obj_folder: Path) -> None:
    names = obj_folder / "vertex_indices.json"
    content = {**json.loads(names.read_text()), "expressions": ["browDown_L", "jawOpen"]}
    names.write_text(json.dumps(content))
    assert len(load_rig(obj_folder).expressions) == 2
    (obj_folder / "jawOpen.obj").unlink()
    with pytest.raises(RigError, match="lacks jawOpen"):
        load_rig(obj_folder)
    for text, why in (("{", "cannot be read"), ("[]", "cannot be read"), ('{"expressions": [1]}', "list of names")):
        names.write_text(text if text != "[]" else '{"expressions": 5}')
        with pytest.raises(RigError, match=why):
            load_rig(obj_folder)


def test_a_folder_with_the_packed_rig_will_do(obj_folder: Path, tmp_path: Path) -> None:
    packed = tmp_path / "rigs" / "facekit" / PACKED_NAME
    packed.parent.mkdir(parents=True)
    save_rig(load_rig(obj_folder), packed)
    for folder in (packed.parent, packed.parent.parent):
        assert load_rig(folder).materials == ("M_Face", "M_Teeth")
    write_obj(packed.parent / NEUTRAL_OBJ, CUBE)
    with pytest.raises(RigError, match="holds 2 rigs"):
        load_rig(packed.parent)


def test_normals_and_hollows_agree_with_plain_loops() -> None:
    rng = np.random.default_rng(3)
    positions = rng.normal(size=(30, 3)).astype(np.float32)
    triangles = np.array([rng.choice(29, 3, replace=False) for _ in range(60)], np.int32)
    topology = Topology(triangles, 30)
    normals = topology.normals(positions)
    expected = np.zeros((30, 3))
    for i, j, k in triangles:
        face = np.cross(positions[j] - positions[i], positions[k] - positions[i])
        for vertex in (i, j, k):
            expected[vertex] += face
    lengths = np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(normals, expected / np.maximum(lengths, 1e-12), atol=1e-4)
    assert not normals[29].any()

    neighbours = {v: {int(w) for t in triangles if v in t for w in t} - {v} for v in range(30)}
    curvature = np.zeros(30)
    for vertex, others in neighbours.items():
        steps = [positions[other] - positions[vertex] for other in sorted(others)]
        rises = [step @ normals[vertex] / max((step**2).sum(), 1e-4) for step in steps]
        curvature[vertex] = np.mean(rises) if rises else 0.0
    around = [np.mean([curvature[o] for o in n]) if n else 0.0 for n in neighbours.values()]
    spread = 0.5 * curvature + 0.5 * np.array(around)
    np.testing.assert_allclose(topology.hollows(positions, normals), spread, atol=1e-3)


def test_the_shared_rig_is_facekit(shared: Path) -> None:
    rig = load_rig(shared / "facekit" / "facekit.npz")
    assert rig.is_facekit
    assert len(rig.identities) == 100
    assert {"mouthSmile_L", "browDown_R", "jawOpen", "eyeBlink_L"} <= set(rig.expression_names)
