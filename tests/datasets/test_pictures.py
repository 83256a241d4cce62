from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from aucli.datasets.load import load_dataset
from aucli.datasets.pictures import read_sequence, sequence_rows
from aucli.datasets.report import Findings
from aucli.datasets.samples import Samples, SamplesBuilder
from aucli.errors import DatasetError
from tests.builders.benchmark_trees import make_bp4d, make_bp4dplus, make_disfa, write_video


def greys(samples: Samples, findings: Findings, batch_size: int = 4) -> dict[int, float]:
    """Mean grey by row."""
    found = {}
    for rows in sequence_rows(samples):
        for pictures in read_sequence(samples, rows, findings, batch_size=batch_size):
            for row, picture in zip(pictures.rows.tolist(), pictures.frames_rgb, strict=True):
                assert picture.dtype == np.uint8
                assert picture.shape[2] == 3
                found[row] = float(picture.mean())
    return found


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_every_row_gets_its_own_picture(tmp_path: Path, batch_size: int) -> None:
    findings = Findings()
    for name, root in (("bp4d", make_bp4d(tmp_path / "a")), ("bp4dplus", make_bp4dplus(tmp_path / "b"))):
        samples, _ = load_dataset(name, root)
        shuffled = samples.take(np.random.default_rng(0).permutation(len(samples)))
        found = greys(shuffled, findings, batch_size)
        assert sorted(found) == list(range(len(samples)))
        for row, grey in found.items():
            assert abs(grey - 2 * shuffled.frame[row]) <= 1
    assert findings.items == []


def test_frames_of_videos(tmp_path: Path) -> None:
    samples, _ = load_dataset("disfa", make_disfa(tmp_path))
    some = samples.take(samples.frame % 3 == 2)
    found = greys(some, Findings())
    assert len(found) == len(some) == 3 * 3 - 1
    for row, grey in found.items():
        assert abs(grey - (10 + 30 * (some.frame[row] - 1))) < 10


def test_a_short_video_and_damaged_images_are_reported(tmp_path: Path) -> None:
    samples, _ = load_dataset("disfa", make_disfa(tmp_path / "d"))
    write_video(samples.sequences[0].container, [10, 40, 70, 100])
    findings = Findings()
    assert len(greys(samples, findings)) == len(samples) - 4
    assert [(f.kind, f.count, f.detail) for f in findings.items] == [
        ("frame does not decode, or decodes damaged", 4, "frames 5-8")
    ]
    bp4d, _ = load_dataset("bp4d", make_bp4d(tmp_path / "b"))
    image = tmp_path / "b/Sequences_2D+3D/F001/T1/10.jpg"
    image.write_bytes(image.read_bytes()[:200])
    (tmp_path / "b/Sequences_2D+3D/F001/T1/12.jpg").write_bytes(b"")
    findings = Findings()
    assert len(greys(bp4d, findings)) == len(bp4d) - 2
    assert [(f.where, f.detail) for f in findings.items] == [("F001_T1", "frames 10, 12")]


def test_a_member_that_left_its_archive_is_reported(tmp_path: Path) -> None:
    samples, _ = load_dataset("bp4dplus", make_bp4dplus(tmp_path))
    archive = tmp_path / "2D+3D/F001.zip"
    archive.unlink()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("F001/T1/999.jpg", b"")
    findings = Findings()
    rows = sequence_rows(samples)[0]
    assert [len(p.rows) for p in read_sequence(samples, rows, findings)] == [0]
    assert findings.items[0].count == 6
    archive.write_bytes(b"no zip")
    with pytest.raises(DatasetError, match=r"F001\.zip"):
        list(read_sequence(samples, rows, findings))


def test_nothing_and_too_much(tmp_path: Path) -> None:
    samples, _ = load_dataset("bp4d", make_bp4d(tmp_path))
    assert list(read_sequence(samples, np.empty(0, np.int64), Findings())) == []
    assert sequence_rows(SamplesBuilder((1,)).build()) == []
    with pytest.raises(DatasetError, match="one sequence at a time"):
        list(read_sequence(samples, np.arange(len(samples)), Findings()))
