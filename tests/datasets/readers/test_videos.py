"""Films whose frame rate is not that of their labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aucli.datasets.load import load_dataset
from aucli.datasets.pictures import read_sequence, sequence_rows
from aucli.datasets.readers.videos import nearest_frames
from aucli.datasets.report import OTHER_RATE, Findings
from aucli.datasets.samples import Samples
from tests.builders.benchmark_trees import make_disfa, make_gft, write_video

RATES = st.sampled_from([1.0, 12.5, 15.0, 20.0, 25.0, 29.97, 30.0, 60.0])


@given(film_rate=RATES, label_rate=RATES, n_frames=st.integers(1, 40), n_labels=st.integers(0, 40))
def test_each_label_takes_the_nearest_frame_and_each_frame_the_nearest_label(
    film_rate: float, label_rate: float, n_frames: int, n_labels: int
) -> None:
    film_s, label_s = np.arange(n_frames) / film_rate, np.arange(n_labels) / label_rate
    labels, frames = nearest_frames(film_s + 7.5, label_s)
    found = dict(zip(frames.tolist(), labels.tolist(), strict=True))
    assert list(found) == sorted(found)
    assert list(found.values()) == sorted(found.values())
    slack = max(1 / film_rate if n_frames > 1 else 0.0, 1 / label_rate if n_labels > 1 else 0.0) / 2 + 1e-6
    # The slow way: every label asks every frame, then every frame chooses.
    wanted: dict[int, list[tuple[float, int]]] = {}
    for i, time_s in enumerate(label_s.tolist()):
        distance, frame = min((abs(time_s - f), k) for k, f in enumerate(film_s.tolist()))
        if distance <= slack:
            wanted.setdefault(frame, []).append((distance, i))
    near = {frame: min(distance for distance, _ in those) for frame, those in wanted.items()}
    for frame, label in found.items():
        assert abs(label_s[label] - film_s[frame]) <= slack
    # Where two frames are equally near, either may be taken; none is lost beside them.
    assert abs(len(found) - len(wanted)) <= sum(d > slack - 2e-6 or d * film_rate > 0.49 for d in near.values())
    if film_rate == label_rate:
        assert labels.tolist() == frames.tolist() == list(range(min(n_frames, n_labels)))


def greys(samples: Samples, subject: str) -> list[int]:
    """Grey of the frame that each label of a subject is paired with, by the label's number."""
    (rows,) = (
        rows for rows in sequence_rows(samples) if samples.sequences[samples.sequence_index[rows[0]]].subject == subject
    )
    pictures = [picture for batch in read_sequence(samples, rows, Findings()) for picture in batch.frames_rgb]
    return [round(float(picture.mean()) / 10) * 10 for picture in pictures]


@pytest.mark.parametrize(("fps", "repeats"), [(40, 2), (60, 3)])
def test_a_film_of_disfa_at_another_rate_is_left_out_or_paired_by_time(tmp_path: Path, fps: int, repeats: int) -> None:
    make_disfa(tmp_path)
    film = tmp_path / "Videos_LeftCamera/LeftVideoSN001_comp.avi"
    write_video(film, [10 + 30 * (i // repeats) for i in range(8 * repeats)], fps=fps)
    samples, report = load_dataset("disfa", tmp_path)
    assert "disfa/SN001" not in samples.subjects
    (told,) = [finding for finding in report.findings if finding.kind == OTHER_RATE]
    assert told.where == "SN001_left"
    assert f"{8 * repeats} frames, {fps} a second, for 8 labels, 20 a second; the option pairing=time" in told.detail
    paired, report = load_dataset("disfa", tmp_path, {"pairing": "time"})
    assert greys(paired, "disfa/SN001") == [10 + 30 * i for i in range(8)]
    assert report.count("labels paired by time") == 8
    # Labels at the film's own rate fit it, and are one to one.
    fitting, report = load_dataset("disfa", tmp_path, {"label_rate": fps})
    assert greys(fitting, "disfa/SN001") == [10 + 30 * (i // repeats) for i in range(8)]
    assert not report.count(OTHER_RATE)


def test_a_film_of_gft_at_half_the_rate_shows_every_other_label(tmp_path: Path) -> None:
    make_gft(tmp_path)
    write_video(tmp_path / "videos/001A.avi", [0, 40, 80], fps=15)
    samples, _ = load_dataset("gft", tmp_path)
    assert "gft/001A" not in samples.subjects
    samples, report = load_dataset("gft", tmp_path, {"pairing": "time"})
    rows = np.flatnonzero(samples.of_subjects(("gft/001A",)))
    assert samples.frame[rows].tolist() == [1, 3, 5]
    assert samples.position[rows].tolist() == [0, 1, 2]
    assert report.count("label without a frame of its own at its time") == 2
