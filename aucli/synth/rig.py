"""The face rig: ICT FaceKit Light, read from its folder of OBJ files or from one packed ``.npz``.

The rig is a linear model: a face is the neutral mesh plus identity offsets plus expression offsets. Lengths are
centimetres, y points up, the face looks along +z and its left side lies at +x.
Source: https://github.com/ICT-VGL/ICT-FaceKit (MIT), whose README gives the vertex ranges and landmarks used here.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.errors import RigError

Float32 = npt.NDArray[np.float32]
Float16 = npt.NDArray[np.float16]
Int32 = npt.NDArray[np.int32]
UInt8 = npt.NDArray[np.uint8]

FACEKIT_VERTICES: Final = 26719
FACEKIT_RANGES: Final[dict[str, tuple[int, int]]] = {
    "face": (0, 9409),
    "narrow_face": (0, 6706),
    "head_neck": (9409, 11248),
    "mouth_socket": (11248, 13294),
    "eye_sockets": (13294, 14062),
    "gums_tongue": (14062, 17039),
    "teeth": (17039, 21451),
    "sclera_left": (21451, 22221),
    "sclera_right": (23021, 23791),
    "eye_occlusion": (25047, 25351),
    "eyelashes": (25351, 26719),
}
"""Half-open vertex ranges of FaceKit's parts, from the tables of its README."""
MULTIPIE_68: Final = (
    *(1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088, 3443),
    *(268, 493, 1914, 2044, 1401, 3615, 4240, 4114, 2734, 2509),
    *(978, 4527, 4942, 4857, 1140, 2075, 1147, 4269, 3360),
    *(1507, 1542, 1537, 1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732),
    *(5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957, 5841),
    *(5702, 5711, 5533, 6216, 6207, 6470, 5517, 5966),
)
"""Vertices of the 68 Multi-PIE landmarks (jaw, brows, nose, eyes, lips), from FaceKit's README."""
NEUTRAL_OBJ: Final = "generic_neutral_mesh.obj"
_VERTEX_LINE: Final = re.compile(rb"^[ \t]*v(?!\S).*$", re.MULTILINE)
PACKED_NAME: Final = "facekit.npz"
_NAMES_JSON: Final = "vertex_indices.json"
_ARRAYS: Final = (
    *("neutral", "expressions", "expression_names", "identities", "triangles", "triangle_material"),
    *("materials", "uv", "uv_triangles", "landmarks68"),
)


