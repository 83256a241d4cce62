"""A finished cache of any faces, as `aucli prepare` would leave it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from aucli.datasets.cache.shards import FaceRow
from aucli.datasets.cache.writer import CacheWriter
from aucli.datasets.faces import LabelledFaces
from aucli.datasets.samples import SequenceInfo


def write_faces(faces: LabelledFaces, folder: Path, *, dataset: str, crop: Mapping[str, float] | None = None) -> None:
    """Write faces as one shard with a sequence a subject; the frame numbers are the rows.

    `crop` is how the cache says that faces lie in its pictures; None says nothing.
    """
    names, codes = np.unique(faces.subjects, return_inverse=True)
    sequences = [SequenceInfo(dataset, f"{dataset}/{name}", str(name), folder, "folder") for name in names]
    content = {"dataset": dataset, "faces": len(faces), **({"crop": dict(crop)} if crop else {})}
    writer = CacheWriter(folder, aus=faces.aus, content=content)
    with writer.shard(dataset, sequences, "made") as shard:
        for row in range(len(faces)):
            width, height = faces.sizes_wh[row]
            shard.append(
                FaceRow.of_picture(
                    faces.pictures[row, :height, :width],
                    faces.landmarks_xy[row],
                    faces.labels[row],
                    sequence=int(codes[row]),
                    frame=row,
                )
            )
    writer.finish([dataset], {})
