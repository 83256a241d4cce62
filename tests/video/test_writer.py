"""Films written: frames at their times, sound as it was, sizes that H.264 cannot hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from aucli.errors import StorageError
from aucli.video.reader import FrameReader, probe
from aucli.video.writer import FILM_FORMATS, FilmWriter, fitted_into
from tests.builders.media import IRREGULAR, MadeVideo, hide_beginning, read_number, write_growing


def copied(source: Path, target: Path, *, with_sound: bool = True) -> FilmWriter:
    """Write every frame of a film into another one."""
    with (
        FrameReader(source) as reader,
        FilmWriter(
            target,
            FILM_FORMATS[target.suffix],
            reader.info,
            with_sound=with_sound,
            start_s=reader.start_s,
            n_joints=reader.n_joints,
        ) as film,
    ):
        for batch in reader:
            for time_s, frame_rgb in zip(batch.time_s, np.asarray(batch.frames_rgb), strict=True):
                film.write(frame_rgb, float(time_s))
        film.finish()
    return film


def read(path: Path) -> tuple[npt.NDArray[np.float64], list[int]]:
    """Times and numbers of a film's frames."""
    with FrameReader(path) as reader:
        batches = list(reader)
    numbers = [read_number(frame) for batch in batches for frame in np.asarray(batch.frames_rgb)]
    return np.concatenate([batch.time_s for batch in batches]), numbers