@dataclass(frozen=True, eq=False)
class Rig:
    """A linear face rig.

    Attributes:
        neutral: (V, 3) float32 vertices of the mean face, cm.
        expressions: (E, V, 3) float16 offsets from neutral at full activation, cm.
        expression_names: E names in ARKit's convention with ``_L`` / ``_R``, sorted as `expressions`.
        identities: (I, V, 3) float16 offsets of one standard deviation each, cm.
        triangles: (T, 3) int32 into the vertices.
        triangle_material: (T,) uint8 into `materials`.
        materials: names of the parts.
        uv: (U, 2) float32 texture coordinates.
        uv_triangles: (T, 3) int32 into `uv`.
        landmarks68: (68,) int32 vertices of the Multi-PIE landmarks.
    """

    neutral: Float32
    expressions: Float16
    expression_names: tuple[str, ...]
    identities: Float16
    triangles: Int32
    triangle_material: UInt8
    materials: tuple[str, ...]
    uv: Float32
    uv_triangles: Int32
    landmarks68: Int32

    def __post_init__(self) -> None:
        for name, columns in (("neutral", 3), ("triangles", 3), ("uv", 2), ("uv_triangles", 3)):
            shape = getattr(self, name).shape
            if len(shape) != 2 or shape[1] != columns:
                raise RigError(f"the rig's {name} has the shape {shape}; expected (N, {columns})")
        vertices = len(self.neutral)
        for name, modes in (("expressions", self.expressions), ("identities", self.identities)):
            if modes.ndim != 3 or modes.shape[1:] != (vertices, 3):
                raise RigError(f"{name} has the shape {modes.shape}; expected (N, {vertices}, 3)")
        for name in ("neutral", "expressions", "identities", "uv"):
            values = getattr(self, name)
            if values.dtype.kind != "f":
                raise RigError(f"the rig's {name} holds {values.dtype}; expected floating point numbers")
            if not np.isfinite(values).all():
                count = int((~np.isfinite(values)).sum())
                raise RigError(f"the rig's {name} holds {count} values that are not finite numbers: get it anew")
        if len(self.expression_names) != len(self.expressions):
            raise RigError(f"{len(self.expression_names)} names for {len(self.expressions)} expressions")
        if len(self.triangles) != len(self.triangle_material) or len(self.triangles) != len(self.uv_triangles):
            raise RigError("triangles, their materials and their texture coordinates differ in number")
        for name, index, limit in (
            ("triangles", self.triangles, vertices),
            ("uv_triangles", self.uv_triangles, len(self.uv)),
            ("triangle_material", self.triangle_material, len(self.materials)),
            ("landmarks68", self.landmarks68, vertices),
        ):
            if index.size and (index.min() < 0 or index.max() >= limit):
                raise RigError(f"{name} points to {index.max()}; allowed is 0 to {limit - 1}")
        if self.landmarks68.shape != (68,):
            raise RigError(f"the rig has {self.landmarks68.size} landmarks; expected 68")

    @cached_property
    def expression_index(self) -> dict[str, int]:
        """Row of `expressions` for each name."""
        return {name: row for row, name in enumerate(self.expression_names)}

    @cached_property
    def sha256(self) -> str:
        """Digest of all arrays: the same for two rigs that are the same to the bit, however they are stored."""
        digest = hashlib.sha256()
        for name in _ARRAYS:
            values = np.ascontiguousarray(getattr(self, name))
            digest.update(f"{name} {values.dtype.str} {values.shape}\n".encode())
            digest.update(values.data.cast("B"))
        return digest.hexdigest()

    @property
    def is_facekit(self) -> bool:
        """Whether the mesh has FaceKit's vertices in its order, which `FACEKIT_RANGES` and the renderer rely on.

        Its first release had as many in another order, and therefore other landmarks.
        """
        return len(self.neutral) == FACEKIT_VERTICES and tuple(self.landmarks68.tolist()) == MULTIPIE_68

    def identity(self, coefficients: npt.NDArray[np.floating[Any]]) -> Float32:
        """The neutral face of one person.

        Args:
            coefficients: up to I values in standard deviations; N(0, 1) gives plausible people.

        Returns:
            (V, 3) float32 vertices, cm.

        Raises:
            RigError: if there are more coefficients than identity modes.
        """
        count = len(coefficients)
        if count > len(self.identities):
            raise RigError(f"{count} identity coefficients given; the rig has {len(self.identities)}")
        offsets = np.asarray(coefficients, np.float32) @ self._identity_modes[:count]
        return self.neutral + offsets.reshape(-1, 3)

    @cached_property
    def _identity_modes(self) -> Float32:
        """`identities` flattened to (I, 3 V) float32: half floats are ten times slower to multiply."""
        return self.identities.astype(np.float32).reshape(len(self.identities), -1)

    def offsets(self, weights: Mapping[str, float]) -> Float32:
        """Sum of weighted expression offsets: (V, 3) float32, cm.

        Raises:
            RigError: if a name is not one of `expression_names`.
        """
        total = np.zeros_like(self.neutral)
        for name, weight in weights.items():
            if name not in self.expression_index:
                raise RigError(f"the rig has no shape {name!r}; it has {', '.join(self.expression_names)}")
            if weight:
                rows, moved = self._sparse[name]
                total[rows] += np.float32(weight) * moved
        return total

    @cached_property
    def _sparse(self) -> dict[str, tuple[npt.NDArray[np.int64], Float32]]:
        """Moved vertices and their offsets per shape: most shapes move a fifth of the mesh."""
        sparse = {}
        for name, mode in zip(self.expression_names, self.expressions, strict=True):
            rows = np.flatnonzero(np.abs(mode).max(axis=1) > 1e-4)
            sparse[name] = (rows, mode[rows].astype(np.float32))
        return sparse


