"""Preparing benchmarks: real faces in the owners' layouts, broken ones too, and kills at any moment."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from aucli.cli import app
from aucli.datasets.cache.reader import CachedFaces
from aucli.datasets.face_finding import cut_with_border
from aucli.datasets.folds import make_folds
from aucli.datasets.load import load_dataset
from aucli.datasets.prepare import Prepared, PrepareOptions, prepare
from aucli.datasets.prepared import open_faces
from aucli.datasets.source import DatasetSource
from aucli.errors import DatasetError, OptionsError
from aucli.faces.alignment import CropSpec, crop_faces
from aucli.faces.detectors import open_detector
from aucli.faces.search import FaceSearch
from aucli.faces.values import WindowDetector
from aucli.runtime.progress import Progress
from aucli.training.augment import plain_crops
from tests.builders.benchmark_trees import make_affwild2, make_bp4d, make_bp4dplus, make_disfa, make_disfaplus, make_gft
from tests.builders.media import write_film

RUNNER = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})
Picture = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def portraits(example: Path) -> list[Picture]:
    """Frames of the example clip, smaller, with the person on the left alone."""
    with av.open(str(example)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return [np.asarray(Image.fromarray(frame[:, :320]).resize((192, 192))) for frame in frames[::10]]


def put_faces_in(folder: Path, portraits: Sequence[Picture]) -> None:
    """Give the pictures of a tree a face each, in the order of their names."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".jpg", ".png"))
    for i, path in enumerate(paths):
        Image.fromarray(portraits[i % len(portraits)]).save(path, quality=95)


@pytest.fixture
def bp4d(tmp_path: Path, portraits: list[Picture]) -> Path:
    root = make_bp4d(tmp_path / "bp4d")
    put_faces_in(root / "Sequences_2D+3D", portraits)
    return root


@pytest.fixture(scope="module")
def prepared_once(tmp_path_factory: pytest.TempPathFactory, portraits: list[Picture]) -> tuple[Path, Path]:
    """BP4D and its cache, made in one go; both to be read only."""
    folder = tmp_path_factory.mktemp("once")
    root = make_bp4d(folder / "bp4d")
    put_faces_in(root / "Sequences_2D+3D", portraits)
    run(root, folder / "whole")
    return root, folder / "whole"


def source(root: Path, out: Path, dataset: str = "bp4d", own: Sequence[str] = ()) -> DatasetSource:
    return DatasetSource.from_pairs(dataset, root=root, cache=out, pairs=own)


def run(root: Path, out: Path, dataset: str = "bp4d", *, own: Sequence[str] = (), **options: Any) -> Prepared:
    return prepare(PrepareOptions(source=source(root, out, dataset, own), device="cpu", **options))


