from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aucli.datasets.load import make_report
from aucli.datasets.report import Finding, Findings, number_ranges
from aucli.datasets.samples import Samples, SamplesBuilder, SequenceInfo
from aucli.errors import DatasetError


def info(name: str = "F001_T1", *, subject: str = "bp4d/F001", kind: str = "folder") -> SequenceInfo:
    return SequenceInfo("bp4d", subject, name, Path(name), kind)  # type: ignore[arg-type]


def two_sequences() -> Samples:
    builder = SamplesBuilder((6, 12))
    builder.add(info(), frame=np.array([5, 7]), labels=np.array([[1, 0], [-1, 1]], np.int8), member=["5.jpg", "7.jpg"])
    video = info("F002_T1", subject="bp4d/F002", kind="video")
    builder.add(video, frame=np.array([1]), labels=np.array([[0, 1]], np.int8), position=np.array([0]))
    return builder.build()


def test_nothing() -> None:
    samples = SamplesBuilder((6, 12)).build()
    assert (len(samples), samples.subjects) == (0, ())
    assert np.isnan(samples.base_rates).all()
    assert samples.take(np.empty(0, np.int64)).labels.shape == (0, 2)
    assert repr(samples) == "Samples(0 frames, 0 sequences, 0 subjects, AUs 6 12)"


def test_rows_know_where_their_pixels_are() -> None:
    samples = two_sequences()
    assert (samples[1].frame, samples[1].member, samples[1].position) == (7, "7.jpg", None)
    assert (samples[2].frame, samples[2].member, samples[2].position) == (1, None, 0)
    assert samples.subjects == ("bp4d/F001", "bp4d/F002")
    assert samples.labelled.tolist() == [2, 3]
    assert samples.base_rates.tolist() == [0.5, pytest.approx(2 / 3)]
    assert samples.of_subjects(["bp4d/F002"]).tolist() == [False, False, True]


def test_taking_rows() -> None:
    samples = two_sequences()
    reversed_rows = samples.take(np.array([2, 0]))
    assert reversed_rows.frame.tolist() == [1, 5]
    assert reversed_rows.member.to_pylist() == [None, "5.jpg"]
    assert samples.take(np.array([False, True, False])).frame.tolist() == [7]


def test_columns_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        two_sequences().labels[0, 0] = 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.zeros((2, 2), np.int8)}, r"labels is int8\(2, 2\); expected int8\(3, 2\)"),
        ({"labels": np.full((3, 2), 9, np.int8)}, "labels run from 9 to 9"),
        ({"frame": np.array([5, 7, 1])}, "frame is int64"),
        ({"frame": np.array([5, 5, 1], np.int32)}, "frame 5 of F001_T1 occurs twice"),
        ({"sequence_index": np.array([0, 0, 2], np.int32)}, "reaches outside"),
        ({"position": np.array([-1, 3, 0], np.int32)}, "need a position"),
        ({"member": pa.nulls(3, pa.string())}, "need a member"),
        ({"member": pa.nulls(2, pa.string())}, r"member is string\(2\)"),
        ({"aus": (6, 6)}, "distinct action units"),
    ],
)
def test_samples_check_themselves(change: dict[str, Any], message: str) -> None:
    good = two_sequences()
    columns = {
        name: getattr(good, name)
        for name in ("aus", "sequences", "sequence_index", "frame", "position", "member", "labels")
    }
    with pytest.raises(DatasetError, match=message):
        Samples(**{**columns, **change})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bp4d", "F001", "x", Path(), "folder"), "must start with 'bp4d/'"),
        (("bp4d", "bp4d/", "x", Path(), "folder"), "must start with"),
        (("bp4d", "bp4d/F001", "", Path(), "folder"), "needs a data set and a name"),
        (("bp4d", "bp4d/F001", "x", Path(), "tape"), "allowed are folder, zip, video"),
        (("bp4d", "bp4d/F001", "x", Path(), "zip", "dev"), "allowed are train, validation, test"),
    ],
)
def test_sequences_check_themselves(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        SequenceInfo(*arguments)


@given(st.lists(st.integers(0, 40)))
def test_ranges_hold_exactly_the_numbers(numbers: list[int]) -> None:
    text = number_ranges(np.array(numbers, dtype=np.int32))
    back: set[int] = set()
    for part in filter(None, text.split(", ")):
        first, _, last = part.partition("-")
        back |= set(range(int(first), int(last or first) + 1))
    assert back == set(numbers)


def test_report_counts() -> None:
    findings = Findings()
    findings.note("nothing to say", "kept", 0, "frame")
    findings.warn("frame without image", "dropped", 2, "frame", "F001_T1", "frames 3-4")
    findings.warn("frame without image", "dropped", 1, "frame", "F002_T1")
    findings.note("images without label file", "ignored", 1, "sequence", "F003_T1")
    report = make_report("bp4d", Path("root"), two_sequences(), findings)
    assert report.counts() == {"frame without image": 3, "images without label file": 1}
    assert len(report.warnings) == 2
    assert report.to_table().row_count == 2
    assert report.findings[0].detail == "frames 3-4"
    assert list(report.base_rates) == pytest.approx([0.5, 2 / 3])
    with pytest.raises(DatasetError, match="allowed are note, warning"):
        Finding("error", "x", "kept", 1, "frame")  # type: ignore[arg-type]