def sound_of(path: Path) -> list[tuple[float, bytes]]:
    """Content of every packet of sound, and its time after the first: FFmpeg 7 tells the lead-in of AAC otherwise."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(container.streams.audio[0]) if packet.size]
        return [(float(((p.pts or 0) - (packets[0].pts or 0)) * (p.time_base or 0)), bytes(p)) for p in packets]


MADE: dict[str, tuple[MadeVideo, str]] = {
    "variable": (MadeVideo(ticks=IRREGULAR, audio=True), ".mp4"),
    "late": (MadeVideo(n_frames=12, start_s=0.52, audio=True), ".mp4"),
    "late_in_mkv": (MadeVideo(n_frames=12, start_s=0.52, audio=True, ticks=IRREGULAR[:12]), ".mkv"),
    "drop_frame": (MadeVideo(n_frames=12, fps=30, audio=True), ".mov"),
}


@pytest.mark.parametrize("case", MADE)
def test_frames_keep_their_times_and_packets_of_sound_are_the_same(tmp_path: Path, case: str) -> None:
    made, suffix = MADE[case]
    source = made.write(tmp_path / f"source{suffix}")
    film = copied(source, tmp_path / f"target{suffix}")
    assert film.sound == ("sound (aac) is copied",)
    assert film.encoder == "H.264 by libx264, CRF 18"
    (times, numbers), (known_times, known_numbers) = read(tmp_path / f"target{suffix}"), read(source)
    assert numbers == known_numbers == list(range(made.n_frames))
    np.testing.assert_allclose(times, known_times, atol=1e-9 if suffix != ".mkv" else 0.0005)
    assert sound_of(tmp_path / f"target{suffix}") == sound_of(source)


def test_packets_that_an_edit_list_hides_are_left_out_and_counted(tmp_path: Path) -> None:
    source = MadeVideo(n_frames=25, audio=True).write(tmp_path / "source.mp4")
    known = [content for _, content in sound_of(source)]
    with av.open(str(source)) as container:
        rate = container.streams.audio[0].sample_rate
    hide_beginning(source, rate // 2, track=1)
    film = copied(source, tmp_path / "target.mp4")
    kept = [content for _, content in sound_of(tmp_path / "target.mp4")]
    n_hidden = len(known) - len(kept)
    assert n_hidden > 1
    assert kept == known[n_hidden:]
    assert film.sound == (f"sound (aac) is copied, but for {n_hidden} packets that the film's edit list hides",)


def test_ms_ticks_become_finer_so_that_a_start_between_them_costs_nothing(tmp_path: Path) -> None:
    source = MadeVideo(n_frames=8, start_s=0.5, audio=True).write(tmp_path / "source.mkv")
    copied(source, tmp_path / "target.mp4")
    np.testing.assert_allclose(read(tmp_path / "target.mp4")[0], read(source)[0], atol=1e-9)


def test_a_picture_that_begins_between_two_milliseconds_does_so_in_mp4(tmp_path: Path) -> None:
    source = MadeVideo(n_frames=6, fps=75, start_s=0.5 + 1 / 75, audio=True).write(tmp_path / "source.ts")
    first_ms = 1000 * read(source)[0][0]
    assert abs(first_ms - round(first_ms)) > 0.1
    copied(source, tmp_path / "target.mp4")
    np.testing.assert_allclose(read(tmp_path / "target.mp4")[0], read(source)[0], atol=2e-6)


def test_sound_that_mp4_does_not_take_is_encoded_again_in_time(tmp_path: Path) -> None:
    source = tmp_path / "source.mkv"
    with av.open(str(source), "w") as container:
        picture: Any = container.add_stream("libx264", rate=25)
        picture.width, picture.height, picture.pix_fmt = 128, 96, "yuv420p"
        sound: Any = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        for _ in range(25):
            container.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((96, 128, 3), np.uint8), format="rgb24")))
        container.mux(picture.encode(None))
        samples = np.zeros((1, 16000), np.int16)
        samples[0, 8000:8800] = 20000 * np.sin(np.arange(800) * 0.5)  # a beep at half a second
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16000, 0
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    film = copied(source, tmp_path / "target.mp4")
    assert film.sound == ("sound (pcm_s16le) is encoded again as AAC: mp4 takes no pcm_s16le",)
    with av.open(str(tmp_path / "target.mp4")) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        heard = [(f.time or 0.0, np.abs(f.to_ndarray()).max()) for f in container.decode(container.streams.audio[0])]
    loud = [time_s for time_s, level in heard if level > 0.2]
    assert min(loud) == pytest.approx(0.5, abs=0.07)
    assert heard[-1][0] == pytest.approx(1.0, abs=0.13)
    assert copied(source, tmp_path / "target.mkv").sound == ("sound (pcm_s16le) is copied",)
    assert sound_of(tmp_path / "target.mkv") == sound_of(source)


def test_sound_can_be_left_out_and_is_where_times_begin_anew(tmp_path: Path) -> None:
    source = MadeVideo(n_frames=6, audio=True).write(tmp_path / "a.mp4")
    assert copied(source, tmp_path / "o.mp4", with_sound=False).sound == ()
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert not container.streams.audio
    part = MadeVideo(n_frames=6, audio=True).write(tmp_path / "part.ts")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(part.read_bytes() * 2)
    film = copied(joined, tmp_path / "o.mp4")
    assert film.sound == ("sound is left out: the film's recordings were joined, and its times begin anew",)
    assert len(read(tmp_path / "o.mp4")[0]) == 12


def test_the_same_film_has_the_same_bytes(tmp_path: Path) -> None:
    source = MadeVideo(n_frames=30, audio=True, grain=True).write(tmp_path / "a.mp4")
    for suffix in (".mp4", ".mkv"):
        for name in ("one", "two"):
            copied(source, tmp_path / f"{name}{suffix}")
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_without_libx264_mpeg4_stands_in_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = MadeVideo(n_frames=12, ticks=IRREGULAR[:12]).write(tmp_path / "a.mkv")
    monkeypatch.setattr(av, "codecs_available", frozenset({"mpeg4", "aac"}))
    film = copied(source, tmp_path / "o.mp4")
    assert film.encoder == "MPEG-4 part 2: this FFmpeg has no libx264"
    assert probe(tmp_path / "o.mp4").codec == "mpeg4"
    (times, numbers), (known_times, known_numbers) = read(tmp_path / "o.mp4"), read(source)
    assert numbers == known_numbers
    np.testing.assert_allclose(times, known_times, atol=1e-4)


def test_colours_are_marked_and_come_back(tmp_path: Path) -> None:
    picture = np.zeros((96, 128, 3), np.uint8)
    picture[:48, :64], picture[:48, 64:], picture[48:, :64] = (220, 40, 40), (30, 160, 60), (40, 60, 200)
    with FilmWriter(tmp_path / "o.mp4", "mp4", probe_of(tmp_path), with_sound=False) as film:
        film.write(picture, 0.0)
        film.finish()
    with FrameReader(tmp_path / "o.mp4") as reader:
        back = np.asarray(next(iter(reader)).frames_rgb)[0].astype(int)
    for y, x in ((20, 30), (20, 100), (70, 30), (70, 100)):
        assert np.abs(back[y, x] - picture[y, x]).max() <= 6
    with av.open(str(tmp_path / "o.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_range, context.pix_fmt) == (1, 1, "yuv420p")


def probe_of(folder: Path) -> Any:
    return probe(MadeVideo(n_frames=2).write(folder / "known.mp4"))


def test_frames_of_other_sizes_are_fitted_in() -> None:
    frame = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    assert fitted_into(frame, (7, 5)) is frame
    padded = fitted_into(frame, (8, 6))
    np.testing.assert_array_equal(padded[:5, :7], frame)
    np.testing.assert_array_equal(padded[5, :7], frame[4])
    np.testing.assert_array_equal(padded[:5, 7], frame[:, 6])
    wide = fitted_into(np.full((10, 40, 3), 200, np.uint8), (20, 20))
    assert (wide[8:12] == 200).all()
    assert (wide[:7] == 0).all()
    assert (wide[13:] == 0).all()


def test_a_film_that_grows_keeps_its_frames(tmp_path: Path) -> None:
    source = write_growing(tmp_path / "grows.ts")
    copied(source, tmp_path / "o.mp4")
    with FrameReader(tmp_path / "o.mp4") as reader:
        shapes = {tuple(batch.frames_rgb.shape[1:]) for batch in reader}
    assert shapes == {(96, 128, 3)}
    assert reader.n_frames == len(read(source)[1]) > 30


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    film = FilmWriter(tmp_path / "no" / "o.mp4", "mp4", probe_of(tmp_path), with_sound=False)
    film.write(np.zeros((96, 128, 3), np.uint8), 0.0)
    with pytest.raises(StorageError, match="takes no film"):
        film.finish()


def test_times_between_ticks_never_run_back(tmp_path: Path) -> None:
    with FilmWriter(tmp_path / "o.mp4", "mp4", probe_of(tmp_path), with_sound=False) as film:
        for k in range(5):
            film.write(np.full((96, 128, 3), 40 * k, np.uint8), 1.0 + k * 1e-7)
        film.finish()
    assert (np.diff(read(tmp_path / "o.mp4")[0]) > 0).all()