def load_rig(path: Path | str) -> Rig:
    """Read a rig: a folder of FaceKit's OBJ files, or one packed ``.npz``.

    Args:
        path: either of the two, or a folder that holds one of them as ``facekit.npz`` or ``FaceXModel``.

    Raises:
        RigError: if there is nothing there, or it is not a rig.
    """
    found = find_rig(path)
    return _load_obj_folder(found) if found.is_dir() else _load_packed(found)


def find_rig(path: Path | str) -> Path:
    """Where the rig lies: the packed file, or the folder with the OBJ files, which may be inside the folder given.

    Raises:
        RigError: if neither is there, or more than one.
    """
    path = Path(path)
    if path.is_file():
        return path
    for folder in ("", "*/"):
        found = [obj.parent for obj in path.glob(folder + NEUTRAL_OBJ)] + list(path.glob(folder + PACKED_NAME))
        if len(found) > 1:
            raise RigError(f"{path} holds {len(found)} rigs ({', '.join(sorted(map(str, found)))}): give one of them")
        if found:
            return found[0]
    raise RigError(
        f"no rig at {path}: give a packed {PACKED_NAME}, or ICT FaceKit Light's folder FaceXModel with {NEUTRAL_OBJ}"
    )


def save_rig(rig: Rig, path: Path) -> None:
    """Pack a rig into one ``.npz``, which loads a hundred times faster than the OBJ files."""
    arrays = {name: np.asarray(getattr(rig, name)) for name in _ARRAYS}
    np.savez(path, **arrays)  # type: ignore[arg-type]  # numpy's stub takes allow_pickle for one of the arrays


