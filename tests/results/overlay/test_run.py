"""Overlays of real films: what is drawn where, what is hidden, what is refused."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import aucli
from aucli.errors import OptionsError, TableError, VideoError
from aucli.results.overlay.paint import FACE_COLOURS
from aucli.results.overlay.run import OverlayOptions, OverlayOutcome, overlay
from aucli.results.row_filter import RowFilter
from aucli.runtime.progress import Progress
from aucli.video.reader import FrameReader
from tests.builders.command_line import environment
from tests.builders.media import IRREGULAR, MadeVideo, hide_beginning
from tests.builders.tables_of_films import Box, table_of_film

BOX = (200.0, 80.0, 260.0, 150.0)


def moving(frame: int) -> Mapping[int, Box]:
    """A face that goes two pixels to the right in each frame."""
    return {0: (40.0 + 2 * frame, 60.0, 90.0 + 2 * frame, 120.0)}


def frames_of(path: Path) -> tuple[npt.NDArray[np.float64], list[npt.NDArray[np.int64]]]:
    """Times and pictures of a film."""
    with FrameReader(path) as reader:
        batches = list(reader)
    frames = [frame.astype(np.int64) for batch in batches for frame in np.asarray(batch.frames_rgb)]
    return np.concatenate([batch.time_s for batch in batches]), frames


def looks_like(frame: npt.NDArray[np.int64], x: float, y: float, colour: tuple[int, int, int]) -> bool:
    """Whether the pixels around a place have a colour, within what 4:2:0 blurs."""
    patch = frame[int(y) : int(y) + 2, int(x) : int(x) + 2].reshape(-1, 3)
    return bool(np.abs(patch - np.array(colour)).sum(axis=1).min() < 90)


def longest_run(frame: npt.NDArray[np.int64], box: Box, colour: tuple[int, int, int]) -> int:
    """The longest run of a colour in any row of pixels of a box: a bar is one, noise is none."""
    x0, y0, x1, y1 = (int(side) for side in box)
    alike = np.abs(frame[y0:y1, x0:x1] - np.array(colour)).sum(axis=2) < 90
    return max(len(run) for row in alike for run in "".join("x" if one else " " for one in row).split(" "))


def detail(frame: npt.NDArray[np.int64], box: Box) -> float:
    """How much neighbouring pixels differ within a box."""
    x0, y0, x1, y1 = (int(side) for side in box)
    return float(np.abs(np.diff(frame[y0:y1, x0:x1].sum(axis=2), axis=1)).mean())


MADE = {
    "variable": MadeVideo(n_frames=16, size=(320, 240), ticks=IRREGULAR[:16]),
    "turned": MadeVideo(n_frames=10, size=(240, 320), rotation_ccw_deg=90),
    "late": MadeVideo(n_frames=10, size=(320, 240), start_s=0.52, audio=True),
}


@pytest.mark.parametrize("case", MADE)
def test_the_box_is_on_its_pixels_in_its_frame(tmp_path: Path, case: str) -> None:
    video = MADE[case].write(tmp_path / "film.mp4")
    table = table_of_film(video, tmp_path / "t.parquet", moving)
    outcome = overlay(video, table, tmp_path / "o.mp4")
    (times, drawn), (known_times, plain) = frames_of(tmp_path / "o.mp4"), frames_of(video)
    np.testing.assert_allclose(times, known_times, atol=1e-9)
    assert outcome.n_frames == len(drawn) == MADE[case].n_frames
    for frame, picture in enumerate(drawn):
        x0, y0, x1, y1 = moving(frame)[0]
        for x, y in ((x0, y0 + 40), (x1 - 2, y0 + 40), (x0 + 30, y1 - 2)):
            assert looks_like(picture, x, y, FACE_COLOURS[0]), f"frame {frame} at {x}, {y}"
        # Inside the box and far from it the film is as it was.
        for left, top in ((int(x0) + 12, int(y0) + 12), (8, 200)):
            part = np.s_[top : top + 20, left : left + 20]
            assert np.abs(picture[part] - plain[frame][part]).mean() < 8


def test_frames_that_an_edit_list_hides_are_not_in_the_film(tmp_path: Path) -> None:
    video = hide_beginning(MadeVideo(n_frames=12, size=(320, 240)).write(tmp_path / "film.mp4"), 4 * 128 * 4)
    with FrameReader(video) as reader:
        _ = list(reader)
    assert 0 < reader.n_hidden < 12
    table = table_of_film(video, tmp_path / "t.parquet", moving)
    outcome = overlay(video, table, tmp_path / "o.mp4")
    assert outcome.n_frames == reader.n_frames == 12 - reader.n_hidden
    times, drawn = frames_of(tmp_path / "o.mp4")
    np.testing.assert_allclose(times, frames_of(video)[0], atol=1e-9)
    assert all(looks_like(picture, 40 + 2 * k, 100, FACE_COLOURS[0]) for k, picture in enumerate(drawn))


@pytest.fixture(scope="module")
def grainy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 frames of noise at 10 frames a second."""
    made = MadeVideo(n_frames=24, size=(320, 240), fps=10, grain=True, options={"crf": "16", "preset": "ultrafast"})
    return made.write(tmp_path_factory.mktemp("grainy") / "film.mp4")


