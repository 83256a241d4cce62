"""The whole way, with the real decoder, detector and model, on the rendered clip that travels with the project."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

import aucli
from aucli.annotation.options import AnnotateOptions
from aucli.annotation.table import LANDMARK_COLUMNS, table_schema
from aucli.errors import OptionsError, VideoError
from aucli.models.zoo import find_model
from tests.builders.media import MadeVideo


def _annotate(videos: Any, output: Path, **options: Any) -> pl.DataFrame:
    outcome = aucli.annotate(videos, output, options=AnnotateOptions(**options))
    assert outcome.failures == {}
    return aucli.read(output)


@pytest.fixture(scope="module")
def whole(example: Path, tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """The clip, annotated with default options."""
    return _annotate(example, tmp_path_factory.mktemp("whole") / "t.parquet")


def _times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        start = (container.start_time or 0) / 1e6
        return [float(frame.time) - start for frame in container.decode(video=0)]


def test_every_frame_is_there_with_its_time(example: Path, whole: pl.DataFrame) -> None:
    times = _times(example)
    assert whole["frame"].unique(maintain_order=True).to_list() == list(range(len(times)))
    per_frame = whole.group_by("frame", maintain_order=True).first()
    np.testing.assert_allclose(per_frame["time_s"].to_numpy(), times, atol=1e-6)


def test_the_table_has_the_models_columns_and_types(example: Path, tmp_path: Path) -> None:
    _annotate(example, tmp_path / "t.parquet", end_s=0.2)
    columns = find_model("aunce-small").config.au_columns
    schema = pa.parquet.read_schema(tmp_path / "t.parquet")
    assert schema.remove_metadata() == table_schema(columns)


def test_values_make_sense(whole: pl.DataFrame) -> None:
    faces = whole.drop_nulls("face")
    assert len(faces) > 0.9 * len(whole)
    assert faces["score"].is_between(0.3, 1.0).all()
    assert (faces["w"] > 0).all()
    model = find_model("aunce-small").config
    for column, threshold in zip(model.au_columns, model.thresholds, strict=True):
        p = faces[f"{column}_p"]
        assert p.is_between(0.0, 1.0).all()
        logit = (p / (1 - p)).log().to_numpy()
        limit = np.log(threshold / (1 - threshold))
        assert faces[column].filter(logit >= limit + 0.61).all()
        assert not faces[column].filter(logit < limit - 0.61).any()


def test_without_hysteresis_the_threshold_alone_decides(example: Path, tmp_path: Path) -> None:
    faces = _annotate(example, tmp_path / "t.parquet", hysteresis_logit=0.0, end_s=1.0).drop_nulls("face")
    model = find_model("aunce-small").config
    for column, threshold in zip(model.au_columns, model.thresholds, strict=True):
        assert (faces[column] == (faces[f"{column}_p"] >= np.float32(threshold))).all()


def test_crops_are_held_and_leaves_landmarks_as_measured(example: Path, whole: pl.DataFrame, tmp_path: Path) -> None:
    # Frame 24 is searched whole in the longer film, too: the frames before it lie between the same two.
    own = _annotate(example, tmp_path / "t.parquet", steady_crops_s=0.0, end_s=0.98)
    steady = whole.filter(pl.col("time_s") < 0.98)
    measured = ["frame", "time_s", "face", "detected", "score", "x", "y", "w", "h", *LANDMARK_COLUMNS]
    assert_frame_equal(own.select(measured), steady.select(measured), abs_tol=1e-5)
    faces, others = (table.drop_nulls("face")["AU12_p"].to_numpy() for table in (own, steady))
    assert not np.array_equal(faces, others)
    assert np.abs(faces - others).mean() < 0.05


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 1), (7, 3), (32, 2)])
def test_neither_batch_size_nor_workers_change_the_table(
    example: Path, whole: pl.DataFrame, tmp_path: Path, batch_size: int, workers: int
) -> None:
    table = _annotate(example, tmp_path / "t.parquet", batch_size=batch_size, workers=workers, end_s=1.3)
    assert table["frame"].n_unique() == 33  # the last one is searched whole in the longer film, too
    assert_frame_equal(table, whole.filter(pl.col("time_s") < 1.3), abs_tol=1e-5)


def test_same_input_same_bytes(example: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        _annotate(example, tmp_path / f"{name}.parquet", end_s=0.5)
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_sampling_and_stretch_choose_rows_and_change_none(example: Path, tmp_path: Path) -> None:
    # The neighbours of a sampled film's frames are others.
    alone = {"detect_every": 1, "hysteresis_logit": 0.0, "steady_crops_s": 0.0}
    part = _annotate(example, tmp_path / "t.parquet", start_s=0.5, end_s=1.5, every_s=0.2, **alone)
    assert 4 <= part["frame"].n_unique() <= 6
    assert part["time_s"].is_between(0.5, 1.5, closed="left").all()
    dense = _annotate(example, tmp_path / "d.parquet", start_s=0.5, end_s=1.5, **alone)
    same = dense.filter(pl.col("frame").is_in(part["frame"].unique().to_list()))
    assert_frame_equal(part, same, abs_tol=1e-5)


@pytest.mark.slow
def test_carried_frames_say_so_and_lie_close_to_detected_ones(
    example: Path, whole: pl.DataFrame, tmp_path: Path
) -> None:
    sparse = _annotate(example, tmp_path / "t.parquet", detect_every=5, end_s=4.0)
    assert sparse["detected"].mean() < 0.7  # type: ignore[operator]
    both = sparse.filter(~pl.col("detected")).join(whole, on=["frame", "face"], suffix="_dense")
    assert len(both) > 0.95 * len(sparse.filter(~pl.col("detected")))
    apart = ((both["x"] - both["x_dense"]) ** 2 + (both["y"] - both["y_dense"]) ** 2).sqrt()
    assert (apart < 0.2 * both["w"]).all()


def test_how_faces_were_searched_is_told(example: Path, tmp_path: Path) -> None:
    for detect_every, told in ((None, "windows"), (1, "every frame"), (3, "carried")):
        _annotate(example, tmp_path / f"{told}.parquet", detect_every=detect_every, end_s=0.1)
        options = aucli.read_metadata(tmp_path / f"{told}.parquet")["options"]
        assert (options["detect_every"], options["face_search"]) == (detect_every, told)


@pytest.mark.slow
def test_windows_find_what_whole_pictures_find(example: Path, whole: pl.DataFrame, tmp_path: Path) -> None:
    every = _annotate(example, tmp_path / "t.parquet", detect_every=1, end_s=2.0).drop_nulls("face")
    both = every.join(whole.drop_nulls("face"), on=["frame", "face"], suffix="_windows")
    assert len(both) == len(every)
    assert whole["detected"].drop_nulls().all()
    apart = ((both["x"] - both["x_windows"]) ** 2 + (both["y"] - both["y_windows"]) ** 2).sqrt()
    assert (apart < 0.2 * both["w"]).all()


def test_max_faces_and_thresholds(example: Path, tmp_path: Path) -> None:
    table = _annotate(example, tmp_path / "t.parquet", end_s=0.4, max_faces=1, thresholds={0: 0.999999, 12: 1e-30})
    assert table.group_by("frame").len()["len"].max() == 1
    assert not table["AU01"].any()
    assert table["AU12"].drop_nulls().all()


def test_a_video_without_faces_gives_rows_of_nulls(tmp_path: Path) -> None:
    video = MadeVideo(n_frames=12).write(tmp_path / "v.mp4")
    table = _annotate(video, tmp_path / "t.parquet")
    assert len(table) == 12
    assert table.select(pl.all().exclude("video", "frame", "time_s")).null_count().row(0) == (12,) * (table.width - 3)


def test_same_names_in_different_folders_stay_apart(tmp_path: Path) -> None:
    for folder in ("p1", "p2"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        MadeVideo(n_frames=4 if folder == "p1" else 6).write(tmp_path / "in" / folder / "take.mp4")
    table = _annotate([tmp_path / "in"], tmp_path / "t.parquet", root=tmp_path / "in")
    counts = dict(table.group_by(pl.col("video").cast(pl.String)).len().iter_rows())
    assert counts == {"p1/take.mp4": 4, "p2/take.mp4": 6}
    _annotate([tmp_path / "in"], tmp_path / "out", root=tmp_path / "in")
    assert sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file()) == [
        "p1/take.mp4.parquet",
        "p2/take.mp4.parquet",
    ]
    assert len(aucli.read(tmp_path / "out")) == 10


def test_tables_lie_in_their_folder_as_the_videos_in_theirs(tmp_path: Path) -> None:
    videos = [tmp_path / "in" / name for name in ("a.mp4", "p1/a.mp4")]
    for video in videos:
        video.parent.mkdir(parents=True, exist_ok=True)
        MadeVideo(n_frames=4).write(video)
    for words in ([tmp_path / "in"], videos, [str(tmp_path / "in" / "**" / "*.mp4")]):  # one video, one table
        outcome = aucli.annotate(words, tmp_path / "out")
        assert outcome.failures == {}
        assert sorted(outcome.tables) == [tmp_path / "out" / name for name in ("a.mp4.parquet", "p1/a.mp4.parquet")]
    assert outcome.n_frames == 0
    assert len(aucli.read(tmp_path / "out")) == 8


def test_nothing_to_do(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no video to annotate"):
        aucli.annotate([], tmp_path / "t.parquet")
    with pytest.raises(VideoError, match="no video matches"):
        aucli.annotate(str(tmp_path / "*.mp4"), tmp_path / "t.parquet")


def test_outputs_that_cannot_be(tmp_path: Path) -> None:
    video = MadeVideo(n_frames=4).write(tmp_path / "v.mp4")
    (tmp_path / "file").touch()
    with pytest.raises(OptionsError, match="is a file"):
        aucli.annotate(video, tmp_path / "file")
    with pytest.raises(OptionsError, match="file is a file, not a folder"):
        aucli.annotate(video, tmp_path / "file" / "t.parquet")
    (tmp_path / "d.parquet").mkdir()
    with pytest.raises(OptionsError, match="a folder; name a file in it"):
        aucli.annotate(video, tmp_path / "d.parquet")
    (tmp_path / "foreign.parquet").write_text("mine", encoding="utf-8")
    with pytest.raises(OptionsError, match="is no Parquet file"):
        aucli.annotate(video, tmp_path / "foreign.parquet")
    assert (tmp_path / "foreign.parquet").read_text(encoding="utf-8") == "mine"


def test_a_damaged_model_is_refused_before_any_frame(tmp_path: Path) -> None:
    video = MadeVideo(n_frames=4).write(tmp_path / "v.mp4")
    model = Path(shutil.copytree(find_model("aunce-small").folder, tmp_path / "model"))
    weights = bytearray((model / "model.safetensors").read_bytes())
    weights[len(weights) // 2] ^= 1
    (model / "model.safetensors").write_bytes(weights)
    with pytest.raises(aucli.AucliError, match="is damaged"):
        aucli.annotate(video, tmp_path / "t.parquet", options=AnnotateOptions(model=str(model)))
    assert not (tmp_path / "t.parquet.partial").exists()


@pytest.mark.slow
def test_torch_and_onnx_runtime_agree(example: Path, whole: pl.DataFrame, tmp_path: Path) -> None:
    from aucli.models.predictor import OnnxPredictor, TorchPredictor

    model = find_model("aunce-small")
    with av.open(str(example)) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    first = whole.filter(pl.col("frame") == 0).drop_nulls("face")
    landmarks = first.select(LANDMARK_COLUMNS).to_numpy().reshape(-1, 5, 2)
    where = np.zeros(len(landmarks), np.intp)
    onnx = OnnxPredictor(model).predict([frame], where, landmarks)
    torch = TorchPredictor(model, device="cpu").predict([frame], where, landmarks)
    np.testing.assert_allclose(onnx, torch, atol=0.05)  # crops differ by up to two grey levels
    assert onnx.shape == (len(landmarks), len(model.config.aus))
    none = OnnxPredictor(model).predict([frame], where[:0], landmarks[:0])
    assert none.shape == (0, len(model.config.aus))


@pytest.mark.slow
def test_real_footage(shared: Path, tmp_path: Path) -> None:
    """Every picture and every frame of the shorter films, five frames a second of the longer ones."""
    films = shared / "videos"
    found: dict[str, Any] = {}
    short = ["no_face.mp4", "single_face.mp4", *(path.name for path in films.glob("*.jpg"))]
    for names, every_s in ((short, None), (["WolfgangLanger_Pexels.mp4", "face_noface.mov"], 0.2)):
        options = AnnotateOptions(root=films, every_s=every_s)
        outcome = aucli.annotate([films / name for name in names], tmp_path / f"{every_s}.parquet", options=options)
        assert outcome.failures == {}
        found |= outcome.videos
    rows = pl.concat(aucli.read(path).with_columns(pl.col("video").cast(pl.String)) for path in tmp_path.iterdir())
    assert {name: record.n_frames for name, record in found.items()} == {
        "no_face.mp4": 95,
        "single_face.mp4": 72,
        "WolfgangLanger_Pexels.mp4": 472,
        "face_noface.mov": 169,
    } | {path.name: 1 for path in films.glob("*.jpg")}
    # An edit list hides the first 3 of its 98 frames.
    assert (found["no_face.mp4"].n_failed, found["no_face.mp4"].n_hidden) == (0, 3)
    assert rows.filter(pl.col("video") == "no_face.mp4")["face"].null_count() == 95
    assert rows.filter(pl.col("video") == "WolfgangLanger_Pexels.mp4")["face"].to_list() == [0] * 99
    gone = rows.filter(pl.col("video") == "face_noface.mov")["face"].is_null()
    assert 0.1 < gone.mean() < 0.9  # type: ignore[operator]


def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path) -> None:
    from aucli.runtime.device import gpu_problem

    if gpu_problem() is None:
        pytest.skip("there is a GPU here")
    video = MadeVideo(n_frames=4).write(tmp_path / "v.mp4")
    with pytest.raises(OptionsError, match=r"`device` is .*; use cpu"):
        aucli.annotate(video, tmp_path / "t.parquet", options=AnnotateOptions(device="cuda"))


@pytest.mark.gpu
def test_the_gpu_gives_the_hosts_table(example: Path, tmp_path: Path) -> None:
    from aucli.runtime.device import gpu_problem

    if problem := gpu_problem():
        pytest.skip(problem)
    host, table = (  # windows are looked into on a CPU only
        _annotate(example, tmp_path / f"{device}.parquet", device=device, detect_every=1) for device in ("cpu", "cuda")
    )
    assert table["frame"].to_list() == host["frame"].to_list()
    assert ((table["AU12_p"] - host["AU12_p"]).abs().fill_null(0.0) < 0.1).all()


def test_threads_end_with_the_run(tmp_path: Path) -> None:
    import threading

    aucli.annotate(MadeVideo(n_frames=4).write(tmp_path / "v.mp4"), tmp_path / "t.parquet")
    time.sleep(0.1)
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("aucli")] == []


def test_a_stretch_that_holds_no_frame_is_told(tmp_path: Path) -> None:
    video = MadeVideo(n_frames=4).write(tmp_path / "v.mp4")
    outcome = aucli.annotate(video, tmp_path / "t.parquet", options=AnnotateOptions(start_s=100.0, root=tmp_path))
    assert outcome.failures == {"v.mp4": "none of its 4 frames lies between `start_s` and `end_s`"}


def test_a_stream_that_starts_late_is_whole(tmp_path: Path) -> None:
    video = MadeVideo(n_frames=8, start_s=2.0).write(tmp_path / "v.mkv")
    assert len(_annotate(video, tmp_path / "t.parquet")) == 8
