"""Tables of made-up studies, as annotate writes them, and of any size: action units come and go by chance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from aucli.annotation.records import RunRecord
from aucli.annotation.table import (
    LANDMARK_COLUMNS,
    METADATA_KEY,
    QUALITY_COLUMNS,
    SCHEMA_VERSION,
    open_writer,
    table_schema,
)
from aucli.runtime.files import sha256_file
from tests.builders.annotated import VIDEO
from tests.builders.media import numbered_frame, write_film

QUALITY = {"yaw_deg": 5.0, "pitch_deg": 5.0, "roll_deg": 0.0, "sharpness": 0.4, "brightness": 120.0}
AUS = ("AU01", "AU04", "AU12", "AU25")


@dataclass(frozen=True)
class MadeFilm:
    """One film of a study.

    Attributes:
        n_frames: of it.
        faces: number of a person -> first frame, and frame after the last.
        fps: frames a second.
        interocular_px: of every face.
        quality: of every face, where it is not that of `QUALITY`.
        box: left, top, width and height of every face.
        episode_s: mean length of an episode, and of a pause is three times that.
        never: action units that nobody shows.
        more: of the record.
    """

    n_frames: int = 50
    faces: Mapping[int, tuple[int, int]] = field(default_factory=lambda: {0: (0, 50)})
    fps: float = 25.0
    interocular_px: float = 60.0
    quality: Mapping[str, float] = field(default_factory=dict)
    box: tuple[float, float, float, float] = (30.0, 20.0, 40.0, 50.0)
    episode_s: float = 0.8
    never: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


def write_study(
    path: Path, films: Mapping[str, MadeFilm], *, aus: tuple[str, ...] = AUS, run: Mapping[str, Any] | None = None
) -> Path:
    """Write a table.

    Args:
        path: of it.
        films: name in the table -> film.
        aus: action units.
        run: other values of its record.
    """
    record = RunRecord("tiny", "0" * 64, aus, (0.5,) * len(aus), "centerface", "e" * 64, {"detect_every": 1})
    records = {}
    with open_writer(path, table_schema(aus)) as writer:
        for number, (label, film) in enumerate(films.items()):
            rows = _rows(label, film, aus, seed=number)
            if len(rows):
                writer.write_table(rows)
            about = replace(VIDEO, n_frames=film.n_frames, n_rows=len(rows), fps=film.fps, fingerprint="", **film.more)
            records[label] = asdict(about)
        metadata = {"schema": SCHEMA_VERSION, "aucli": "0.1.0", **asdict(record), **dict(run or {}), "videos": records}
        writer.add_key_value_metadata({METADATA_KEY.decode(): json.dumps(metadata)})
    return path


def film_with_pictures(path: Path) -> MadeFilm:
    """Write a film of 50 frames of 160 x 120, and say that it was annotated: two faces."""
    write_film(path, [numbered_frame(number, 160, 120) for number in range(50)], fps=25)
    about = {"size_bytes": path.stat().st_size, "sha256": sha256_file(path), "width": 160, "height": 120}
    return MadeFilm(n_frames=50, faces={0: (0, 50), 1: (10, 50)}, more=about)


def _rows(label: str, film: MadeFilm, aus: tuple[str, ...], seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    spans = [(face, np.arange(*span)) for face, span in film.faces.items()]
    seen = np.unique(np.concatenate([frames for _, frames in spans] or [np.zeros(0, int)]))
    lonely = np.setdiff1d(np.arange(film.n_frames), seen)
    frame = np.concatenate([*(frames for _, frames in spans), lonely]).astype(np.int32)
    face = np.concatenate([*(np.full(len(frames), number) for number, frames in spans), np.full(len(lonely), -1)])
    p = np.concatenate(
        [*(_probabilities(rng, len(f), len(aus), film) for _, f in spans), np.zeros((len(lonely), len(aus)))]
    )
    p[:, [aus.index(au) for au in film.never]] = 0.1
    order = np.lexsort((face, frame))
    frame, face, p = frame[order], face[order].astype(np.int32), p[order].astype(np.float32)
    absent = face < 0

    def column(values: Any, kind: pa.DataType) -> pa.Array:
        return pa.array(np.broadcast_to(values, len(frame)), kind, mask=absent)

    float32 = pa.float32()
    return pa.Table.from_arrays(
        [
            pa.array([label] * len(frame), pa.string()),
            pa.array(frame, pa.int32()),
            pa.array(frame / film.fps, pa.float64()),
            column(face, pa.int32()),
            column(True, pa.bool_()),
            column(np.float32(0.9), float32),
            *(column(np.float32(value), float32) for value in film.box),
            *(column(np.float32(50), float32) for _ in LANDMARK_COLUMNS),
            column(np.float32(film.interocular_px), float32),
            *(column(np.float32(film.quality.get(name, QUALITY[name])), float32) for name in QUALITY_COLUMNS),
            *(column(p[:, a] >= 0.5, pa.bool_()) for a in range(len(aus))),
            *(column(p[:, a], float32) for a in range(len(aus))),
        ],
        schema=table_schema(aus),
    )


def _probabilities(rng: np.random.Generator, n: int, n_aus: int, film: MadeFilm) -> Any:
    """(n, A): low and high stretches of random lengths."""
    mean = max(film.episode_s * film.fps, 1.0)
    p = np.zeros((n, n_aus))
    for a in range(n_aus):
        lengths = rng.exponential(np.tile([3 * mean, mean], int(n / (4 * mean)) * 2 + 4)).astype(int) + 1
        is_on = np.repeat(np.tile([False, True], len(lengths) // 2), lengths)
        while len(is_on) < n:
            is_on = np.r_[is_on, is_on, np.zeros(1, bool)]
        p[:, a] = np.where(is_on[:n], rng.uniform(0.6, 1, n), rng.uniform(0, 0.4, n))
    return p
