"""The cache of faces: what is written is what is read, and a damaged or foreign folder is never taken for one."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from aucli.datasets.cache.reader import CachedFaces
from aucli.datasets.cache.shards import ROWS_PER_BATCH, FaceRow
from aucli.datasets.cache.writer import CacheWriter
from aucli.datasets.faces import FaceSource, LabelledFaces
from aucli.datasets.samples import SequenceInfo
from aucli.errors import BusyError, DatasetError
from aucli.faces.alignment import CropSpec
from aucli.runtime.files import folder_lock
from aucli.training.augment import AugmentConfig, plain_crops, random_views
from tests.builders.face_cache import write_faces

AUS = (1, 2, 12)
CONTENT: dict[str, Any] = {"dataset": "made", "size": 3}


def smooth(rng: np.random.Generator, width: int, height: int, channels: int) -> npt.NDArray[np.uint8]:
    """A picture that JPEG keeps well: a few colours, blended."""
    small = Image.fromarray(rng.integers(0, 256, (3, 3, 3), np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    picture = np.asarray(small if channels == 3 else small.convert("L").convert("RGB"))
    return picture[:, :, :channels]


def made_faces(count: int, *, channels: int = 3, people: int = 3, aus: tuple[int, ...] = AUS) -> LabelledFaces:
    rng = np.random.default_rng(count)
    sizes = rng.integers(16, 41, (count, 2)).astype(np.int32)
    pictures = np.zeros((count, 40, 40, channels), np.uint8)
    for picture, (width, height) in zip(pictures, sizes, strict=True):
        picture[:height, :width] = smooth(rng, width, height, channels)
    return LabelledFaces(
        aus,
        pictures,
        sizes,
        rng.uniform(0, 40, (count, 5, 2)).astype(np.float32),
        rng.integers(-1, 2, (count, len(aus))).astype(np.int8),
        np.array([f"p{i % people}" for i in range(count)], dtype=np.str_),
    )


def sequence(name: str, subject: str = "S1") -> SequenceInfo:
    return SequenceInfo("made", f"made/{subject}", name, Path("somewhere"), "folder", split="train", group="made/G1")


def row_of(frame: int, labels: tuple[int, ...] = (1, 0, -1), *, lost: bool = False, **change: Any) -> FaceRow:
    codes = np.array(labels, np.int8)
    if lost:
        return FaceRow(0, frame, codes)
    picture = smooth(np.random.default_rng(frame), 20, 20, 3)
    return FaceRow.of_picture(picture, np.full((5, 2), frame, np.float32), codes, sequence=0, frame=frame, **change)


def write_rows(folder: Path, rows: list[FaceRow], *, name: str = "A", content: dict[str, Any] = CONTENT) -> CacheWriter:
    writer = CacheWriter(folder, aus=AUS, content=content)
    with writer.shard(name, [sequence(name)], "f") as shard:
        for row in rows:
            shard.append(row)
        shard.record["note"] = "ü"
    writer.finish([name], {})
    return writer


def test_no_faces_at_all(tmp_path: Path) -> None:
    write_faces(made_faces(0), tmp_path / "c", dataset="made")
    cache = CachedFaces.open(tmp_path / "c")
    assert (len(cache), cache.aus, cache.labels.shape, len(cache.lost)) == (0, AUS, (0, 3), 0)
    assert len(cache[np.array([], int)]) == len(cache.subjects) == len(cache.samples()) == 0
    write_rows(tmp_path / "d", [])
    assert len(CachedFaces.open(tmp_path / "d")) == 0


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_written_is_what_is_read(tmp_path: Path, channels: int) -> None:
    faces = made_faces(23, channels=channels)
    write_faces(faces, tmp_path, dataset="made")
    cache = CachedFaces.open(tmp_path)
    got = cache[np.arange(len(cache))]
    assert got.aus == faces.aus
    assert cache.channels == channels
    np.testing.assert_array_equal(got.labels, faces.labels)
    np.testing.assert_array_equal(got.sizes_wh, faces.sizes_wh)
    np.testing.assert_array_equal(got.landmarks_xy, faces.landmarks_xy)
    assert got.subjects.tolist() == [f"made/{name}" for name in faces.subjects]
    height, width = got.pictures.shape[1:3]
    error = np.abs(got.pictures.astype(int) - faces.pictures[:, :height, :width])
    assert error.mean() < 1.5
    for i, (width, height) in enumerate(faces.sizes_wh):
        assert not got.pictures[i, height:].any()
        assert not got.pictures[i, :, width:].any()


def slow_rows(folder: Path) -> list[dict[str, Any]]:
    """Every row of every shard, through pyarrow alone."""
    rows: list[dict[str, Any]] = []
    for shard in json.loads((folder / "index.json").read_text())["shards"]:
        with pa.ipc.open_file((folder / "shards" / shard["file"]).read_bytes()) as reader:
            rows += reader.read_all().to_pylist()
    return rows


def test_mapped_bytes_are_those_that_arrow_reads(tmp_path: Path) -> None:
    rows = [row_of(frame, lost=frame % 7 == 0) for frame in range(ROWS_PER_BATCH + 40)]
    write_rows(tmp_path, rows)
    cache, slow = CachedFaces.open(tmp_path), [row for row in slow_rows(tmp_path) if row["jpeg"]]
    assert len(cache) == len(slow) == ROWS_PER_BATCH + 40 - 79
    for i in np.random.default_rng(0).integers(0, len(slow), 30):
        picture = np.asarray(Image.open(io.BytesIO(slow[i]["jpeg"])))
        np.testing.assert_array_equal(cache[np.array([i])].pictures[0], picture)
        assert cache.frames[i] == slow[i]["frame"]
        assert (cache.landmarks_xy[i] == slow[i]["frame"]).all()


@given(st.lists(st.integers(0, 22), max_size=12))
@settings(max_examples=20, deadline=None)
def test_rows_in_any_order_and_repeated(tmp_path_factory: pytest.TempPathFactory, rows: list[int]) -> None:
    folder = tmp_path_factory.getbasetemp() / "rows-in-any-order"
    write_faces(made_faces(23), folder, dataset="made")
    cache = CachedFaces.open(folder)
    together, chosen = cache[np.array(rows, int)], cache.subset(np.array(rows, int))
    assert len(together) == len(chosen) == len(rows)
    assert chosen.subjects.tolist() == together.subjects.tolist()
    for i, row in enumerate(rows):
        for alone in (cache[np.array([row])], chosen[np.array([i])]):
            height, width = alone.pictures.shape[1:3]
            np.testing.assert_array_equal(together.pictures[i, :height, :width], alone.pictures[0])
            np.testing.assert_array_equal(together.labels[i], alone.labels[0])


def test_masks_threads_and_other_processes(tmp_path: Path) -> None:
    write_faces(made_faces(23), tmp_path, dataset="made")
    cache = CachedFaces.open(tmp_path)
    mask = cache.subjects == "made/p1"
    everything = cache[np.arange(23)]
    np.testing.assert_array_equal(cache[mask].labels, cache.labels[mask])
    copied = pickle.loads(pickle.dumps(cache))
    np.testing.assert_array_equal(copied[np.arange(23)].pictures, everything.pictures)
    with ThreadPoolExecutor(4) as pool:
        for got in pool.map(lambda _: cache[np.arange(23)].pictures, range(8)):
            np.testing.assert_array_equal(got, everything.pictures)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forking is POSIX")
def test_a_forked_process_reads_on(tmp_path: Path) -> None:
    write_faces(made_faces(23), tmp_path, dataset="made")
    script = """