def _load_packed(path: Path) -> Rig:
    try:
        # Opened here, for numpy leaves a broken file open.
        with path.open("rb") as file:
            packed = np.load(file, allow_pickle=False)
            if not isinstance(packed, np.lib.npyio.NpzFile):
                raise RigError(f"{path} holds one array; a packed rig (.npz) holds {', '.join(_ARRAYS)}")
            missing = [name for name in _ARRAYS if name not in packed]
            if missing:
                raise RigError(f"{path} lacks {', '.join(missing)}")
            arrays: dict[str, Any] = {name: packed[name] for name in _ARRAYS}
    except (ValueError, OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        # numpy takes any other file for a pickle, and tells how to read that without care.
        reason = "" if "pickle" in str(error) else f": {error}"
        raise RigError(
            f"{path} is not a packed rig (.npz){reason}; give facekit.npz, or the folder FaceXModel"
        ) from None
    for name in ("expression_names", "materials"):
        if arrays[name].ndim != 1:
            raise RigError(f"{path}: {name} has the shape {arrays[name].shape}; expected a list of names")
    arrays["expression_names"] = tuple(map(str, arrays["expression_names"]))
    arrays["materials"] = tuple(map(str, arrays["materials"]))
    return Rig(**arrays)


def _load_obj_folder(folder: Path) -> Rig:
    """FaceKit's own layout: every file has all vertices; the faces, quads ``f vertex/texture``, are the neutral's."""
    neutral = _read_vertices(folder / NEUTRAL_OBJ)
    identity_paths = sorted(folder.glob("identity*.obj"))
    expression_paths = sorted(set(folder.glob("*.obj")) - set(identity_paths) - {folder / NEUTRAL_OBJ})
    named = _read_names(folder)
    missing = sorted(set(named.get("expressions", ())) - {path.stem for path in expression_paths})
    if missing:
        raise RigError(f"{folder} lacks {first_of(missing)} that its {_NAMES_JSON} names: copy the whole folder")
    return Rig(
        neutral=neutral.astype(np.float32),
        expressions=_read_offsets(expression_paths, neutral),
        expression_names=tuple(path.stem for path in expression_paths),
        identities=_read_offsets(identity_paths, neutral),
        landmarks68=np.array(named.get("idx_to_landmark_verts", MULTIPIE_68), np.int32),
        **_read_topology(folder / NEUTRAL_OBJ),
    )


def first_of(names: list[str]) -> str:
    """The first of many names and how many follow, for a message of one line."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _read_offsets(paths: list[Path], neutral: npt.NDArray[np.float64]) -> Float16:
    offsets = np.zeros((len(paths), *neutral.shape), np.float16)
    for row, path in enumerate(paths):
        vertices = _read_vertices(path)
        if vertices.shape != neutral.shape:
            raise RigError(f"{path} has {len(vertices)} vertices; the neutral mesh has {len(neutral)}")
        offsets[row] = vertices - neutral
    return offsets


def _read_vertices(path: Path) -> npt.NDArray[np.float64]:
    """The ``v x y z`` lines of an OBJ file: (V, 3)."""
    lines = _VERTEX_LINE.findall(path.read_bytes().replace(b"\r", b"\n"))
    if not lines:
        raise RigError(f"{path} is not an OBJ file: it has no line that begins with v")
    values = [line.split(maxsplit=4)[1:4] for line in lines]  # a weight or a colour may follow
    try:
        if {len(xyz) for xyz in values} == {3}:
            return np.array(values, np.bytes_).astype(np.float64)
    except ValueError:
        pass
    wrong = next((line for line, xyz in zip(lines, values, strict=True) if not _are_three_numbers(xyz)), lines[0])
    raise RigError(f"{path} has a vertex that is not three numbers: {wrong.strip()[:60]!r}")


def _are_three_numbers(words: list[bytes]) -> bool:
    try:
        return len([float(word) for word in words]) == 3
    except ValueError:
        return False


def _read_topology(path: Path) -> dict[str, Any]:
    """Faces of an OBJ file as fans of triangles, with materials in order of appearance."""
    uv: list[list[float]] = []
    materials: list[str] = []
    triangles: list[tuple[int, int, int]] = []
    uv_triangles: list[tuple[int, int, int]] = []
    triangle_material: list[int] = []
    current = vertices = 0
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        word, *rest = line.partition("#")[0].split() or [""]
        try:
            if word == "v":
                vertices += 1
            elif word == "vt":
                uv.append([float(value) for value in rest[:2]])
            elif word == "usemtl":
                name = " ".join(rest)
                if name not in materials:
                    materials.append(name)
                current = materials.index(name)
            elif word == "f":
                corners = [corner.split("/") for corner in rest]
                vertex = [_obj_index(corner[0], vertices) for corner in corners]
                texture = [_obj_index(corner[1], len(uv)) for corner in corners]
                for k in range(1, len(corners) - 1):
                    triangles.append((vertex[0], vertex[k], vertex[k + 1]))
                    uv_triangles.append((texture[0], texture[k], texture[k + 1]))
                    triangle_material.append(current)
        except (ValueError, IndexError):
            raise RigError(
                f"{path}, line {number}: {line.strip()[:60]!r} is not read; faces must name vertex/texture"
            ) from None
    if not triangles:
        raise RigError(f"{path} has no faces")
    return {
        "triangles": np.array(triangles, np.int32),
        "triangle_material": np.array(triangle_material, np.uint8),
        "materials": tuple(materials) or ("default",),
        "uv": np.array(uv, np.float32).reshape(-1, 2),
        "uv_triangles": np.array(uv_triangles, np.int32),
    }


def _obj_index(word: str, count: int) -> int:
    """OBJ counts from 1, or backwards from what has been read so far: -1 is the last.

    Raises:
        ValueError: if the word is no number, or 0, or points beyond what there is.
    """
    index = int(word)
    if not 1 <= abs(index) <= count:
        raise ValueError(index)
    return index - 1 if index > 0 else count + index


def _read_names(folder: Path) -> dict[str, list[Any]]:
    """What the folder's ``vertex_indices.json`` names: expressions and landmarks. Empty where there is no such file."""
    path = folder / _NAMES_JSON
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = {name: content[name] for name in ("expressions", "idx_to_landmark_verts") if name in content}
        kinds = {"expressions": str, "idx_to_landmark_verts": int}
        wrong = [name for name, values in found.items() if not all(isinstance(value, kinds[name]) for value in values)]
    except (ValueError, TypeError) as error:
        raise RigError(f"{path} cannot be read: {error}") from None
    if wrong:
        raise RigError(f"{path}: {wrong[0]} must be a list of {'names' if wrong[0] == 'expressions' else 'vertices'}")
    return found