def shards(cache: Path) -> dict[str, str]:
    """Digest of every shard."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (cache / "shards").iterdir()}


def kinds(prepared: Prepared) -> dict[str, int]:
    return prepared.report.counts()


def test_labels_people_and_frames_come_along(bp4d: Path, tmp_path: Path) -> None:
    reports: list[Progress] = []
    options = PrepareOptions(source=source(bp4d, tmp_path / "c"), device="cpu")
    done = prepare(options, on_progress=reports.append)
    samples, read = load_dataset("bp4d", bp4d)
    cache = CachedFaces.open(tmp_path / "c")
    assert (done.n_faces, done.n_written, done.n_kept, dict(done.failures)) == (35, 6, 0, {})
    assert len(cache) == len(samples) == 35
    assert cache.aus == samples.aus
    expected = {
        (samples.sequences[s].name, frame): labels.tolist()
        for s, frame, labels in zip(samples.sequence_index, samples.frame.tolist(), samples.labels, strict=True)
    }
    for i in range(len(cache)):
        info = cache.sequences[cache.sequence_index[i]]
        assert cache.labels[i].tolist() == expected[info.name, int(cache.frames[i])]
        assert cache.subjects[i] == info.subject == f"bp4d/{info.name[:4]}"
    assert (cache.scores >= 0.5).all()
    assert done.report.findings[: len(read.findings)] == read.findings
    assert [(p.item, p.n_done) for p in reports if p.n_done == p.n_total][-1] == ("F004_T2", 6)
    mine = [split.rows(cache.samples()) for split in make_folds(cache.samples())[0]]
    theirs = [split.rows(samples) for split in make_folds(samples)[0]]
    assert [len(rows.test) for rows in mine] == [len(rows.test) for rows in theirs]


def test_a_plain_crop_from_the_cache_is_nearly_the_one_annotate_makes(prepared_once: tuple[Path, Path]) -> None:
    bp4d, whole = prepared_once
    detector = open_detector(None)
    assert isinstance(detector, WindowDetector)
    cache, search, spec = CachedFaces.open(whole), FaceSearch(detector), CropSpec()
    samples, _ = load_dataset("bp4d", bp4d)
    for row in range(0, 35, 6):
        found = np.flatnonzero(samples.frame == cache.frames[row])
        name = cache.sequences[cache.sequence_index[row]].name
        (original,) = [i for i in found if samples.sequences[samples.sequence_index[i]].name == name]
        path = samples.sequences[samples.sequence_index[original]].container / samples.member[int(original)].as_py()
        frame = np.asarray(Image.open(path).convert("RGB"))
        (seen,) = search.search_run(None, [], search.search(frame))
        annotated = crop_faces(frame, seen.faces.landmarks_xy[:1], spec)[0]
        part = cache[np.array([row])]
        pictures = torch.from_numpy(part.pictures).permute(0, 3, 1, 2).float()
        cached = plain_crops(pictures, torch.from_numpy(part.landmarks_xy), spec)[0].permute(1, 2, 0).numpy()
        assert np.abs(cached - annotated).mean() < 2.5
        # A shift by one pixel would show:
        assert np.abs(np.roll(cached, 1, axis=1) - annotated).mean() > np.abs(cached - annotated).mean()


@pytest.mark.slow
def test_every_benchmark_can_be_prepared(tmp_path: Path, portraits: list[Picture]) -> None:
    trees = {
        "bp4dplus": make_bp4dplus(tmp_path / "bp4dplus"),
        "disfa": make_disfa(tmp_path / "disfa"),
        "disfaplus": make_disfaplus(tmp_path / "disfaplus"),
        "gft": make_gft(tmp_path / "gft"),
        "affwild2": make_affwild2(tmp_path / "affwild2"),
    }
    for name, root in trees.items():
        put_faces_in(root, portraits)
        for film in root.rglob("*.avi"):
            write_film(film, portraits[:8])
        done = run(root, tmp_path / f"cache-{name}", name)
        cache = CachedFaces.open(tmp_path / f"cache-{name}")
        samples, _ = load_dataset(name, root)
        # The tree of BP4D+ holds labels of one task without its pictures.
        assert set(done.failures) == ({"F005_T1"} if name == "bp4dplus" else set())
        assert len(cache) + len(cache.lost) == len(samples), name
        with_faces = len(samples) - 12 if name == "bp4dplus" else len(samples)  # the zip's pictures are flat
        assert len(cache) == with_faces, name
        assert {s.split for s in cache.sequences} == {s.split for s in samples.sequences}


def test_the_person_on_the_side_that_the_name_says(tmp_path: Path, example: Path) -> None:
    root = make_affwild2(tmp_path / "a")
    with av.open(str(example)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    pairs = [np.asarray(frame, np.uint8) for frame in frames[:80:10]]
    for film in root.rglob("*.mp4"):
        film.unlink()
        write_film(film.with_suffix(".avi"), pairs)
    run(root, tmp_path / "c", "affwild2", own=["pixels=videos"])
    cache, detector = CachedFaces.open(tmp_path / "c"), open_detector(None)
    for name, side in (("video2_left", np.argmin), ("video10_1_right", np.argmax)):
        (number,) = [i for i, info in enumerate(cache.sequences) if info.name == name]
        row = int(np.flatnonzero((cache.sequence_index == number) & (cache.frames == 6))[0])
        (faces,) = detector.detect(pairs[5][None])
        expected = int(side(faces.boxes_xyxy[:, 0]))
        spec = PrepareOptions(source=source(root, tmp_path / "c", "affwild2")).crop
        picture, landmarks = cut_with_border(pairs[5], faces.landmarks_xy[expected], spec)
        assert np.abs(cache.landmarks_xy[row] - landmarks).max() < 4
        got = cache[np.array([row])].pictures[0]
        side_px = min(len(got), len(picture))
        assert np.abs(got[:side_px, :side_px].astype(int) - picture[:side_px, :side_px]).mean() < 12


def test_films_keep_their_frame_numbers(tmp_path: Path, portraits: list[Picture]) -> None:
    root = make_disfa(tmp_path / "disfa")
    flat = np.full_like(portraits[0], 90)
    for film in root.rglob("*.avi"):
        write_film(film, [*portraits[:3], flat, *portraits[4:8]])
    run(root, tmp_path / "c", "disfa", batch_size=3)
    cache = CachedFaces.open(tmp_path / "c")
    assert cache.frames.tolist() == [1, 2, 3, 5, 6, 7, 8] * 2 + [1, 2, 3, 5, 6, 7]
    assert cache.lost.frames.tolist() == [4, 4, 4]
    assert cache.lost.labels[:, cache.aus.index(25)].tolist() == [1, 1, 1]
    report = json.loads((tmp_path / "c/report.json").read_text())
    assert [s["without_face"] for s in report["sequences"]] == [1, 1, 1]


def test_pictures_without_faces(tmp_path: Path) -> None:
    done = run(make_bp4d(tmp_path / "b"), tmp_path / "c")
    cache = CachedFaces.open(tmp_path / "c")
    assert (done.n_faces, len(cache), len(cache.lost), len(cache[np.array([], int)])) == (0, 0, 35, 0)
    assert kinds(done)["no face found"] == 35
    assert done.report.warnings[-1].kind == "many labelled frames are without a face"


def test_faces_that_are_lost_with_an_action_unit(bp4d: Path, tmp_path: Path) -> None:
    samples, _ = load_dataset("bp4d", bp4d)
    smiling = np.flatnonzero(samples.labels[:, samples.aus.index(12)] == 1)
    for row in smiling[::2]:
        path = samples.sequences[samples.sequence_index[row]].container / samples.member[int(row)].as_py()
        Image.new("RGB", (320, 320), (90, 90, 90)).save(path)
    done = run(bp4d, tmp_path / "c")
    (told,) = [
        f.detail for f in done.report.findings
        if f.kind == "base rate differs where a face was found" and f.detail.startswith("AU12 ")
    ]  # fmt: skip
    cache = CachedFaces.open(tmp_path / "c")
    rate = (cache.labels[:, cache.aus.index(12)] == 1).mean()
    assert told == f"AU12 is present in {100 * rate:.1f} % of frames with a face, 34.3 % of all"


def test_neither_batches_nor_threads_change_a_byte(prepared_once: tuple[Path, Path], tmp_path: Path) -> None:
    bp4d, whole = prepared_once
    run(bp4d, tmp_path / "b", batch_size=1, workers=1)
    run(bp4d, tmp_path / "c", batch_size=4, workers=5)
    assert shards(whole) == shards(tmp_path / "b") == shards(tmp_path / "c")
    assert len(shards(whole)) == 6


def test_the_second_run_reads_labels_and_no_pictures(bp4d: Path, tmp_path: Path) -> None:
    first = run(bp4d, tmp_path / "c")
    files = {path: path.read_bytes() for path in (tmp_path / "c").rglob("*.*")}
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "c" / "shards").iterdir()}
    second = run(bp4d, tmp_path / "c")
    assert (second.report, second.n_faces, second.n_written, second.n_kept) == (first.report, 35, 0, 6)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "c" / "shards").iterdir()} == times
    assert {path: path.read_bytes() for path in (tmp_path / "c").rglob("*.*")} == files


def test_only_what_changed_is_done_again(bp4d: Path, tmp_path: Path) -> None:
    run(bp4d, tmp_path / "c")
    before = shards(tmp_path / "c")
    (lost,) = (tmp_path / "c/shards").glob("*F003_T1*")
    lost.unlink()
    again = run(bp4d, tmp_path / "c")
    assert (again.n_written, again.n_kept) == (1, 5)
    assert shards(tmp_path / "c") == before
    (tmp_path / "c/index.json").unlink()
    labels = bp4d / "AUCoding/AU_OCC/F001_T2.csv"
    labels.write_text("\n".join(labels.read_text().splitlines()[:-1]) + "\n")
    again = run(bp4d, tmp_path / "c")
    assert (again.n_written, again.n_kept, again.n_faces) == (1, 5, 34)


def test_another_partition_redoes_no_picture_and_a_finished_cache_follows_it(tmp_path: Path) -> None:
    root, cache = make_gft(tmp_path / "gft"), tmp_path / "cache"
    split_of = {"001A": "train", "001B": "train", "002A": "test"}

    def assign(**changed: str) -> None:
        rows = [f"{who},{split}" for who, split in (split_of | changed).items()]
        (root / "gft_partition.csv").write_text("\n".join(["participant,split", *rows]))

    def held(faces: CachedFaces) -> dict[str, str | None]:
        return {one.name: one.split for one in faces.sequences}

    assign()
    assert run(root, cache, "gft").n_written == 3
    before = shards(cache)
    assert held(CachedFaces.open(cache)) == split_of
    assign(**{"001B": "test"})
    assert held(open_faces(source(root, cache, "gft"), device="cpu")[0]) == split_of | {"001B": "test"}
    assert held(CachedFaces.open(cache)) == split_of  # whoever gives no root has what was prepared
    assert run(root, cache, "gft").n_written == 0
    assert shards(cache) == before
    assert held(CachedFaces.open(cache)) == split_of | {"001B": "test"}


def test_a_label_file_that_makes_no_sense_fails_and_the_others_are_read(tmp_path: Path) -> None:
    root = make_gft(tmp_path / "gft")
    path = root / "labels/001A.csv"
    path.write_text(path.read_text().replace(",1", ",2", 1))
    prepared = run(root, tmp_path / "cache", "gft")
    assert prepared.n_written == 2
    assert list(prepared.failures) == ["001A"]
    assert "labels cannot be read: AU" in prepared.failures["001A"]


def test_other_options_are_refused_until_overwritten(bp4d: Path, tmp_path: Path) -> None:
    run(bp4d, tmp_path / "c")
    with pytest.raises(DatasetError, match=r"made with aus=\[\], not aus=\[12\]; choose another `cache`, or replace"):
        run(bp4d, tmp_path / "c", own=["aus=12"])
    done = run(bp4d, tmp_path / "c", own=["aus=12"], overwrite=True)
    assert done.n_written == 6
    assert CachedFaces.open(tmp_path / "c").aus == (12,)


def test_a_broken_sequence_does_not_stop_the_others(tmp_path: Path, portraits: list[Picture]) -> None:
    root = make_bp4d(tmp_path / "b")
    images = root / "Sequences_2D+3D"
    put_faces_in(images, portraits)
    for path in (images / "F003/T1").iterdir():
        path.write_bytes(path.read_bytes()[:300])
    (images / "F004/T1/9.jpg").write_bytes(b"")
    done = run(root, tmp_path / "c")
    assert list(done.failures) == ["F003_T1", "F004_T1"]
    assert done.failures["F004_T1"] == "1 of 6 labelled frames cannot be read; the others are in the cache"
    assert "none of the 6 labelled pictures" in done.failures["F003_T1"]
    assert kinds(done)["sequence cannot be read"] == 1
    assert kinds(done)["image cannot be read"] == 1
    assert len(CachedFaces.open(tmp_path / "c")) == 35 - 6 - 1
    put_faces_in(images / "F003/T1", portraits)
    again = run(root, tmp_path / "c")
    assert (again.n_written, again.n_kept, list(again.failures)) == (2, 4, ["F004_T1"])
    assert len(CachedFaces.open(tmp_path / "c")) == 35 - 1
    put_faces_in(images / "F004/T1", portraits)
    again = run(root, tmp_path / "c")
    assert (again.n_written, again.n_kept, again.n_faces, dict(again.failures)) == (1, 5, 35, {})


def test_a_broken_video_is_a_failure(tmp_path: Path, portraits: list[Picture]) -> None:
    root = make_disfa(tmp_path / "d")
    films = sorted((root / "Videos_LeftCamera").glob("*.avi"))
    for film in films[1:]:
        write_film(film, portraits[:8])
    whole = films[1].read_bytes()
    films[0].write_bytes(b"RIFF")
    films[1].write_bytes(whole[: len(whole) // 2])
    done = run(root, tmp_path / "c", "disfa")
    assert list(done.failures) == ["SN001_left", "SN003_left"]
    assert "cannot be opened" in done.failures["SN001_left"]
    assert "of 8 labelled frames cannot be read; the others are in the cache" in done.failures["SN003_left"]
    assert {s.name for s in CachedFaces.open(tmp_path / "c").sequences} == {"SN003_left", "SN006_left"}
    films[1].write_bytes(whole)
    write_film(films[0], portraits[:8])
    assert not run(root, tmp_path / "c", "disfa").failures
    assert len(CachedFaces.open(tmp_path / "c")) == 23


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
@pytest.mark.parametrize("n_before", [0, 3])
def test_killed_at_any_moment_and_run_again_gives_the_same_bytes(
    prepared_once: tuple[Path, Path], tmp_path: Path, n_before: int
) -> None:
    bp4d, whole = prepared_once
    arguments = ["prepare", "--dataset", "bp4d", "--root", str(bp4d), "--out", str(tmp_path / "c"), "--workers", "1"]
    command = [sys.executable, "-m", "aucli", *arguments, "--device", "cpu", "--quiet"]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    folder = tmp_path / "c/shards"
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s and process.poll() is None:
        if folder.is_dir() and any(folder.iterdir()) and len(list(folder.glob("[!.]*.arrow"))) >= n_before:
            break
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    n_whole = len(list(folder.glob("[!.]*.arrow")))
    assert n_before <= n_whole < 6
    with pytest.raises(DatasetError, match="unfinished"):
        CachedFaces.open(tmp_path / "c")
    done = run(bp4d, tmp_path / "c")
    assert done.n_kept == n_whole
    assert shards(tmp_path / "c") == shards(whole)
    for name in ("index.json", "report.json"):
        assert (tmp_path / "c" / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="limits are POSIX")
def test_a_full_disk_ends_the_run_and_keeps_what_is_done(bp4d: Path, tmp_path: Path) -> None:
    arguments = ["prepare", "--dataset", "bp4d", "--root", str(bp4d), "--out", str(tmp_path / "c"), "--quiet"]
    limited = f"ulimit -f 50; exec {sys.executable} -m aucli {' '.join(arguments)} --device cpu"
    done = subprocess.run(["sh", "-c", limited], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 1
    assert "cannot be written (File too large); make room and run the same command again" in done.stderr
    assert "Traceback" not in done.stderr
    assert run(bp4d, tmp_path / "c").n_faces == 35


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"device": "tpu"}, "`device` is 'tpu'"),
        ({"workers": 0}, "`workers` is 0; allowed is 1 to 256"),
        ({"border": 0.5}, "`border` is 0.5"),
        ({"source": source(Path("/r/x"), Path("/r/x"))}, "`cache` is /r/x, which holds the data set"),
        ({"source": DatasetSource(dataset="bp4d", cache=Path("/o"))}, "give `root`"),
    ],
)
def test_wrong_options(change: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        PrepareOptions(**{"source": source(Path("/r/x"), Path("/o")), **change})


def command(*arguments: object, code: int = 0) -> Any:
    result = RUNNER.invoke(app, ["prepare", *map(str, arguments)])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def test_the_command(bp4d: Path, tmp_path: Path) -> None:
    assert "Usage:" in command("--help").output
    shutil.rmtree(bp4d / "Sequences_2D+3D/F004")
    paths = ("--root", bp4d, "-o", tmp_path / "c", "--device", "cpu")
    first = command("--dataset", "bp4d", *paths, code=1)
    assert first.stdout.splitlines()[0] == f"23 faces in 23 labelled frames -> {tmp_path / 'c'}"
    assert "failed: F004_T1: labelled sequence without pixels" in first.stderr
    for path in bp4d.rglob("F004_T*.csv"):
        path.unlink()
    second = command("--dataset", "bp4d", *paths)
    assert "4 of 4 sequences were prepared before; --overwrite reads the data set again" in second.stderr
    result = json.loads(command("--dataset", "bp4d", *paths, "--json").stdout)
    assert (result["faces"], result["sequences_kept"], result["failures"]) == (23, 4, {})
    quiet = command("--dataset", "bp4d", *paths, "--quiet")
    assert quiet.output == ""
    assert "error: --dataset is 'x'; allowed are bp4d" in command("--dataset", "x", *paths, code=2).stderr
    inside = ("--root", bp4d, "-o", bp4d)
    assert "error: --out is" in command("--dataset", "bp4d", *inside, code=2).stderr
    assert "error: --workers is 0" in command("--dataset", "bp4d", *paths, "--workers", 0, code=2).stderr
    wrong = command("--dataset", "bp4d", *paths, "--option", "camera=left", code=2).stderr
    assert "error: --option is 'camera=left'; allowed is KEY=VALUE" in wrong
    assert "--overwrite" in command("--dataset", "bp4d", *paths, "--option", "aus=12", code=1).stderr
    for path in (bp4d / "Sequences_2D+3D/F001/T1").iterdir():
        path.write_bytes(b"")
    failed = command("--dataset", "bp4d", *paths, "--overwrite", code=1)
    assert "failed: F001_T1: none of the" in failed.stderr