def lost_for_a_moment(frame: int) -> Mapping[int, Box]:
    """Face 0 is found up to frame 5 and again in frames 9 and 10; face 1 always, elsewhere."""
    found = {1: (20.0, 80.0, 70.0, 140.0)}
    return found | {0: BOX} if frame < 6 or frame in (9, 10) else found


def test_anonymised_faces_have_lost_their_detail_also_where_they_were_lost(grainy: Path, tmp_path: Path) -> None:
    table = table_of_film(grainy, tmp_path / "t.parquet", lost_for_a_moment)
    outcome = overlay(grainy, table, tmp_path / "o.mp4", options=OverlayOptions(anonymise=True))
    _, drawn = frames_of(tmp_path / "o.mp4")
    _, plain = frames_of(grainy)
    inner = (BOX[0] + 10, BOX[1] + 10, BOX[2] - 10, BOX[3] - 10)
    held_until = 10 + 10
    for frame in range(24):
        assert detail(drawn[frame], (32, 92, 58, 128)) < detail(plain[frame], (32, 92, 58, 128)) / 8
        loses = detail(drawn[frame], inner) < detail(plain[frame], inner) / 8
        assert loses == (frame <= held_until), f"frame {frame}"
    assert outcome.n_held == held_until - 5 - 2
    assert outcome.n_without_face_row == 0
    # The bars stay: a row of the panel is beside the box.
    assert longest_run(drawn[5], (76, 80, 190, 150), FACE_COLOURS[1]) > 15


def test_every_face_but_one_is_blurred(grainy: Path, tmp_path: Path) -> None:
    table = table_of_film(grainy, tmp_path / "t.parquet", lost_for_a_moment)
    options = OverlayOptions(face=0, blur_others=True)
    overlay(grainy, table, tmp_path / "o.mp4", options=options)
    _, drawn = frames_of(tmp_path / "o.mp4")
    _, plain = frames_of(grainy)
    inner = (BOX[0] + 10, BOX[1] + 10, BOX[2] - 10, BOX[3] - 10)
    assert detail(drawn[5], inner) > detail(plain[5], inner) / 2
    assert detail(drawn[5], (32, 92, 58, 128)) < detail(plain[5], (32, 92, 58, 128)) / 8
    assert looks_like(drawn[5], BOX[0], BOX[1] + 30, FACE_COLOURS[0])
    assert not looks_like(drawn[5], 20, 110, FACE_COLOURS[1])


def test_faces_left_out_have_a_broken_box_and_no_bars_and_are_hidden_all_the_same(grainy: Path, tmp_path: Path) -> None:
    table = table_of_film(grainy, tmp_path / "t.parquet", lost_for_a_moment)
    options = OverlayOptions(row_filter=RowFilter(min_interocular_px=1000.0), anonymise=True)
    outcome = overlay(grainy, table, tmp_path / "o.mp4", options=options)
    assert outcome.notes == ("left out 32 of 32 rows with a face: 32 eyes closer than 1000 px",)
    _, drawn = frames_of(tmp_path / "o.mp4")
    assert detail(drawn[5], (32, 92, 58, 128)) < 20
    on_edge = [looks_like(drawn[5], BOX[0], y, FACE_COLOURS[0]) for y in range(int(BOX[1]), int(BOX[3]), 2)]
    assert 0.25 < np.mean(on_edge) < 0.75
    assert longest_run(drawn[5], (76, 80, 190, 150), FACE_COLOURS[1]) < 15


def test_frames_without_any_face_are_counted(tmp_path: Path) -> None:
    video = MadeVideo(n_frames=6, size=(320, 240)).write(tmp_path / "film.mp4")
    table = table_of_film(video, tmp_path / "t.parquet", lambda frame: {0: BOX} if frame < 2 else {})
    outcome = overlay(video, table, tmp_path / "o.mp4", options=OverlayOptions(anonymise=True))
    assert (outcome.n_without_face_row, outcome.n_held, outcome.n_not_in_table) == (4, 4, 0)


