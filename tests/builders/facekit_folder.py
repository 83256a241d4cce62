"""Write a rig as the folder of OBJ files in which ICT FaceKit Light is published."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from aucli.synth.rig import NEUTRAL_OBJ, Rig


def write_facekit_folder(rig: Rig, folder: Path, *, identities: int | None = None) -> None:
    """Write a ``FaceXModel``: a material library, the neutral mesh, every mode on top of it, and the list of names.

    As in the original, each file has all vertices with six decimals, and faces that are quads wherever two triangles
    of the rig came from one.

    Args:
        rig: what to write.
        folder: made if need be.
        identities: how many identity modes to write; None for all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ICTFaceModelMaterial.mtl").write_text("".join(f"newmtl {name}\n" for name in rig.materials))
    neutral = [_line(xyz) for xyz in rig.neutral.tolist()]
    modes = {NEUTRAL_OBJ: np.zeros_like(rig.neutral)}
    modes |= {f"identity{number:03d}.obj": offsets for number, offsets in enumerate(rig.identities[:identities])}
    modes |= {f"{name}.obj": rig.expressions[row] for name, row in rig.expression_index.items()}
    faces = _faces(rig)
    for name, offsets in modes.items():
        lines = neutral.copy()
        for vertex in np.flatnonzero(offsets.any(axis=1)):
            lines[vertex] = _line((rig.neutral[vertex].astype(np.float64) + offsets[vertex]).tolist())
        (folder / name).write_text("\n".join(["mtllib ICTFaceModelMaterial.mtl", *lines, faces]))
    names = {"expressions": list(rig.expression_names), "idx_to_landmark_verts": rig.landmarks68.tolist()}
    (folder / "vertex_indices.json").write_text(json.dumps(names))


def _line(xyz: list[float]) -> str:
    return "v {:.6f} {:.6f} {:.6f}".format(*xyz)


def _faces(rig: Rig) -> str:
    """Everything after the vertices, which all files share."""
    triangles, uv_triangles, materials = (
        values.tolist() for values in (rig.triangles, rig.uv_triangles, rig.triangle_material)
    )
    lines = [f"vt {u:.6f} {v:.6f}" for u, v in rig.uv]
    material = -1
    row = 0
    while row < len(triangles):
        if materials[row] != material:
            material = materials[row]
            lines.append(f"usemtl {rig.materials[material]}")
        corners, textures = triangles[row], uv_triangles[row]
        following = row + 1
        # The next triangle belongs to the same quad if it goes on in the same fan.
        if (
            following < len(triangles)
            and materials[following] == material
            and all(
                rows[following][0] == rows[row][0] and rows[following][1] == rows[row][2]
                for rows in (triangles, uv_triangles)
            )
        ):
            corners, textures = [*corners, triangles[following][2]], [*textures, uv_triangles[following][2]]
            following += 1
        lines.append("f " + " ".join(f"{v + 1}/{t + 1}" for v, t in zip(corners, textures, strict=True)))
        row = following
    return "\n".join(lines) + "\n"
