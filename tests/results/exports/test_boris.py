"""BORIS projects: what BORIS asks of one when it opens it."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from aucli.results.exports.run import ExportOptions, export
from tests.builders.studies import study, write_study

RAW = ExportOptions(raw=True)


def project(path: Path) -> dict[str, Any]:
    """A project that BORIS finds nothing wrong with: its own checks on opening one (8.27)."""
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    assert read["project_format_version"] == "7.0"
    codes = {one["code"]: one["type"] for one in read["behaviors_conf"].values()}
    subjects = {one["name"] for one in read["subjects_conf"].values()}
    for observation in read["observations"].values():
        (media,) = observation["file"]["1"]
        assert set(observation["media_info"]["length"]) == set(observation["media_info"]["fps"]) == {media}
        assert [event[0] for event in observation["events"]] == sorted(event[0] for event in observation["events"])
        changes: dict[tuple[str, str], int] = defaultdict(int)
        for _, subject, code, _, _, _ in observation["events"]:
            assert codes[code] == "State event"
            assert subject in subjects
            changes[subject, code] += 1
        assert not any(count % 2 for count in changes.values()), "every state stops"
    return read


def test_an_observation_per_video_and_a_state_per_stretch(tmp_path: Path) -> None:
    table = write_study(study(), tmp_path / "t.parquet")
    done = export(table, "boris", tmp_path / "all.boris", RAW)
    read = project(done.files[0])
    assert list(read["observations"]) == ["day 1/anna.mp4", "day 2/none.mov"]
    anna = read["observations"]["day 1/anna.mp4"]
    smiles = [(event[0], event[5]) for event in anna["events"] if event[1:3] == ["face 0", "AU12"]]
    assert smiles == [(0.08, 2), (0.2, 5), (0.28, 7), (0.4, 10)]
    assert list(anna["media_info"]["fps"].values()) == [25.0]
    assert read["behaviors_conf"]["1"]["description"] == "Lip corner puller"
    assert read["project_description"].endswith(", model made-up (01234567); presence frame by frame, as in the table")
    assert read["observations"]["day 2/none.mov"]["events"] == []


def test_frames_alone_tell_rate_and_length_too(tmp_path: Path) -> None:
    done = export(study(), "boris", tmp_path / "folder", RAW)
    assert [file.name for file in done.files] == ["anna.boris", "none.boris"]
    about = project(done.files[0])["observations"]["day 1/anna.mp4"]["media_info"]
    assert (list(about["fps"].values()), list(about["length"].values())) == ([25.0], [0.4])
