"""A small study as `aucli annotate study/ -o tables/` leaves it, and its CSV of participants, for pages of docs/."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from aucli.annotation.output import assign_places, places_in_folder
from aucli.video.inputs import find_videos
from tests.builders.made_studies import MadeFilm, write_study

FILMS = {
    "study/p1/anna.mp4": MadeFilm(n_frames=500, faces={0: (0, 400), 1: (100, 500)}),
    "study/p1/anna_again.mp4": MadeFilm(n_frames=300, faces={0: (0, 300)}, fps=30.0),
    "study/p2/ben.mp4": MadeFilm(n_frames=400, faces={0: (0, 390)}),
    "study/p3/cem.mp4": MadeFilm(n_frames=200, faces={0: (0, 200)}, interocular_px=20.0),
    "study/p4/dora.mp4": MadeFilm(n_frames=350, faces={0: (50, 350)}, episode_s=1.5),
    "study/p5/eve.mp4": MadeFilm(n_frames=200, faces={0: (0, 200)}, never=("AU12",)),
    "study/nobody_knows.mp4": MadeFilm(n_frames=100, faces={0: (0, 100)}),
}
PEOPLE = """video,participant,condition
study/p1/anna.mp4,anna,rest
study/p1/anna_again.mp4,anna,rest
study/p2/ben.mp4,ben,rest
study/p3/cem.mp4,cem,task
study/p4/dora.mp4,dora,task
study/p5/eve.mp4,eve,task
"""


def write_study_of_conditions(folder: Path) -> None:
    """Write ``tables/`` and ``people.csv``; the frame rate of ``ben.mp4`` varies, and nobody smiles in ``eve.mp4``."""
    places = places_of_annotate(folder)
    for label, film in FILMS.items():
        places[label].parent.mkdir(parents=True, exist_ok=True)
        write_study(places[label], {label: film})
    _vary_frame_rate(places["study/p2/ben.mp4"])
    unfinished = folder / "tables/p6/emil.mp4.parquet.partial/0000.parquet"
    unfinished.parent.mkdir(parents=True)
    pq.write_table(pa.table({"half": [1]}), unfinished)
    (folder / "people.csv").write_text(PEOPLE, encoding="utf-8")


def places_of_annotate(folder: Path) -> dict[str, Path]:
    """Name of each video in the table -> where ``aucli annotate study/ -o tables/`` writes its table, by that code."""
    for label in FILMS:
        (folder / label).parent.mkdir(parents=True, exist_ok=True)
        (folder / label).touch()
    with contextlib.chdir(folder):
        videos = find_videos(["study/"]).videos
    wanted = {video.label: places_in_folder(folder / "tables", video.label, video.within) for video in videos}
    return assign_places(wanted)


def _vary_frame_rate(path: Path) -> None:
    table = pq.read_table(path)
    number = table.schema.get_field_index("time_s")
    frame = table["frame"].to_numpy()
    steps = np.random.default_rng(1).choice([1 / 30, 1 / 15, 1 / 10], frame.max() + 1)
    times = np.round(np.cumsum(steps) - steps[0], 6)[frame]
    pq.write_table(table.set_column(number, table.schema.field(number), pa.array(times)), path)