def test_a_film_without_a_face_is_as_it_was(tmp_path: Path) -> None:
    video = MadeVideo(n_frames=5, size=(320, 240)).write(tmp_path / "film.mp4")
    table = table_of_film(video, tmp_path / "t.parquet", lambda _: {})
    outcome = overlay(video, table, tmp_path / "o.mp4")
    assert (outcome.n_frames, outcome.n_without_face_row) == (5, 5)
    for picture, before in zip(frames_of(tmp_path / "o.mp4")[1], frames_of(video)[1], strict=True):
        assert np.abs(picture - before).mean() < 4


def test_of_a_sampled_table_values_hold_and_hiding_hides_what_is_not_known(grainy: Path, tmp_path: Path) -> None:
    table = table_of_film(grainy, tmp_path / "t.parquet", lambda _: {0: BOX}, every_s=0.4)
    outcome = overlay(grainy, table, tmp_path / "o.mp4")
    assert outcome.n_not_in_table == 18
    _, drawn = frames_of(tmp_path / "o.mp4")
    assert all(looks_like(picture, BOX[0], BOX[1] + 30, FACE_COLOURS[0]) for picture in drawn)
    options = OverlayOptions(anonymise=True, overwrite=True)
    overlay(grainy, table, tmp_path / "o.mp4", options=options)
    _, drawn = frames_of(tmp_path / "o.mp4")
    _, plain = frames_of(grainy)
    far = (100.0, 180.0, 140.0, 230.0)
    assert [detail(drawn[k], far) < detail(plain[k], far) / 8 for k in (0, 1, 3, 4, 5)] == [0, 1, 1, 0, 1]


def test_a_photograph_becomes_a_picture(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)).save(photo)
    table = table_of_film(photo, tmp_path / "t.parquet", lambda _: {0: BOX})
    for suffix in (".png", ".jpg", ".webp", ".tif", ".bmp"):
        outcome = overlay(photo, table, tmp_path / f"o{suffix}")
        picture = np.asarray(Image.open(outcome.output).convert("RGB")).astype(np.int64)
        assert picture.shape == (240, 320, 3)
        assert looks_like(picture, BOX[0], BOX[1] + 30, FACE_COLOURS[0])
    with pytest.raises(OptionsError, match=r"of a photograph it must end in \.png"):
        overlay(photo, table, tmp_path / "o.mp4")