import multiprocessing, sys
import numpy as np
from aucli.datasets.cache.reader import CachedFaces
cache, rows = CachedFaces.open(sys.argv[1]), np.arange(23)
here = cache[rows].pictures.sum(dtype=np.int64)
with multiprocessing.get_context("fork").Pool(1) as pool:
    print(pool.apply_async(cache.__getitem__, (rows,)).get(30).pictures.sum(dtype=np.int64) == here)
"""
    command = [sys.executable, "-W", "ignore", "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3], timeout=60)
    assert done.stdout == "True\n", done.stderr


def test_training_can_use_it_as_it_is(tmp_path: Path) -> None:
    write_faces(made_faces(8), tmp_path, dataset="made")
    source: FaceSource = CachedFaces.open(tmp_path)
    part = source.subset(np.array([5, 1, 1]))[np.arange(3)]
    pictures = torch.from_numpy(part.pictures).permute(0, 3, 1, 2).float()
    sizes, landmarks = torch.from_numpy(part.sizes_wh), torch.from_numpy(part.landmarks_xy)
    assert random_views(pictures, sizes, landmarks, CropSpec(32), AugmentConfig()).shape == (3, 3, 32, 32)
    crops = plain_crops(pictures, landmarks, CropSpec(32))
    assert torch.equal(crops[1], crops[2])


def test_frames_without_a_face_are_kept_apart(tmp_path: Path) -> None:
    rows = [row_of(4, (1, 1, 1), score=0.75), row_of(5, (0, 1, -1), lost=True), row_of(9)]
    write_rows(tmp_path, rows)
    cache = CachedFaces.open(tmp_path)
    assert (cache.frames.tolist(), cache.lost.frames.tolist()) == ([4, 9], [5])
    assert cache.lost.labels.tolist() == [[0, 1, -1]]
    assert cache.lost.subjects.tolist() == ["made/S1"]
    assert cache.scores[0] == 0.75
    assert np.isnan(cache.scores[1])
    info = cache.sequences[0]
    assert (info.name, info.subject, info.split, info.group) == ("A", "made/S1", "train", "made/G1")
    samples = cache.samples()
    assert samples.frame.tolist() == [4, 9]
    assert samples.subjects == ("made/S1",)


def test_grey_pictures_among_coloured_ones(tmp_path: Path) -> None:
    grey = np.repeat(smooth(np.random.default_rng(1), 20, 20, 1), 3, axis=2)
    labels, points = np.zeros(3, np.int8), np.zeros((5, 2), np.float32)
    row = FaceRow.of_picture(grey, points, labels, sequence=0, frame=1)
    assert row.channels == 1
    write_rows(tmp_path, [row, row_of(2)])
    pictures = CachedFaces.open(tmp_path)[np.arange(2)].pictures
    assert (pictures[0, :, :, :1] == pictures[0]).all()
    assert np.abs(pictures[0].astype(int) - grey).mean() < 1.5
    assert not (pictures[1, :, :, :1] == pictures[1]).all()


def test_a_shard_is_whole_or_not_there(tmp_path: Path) -> None:
    writer = CacheWriter(tmp_path, aus=AUS, content=CONTENT)

    def break_off() -> None:
        with writer.shard("A", [sequence("A")], "f") as shard:
            shard.append(row_of(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert list((tmp_path / "shards").iterdir()) == []
    with pytest.raises(DatasetError, match=r"expected \(3,\)"), writer.shard("A", [sequence("A")], "f") as shard:
        shard.append(row_of(1, (1, 0)))
    with pytest.raises(DatasetError, match="unfinished; run the same aucli prepare again"):
        CachedFaces.open(tmp_path)


def test_what_was_noted_is_found_again_for_the_same_input_only(tmp_path: Path) -> None:
    writer = write_rows(tmp_path, [row_of(1)])
    assert writer.record_of("A", "f") == {"note": "ü"}
    assert writer.record_of("A", "g") is None
    assert writer.record_of("B", "f") is None
    path = writer.path_of("A")
    path.write_bytes(path.read_bytes()[:-100])
    assert writer.record_of("A", "f") is None


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_faces(made_faces(30), tmp_path / name, dataset="made")
    (a,), (b,) = ((tmp_path / name / "shards").iterdir() for name in "ab")
    assert a.read_bytes() == b.read_bytes()


def test_a_cache_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """It has a column of intensities, which were NaN throughout."""
    write_faces(made_faces(9), tmp_path, dataset="made")
    now = CachedFaces.open(tmp_path)[np.arange(9)]
    (path,) = (tmp_path / "shards").iterdir()
    with pa.ipc.open_file(path.read_bytes()) as reader:
        batches = [reader.get_batch_with_custom_metadata(i) for i in range(reader.num_record_batches)]
        field = pa.field("intensities", pa.list_(pa.float32(), len(AUS)), nullable=False)
        schema = reader.schema.insert(3, field)
    with pa.ipc.new_file(path, schema) as sink:
        for batch, metadata in batches:
            nothing = pa.array(np.full(len(batch) * len(AUS), np.nan, np.float32))
            column = pa.FixedSizeListArray.from_arrays(nothing, len(AUS))
            arrays = [*batch.columns[:3], column, *batch.columns[3:]]
            sink.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema), custom_metadata=metadata)
    index = json.loads((tmp_path / "index.json").read_text())
    index["shards"][0]["bytes"] = path.stat().st_size
    (tmp_path / "index.json").write_text(json.dumps(index))
    before = CachedFaces.open(tmp_path)
    np.testing.assert_array_equal(before[np.arange(9)].pictures, now.pictures)
    np.testing.assert_array_equal(before.labels, now.labels)


def test_another_content_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    write_rows(tmp_path, [row_of(1)])
    other = {"dataset": "made", "size": 4}
    with pytest.raises(DatasetError, match=r"made with size=3, not size=4; choose another `cache`.*`overwrite`"):
        CacheWriter(tmp_path, aus=AUS, content=other)
    CacheWriter(tmp_path, aus=AUS, content=other, overwrite=True).finish([], {})
    assert len(CachedFaces.open(tmp_path)) == 0
    with pytest.raises(DatasetError, match="size=4, not size=3"):
        CacheWriter(tmp_path, aus=AUS, content=CONTENT)


def test_folders_that_hold_no_cache(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no cache of faces"):
        CachedFaces.open(tmp_path / "nowhere")
    (tmp_path / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(DatasetError, match="something else than a cache"):
            CacheWriter(tmp_path, aus=AUS, content=CONTENT, overwrite=overwrite)
    assert (tmp_path / "thesis.txt").exists()


def test_damage_is_named(tmp_path: Path) -> None:
    write_faces(made_faces(9), tmp_path, dataset="made")
    (path,) = (tmp_path / "shards").iterdir()
    whole = path.read_bytes()
    cache = CachedFaces.open(tmp_path)
    start = int(cache._start[3])
    path.write_bytes(whole[:start] + b"\0" * 200 + whole[start + 200 :])
    with pytest.raises(DatasetError, match=f"{path.name} is damaged"):
        CachedFaces.open(tmp_path)[np.array([3])]
    path.write_bytes(b"\0" * len(whole))
    with pytest.raises(DatasetError, match=f"{path.name} is damaged"):
        CachedFaces.open(tmp_path)
    path.write_bytes(whole[:-1])
    with pytest.raises(DatasetError, match="missing or damaged; run the same"):
        CachedFaces.open(tmp_path)
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(DatasetError, match=r"index\.json is damaged"):
        CachedFaces.open(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "format": 99}))
    with pytest.raises(DatasetError, match="cache format 99"):
        CachedFaces.open(tmp_path)


def test_rows_that_make_no_sense() -> None:
    with pytest.raises(DatasetError, match="picture and landmarks, or neither"):
        FaceRow(0, 1, np.zeros(3, np.int8), jpeg=b"x")
    with pytest.raises(DatasetError, match=r"expected \(5, 2\)"):
        FaceRow(0, 1, np.zeros(3, np.int8), jpeg=b"x", landmarks_xy=np.zeros((2, 5), np.float32))


@pytest.mark.skipif(os.name == "nt", reason="locks are POSIX")
def test_two_runs_do_not_write_to_one_cache(tmp_path: Path) -> None:
    with folder_lock(tmp_path), pytest.raises(BusyError, match="another run is writing"), folder_lock(tmp_path):
        pass
    with folder_lock(tmp_path):
        pass
