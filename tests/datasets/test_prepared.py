"""How large faces are prepared for whom, and what a cache that is there decides."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aucli.datasets.cache.writer import MANIFEST_NAME
from aucli.datasets.prepare import PrepareOptions, prepare
from aucli.datasets.prepared import border_of, open_faces
from aucli.datasets.source import DatasetSource
from aucli.errors import DatasetError
from aucli.faces.alignment import CropSpec
from aucli.models.aunce_checkpoint import published_crop
from tests.builders.benchmark_trees import make_gft
from tests.builders.face_cache import write_faces
from tests.builders.tiny_training import bp4d_faces


@given(st.floats(1, 3))
def test_the_border_is_read_off_the_crop_to_the_last_digit(border: float) -> None:
    scale = CropSpec.scale / border
    assert CropSpec.scale / border_of(scale) == scale


def side_px(cache: Path) -> int:
    manifest = json.loads((cache / MANIFEST_NAME).read_text(encoding="utf-8"))
    return int(manifest["content"]["crop"]["size_px"])


def test_faces_are_prepared_as_large_as_the_crops_beside_smaller_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(options: PrepareOptions, **_: object) -> None:
        write_faces(bp4d_faces(12), options.out, dataset="bp4d", crop=asdict(options.crop))

    monkeypatch.setattr("aucli.datasets.prepared.prepare", made)
    monkeypatch.setattr("aucli.datasets.source.user_folder", lambda: tmp_path / "home")
    source = DatasetSource(dataset="bp4d", root=tmp_path)
    for crop in (CropSpec(), published_crop(), None):
        _, problems = open_faces(source, crop=crop, may_enlarge=False, device="cpu")
        assert not problems
    usual = source.cache_folder
    larger = usual.with_name(f"{usual.name}-360px")
    assert (side_px(usual), side_px(larger)) == (256, 360)


def test_a_cache_that_is_there_is_completed_as_it_was_made(tmp_path: Path) -> None:
    root, cache = make_gft(tmp_path / "gft"), tmp_path / "cache"
    source = DatasetSource(dataset="gft", root=root, cache=cache)
    (root / "labels/001A.csv").rename(tmp_path / "001A.csv")
    (root / "labels/001A.csv").write_text("frame,AU1\n")  # fails, so that the cache is read again
    prepare(PrepareOptions(source=source, side_px=300, border=1.37, device="cpu"))
    (tmp_path / "001A.csv").rename(root / "labels/001A.csv")
    faces, problems = open_faces(source, device="cpu")
    assert not problems
    assert side_px(cache) == 300
    assert {one.name for one in faces.sequences} == {"001A", "001B", "002A"}
    with pytest.raises(DatasetError, match=r"pictures of 300 px, which crops of 224 px enlarge 1\.17 times"):
        open_faces(source, crop=published_crop(), may_enlarge=False, device="cpu")