def test_numbered_pictures_become_a_film(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in (1, 2, 4):
        Image.fromarray(np.full((96, 128, 3), 60 * number, np.uint8)).save(folder / f"{number}.png")
    table = table_of_film(folder, tmp_path / "t.parquet", lambda _: {0: (40.0, 30.0, 80.0, 70.0)})
    outcome = overlay(folder, table, tmp_path / "o.mp4")
    assert outcome.n_frames == 3
    np.testing.assert_allclose(frames_of(tmp_path / "o.mp4")[0], [0.0, 0.04, 0.12], atol=1e-9)


@pytest.fixture
def film(tmp_path: Path) -> tuple[Path, Path]:
    """A short film and its table."""
    video = MadeVideo(n_frames=4, size=(320, 240)).write(tmp_path / "film.mp4")
    return video, table_of_film(video, tmp_path / "t.parquet", moving)


def test_a_film_is_known_by_its_contents(film: tuple[Path, Path], tmp_path: Path) -> None:
    video, table = film
    renamed = video.rename(tmp_path / "renamed.mp4")
    assert overlay(renamed, table, tmp_path / "o.mp4").label == "film.mp4"
    folder = tmp_path / "tables"
    folder.mkdir()
    other = MadeVideo(n_frames=5).write(tmp_path / "film.mp4")
    table.rename(folder / "a.parquet")
    with pytest.raises(TableError, match=r"was made of another film\.mp4: the contents differ"):
        overlay(other, folder, tmp_path / "o2.mp4")
    with pytest.raises(TableError, match=r"was not made of .*third\.mp4, but of film\.mp4; name its own table"):
        overlay(other.rename(tmp_path / "third.mp4"), folder, tmp_path / "o2.mp4")
    assert overlay(renamed, folder, tmp_path / "o2.mp4").n_frames == 4


def test_a_film_that_is_not_in_the_table_is_not_taken_for_its_namesake_in_another_folder(
    film: tuple[Path, Path], tmp_path: Path
) -> None:
    video, _ = film
    other = MadeVideo(n_frames=5).write(tmp_path / "other.mp4")
    for label, told in (("p1/film.mp4", "was not made of"), ("p2/film.mp4", "was made of another film.mp4")):
        its = table_of_film(video, tmp_path / "labelled.parquet", moving, label=label)
        place = tmp_path / "p2" / "film.mp4"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(other.read_bytes())
        with pytest.raises(TableError, match=told):
            overlay(place, its, tmp_path / "o.mp4")
        place.write_bytes(other.read_bytes()[:500])
        with pytest.raises(VideoError, match="is not a video, or its header is damaged or cut off"):
            overlay(place, its, tmp_path / "o.mp4")


def test_rows_at_another_time_and_rows_without_a_frame_are_refused(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    video = MadeVideo(n_frames=4, size=(320, 240)).write(tmp_path / "film.mp4")
    table = table_of_film(video, tmp_path / "t.parquet", moving)
    rows = pq.read_table(table)
    for column, change, message in (
        ("time_s", 0.02, r"frame 0 is shown at 0\.000 s, and stands in the table"),
        ("frame", 9, "up to frame 12"),
    ):
        values = rows[column].to_numpy() + change
        if column == "frame":
            values[:3] = rows["frame"].to_numpy()[:3]
        place = rows.schema.get_field_index(column)
        changed = rows.set_column(place, rows.schema.field(place), [values.astype(rows[column].to_numpy().dtype)])
        pq.write_table(changed, tmp_path / "changed.parquet")
        with pytest.raises(TableError, match=message):
            overlay(video, tmp_path / "changed.parquet", tmp_path / "o.mp4")
        assert not (tmp_path / "o.mp4").exists()


def test_nothing_is_written_over_unless_asked(film: tuple[Path, Path], tmp_path: Path) -> None:
    video, table = film
    output = tmp_path / "o.mp4"
    output.write_text("mine")
    with pytest.raises(OptionsError, match="is there already"):
        overlay(video, table, output)
    assert output.read_text() == "mine"
    overlay(video, table, output, options=OverlayOptions(overwrite=True))
    assert output.stat().st_size > 1000
    before = video.read_bytes()
    with pytest.raises(OptionsError, match="which is read here"):
        overlay(video, table, video, options=OverlayOptions(overwrite=True))
    assert video.read_bytes() == before


def test_what_makes_no_sense_is_refused_before_any_work(film: tuple[Path, Path], tmp_path: Path) -> None:
    video, table = film
    with pytest.raises(OptionsError, match="has no face 3; it has 0"):
        overlay(video, table, tmp_path / "o.mp4", options=OverlayOptions(face=3))
    with pytest.raises(OptionsError, match=r"must end in \.mp4"):
        overlay(video, table, tmp_path / "o.avi")
    with pytest.raises(OptionsError, match="is a file, not a folder"):
        overlay(video, table, table / "o.mp4")
    with pytest.raises(VideoError, match="no such file"):
        overlay(tmp_path / "no.mp4", table, tmp_path / "o.mp4")
    with pytest.raises(TableError, match="does not exist"):
        overlay(video, tmp_path / "no.parquet", tmp_path / "o.mp4")
    for wrong in ({"face": -1}, {"blur_others": True}, {"face": 0, "blur_others": True, "anonymise": True}):
        with pytest.raises(OptionsError):
            OverlayOptions(**wrong)


def test_the_name_in_the_library(film: tuple[Path, Path], tmp_path: Path) -> None:
    seen: list[Progress] = []
    outcome = aucli.overlay(*film, tmp_path / "o.mp4", on_progress=seen.append)
    assert isinstance(outcome, OverlayOutcome)
    assert seen[-1].ended


def test_a_kill_leaves_no_film_and_the_next_run_writes_it(tmp_path: Path) -> None:
    video = MadeVideo(n_frames=120, size=(160, 120), grain=True, options={"preset": "ultrafast"}).write(
        tmp_path / "film.mp4"
    )
    table = table_of_film(video, tmp_path / "t.parquet", lambda _: {0: (20.0, 20.0, 60.0, 70.0)})
    output = tmp_path / "out" / "o.mp4"
    output.parent.mkdir()
    command = [sys.executable, "-m", "aucli", "overlay", str(video), str(table), "-o", str(output), "-q"]
    run = subprocess.Popen(command, env=environment())
    while not any(path.stat().st_size for path in output.parent.iterdir()):
        assert run.poll() is None
        time.sleep(0.005)
    run.kill()
    run.wait()
    assert [path.name.endswith(".tmp") for path in output.parent.iterdir()] == [True]
    overlay(video, table, output)
    assert list(output.parent.iterdir()) == [output]


def test_an_interruption_leaves_nothing(film: tuple[Path, Path], tmp_path: Path) -> None:
    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    before = set(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        overlay(*film, tmp_path / "o.mp4", on_progress=interrupt)
    assert set(tmp_path.iterdir()) == before
