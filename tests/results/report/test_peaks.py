"""Stills: every action unit that is present has one, or a word why not; what a still names goes on in it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.results.report.peaks import LEAST_DISTANCE, NO_EPISODE, NO_ROOM, OTHER_FACE, Peak, choose_peaks
from aucli.results.report.rates import count_rates
from aucli.results.report.study import Study, load_study
from aucli.results.row_filter import RowFilter
from tests.builders.films import film_rows
from tests.builders.made_studies import AUS, MadeFilm, write_study

N = 100


def study_of(faces: dict[int, dict[str, list[float]]]) -> Study:
    """A film of 100 frames in 10 s."""
    rows = film_rows("a.mp4", [i / 10 for i in range(N)], faces)
    places = {name: pl.lit(value, pl.Float32) for name, value in zip("xywh", (10.0, 20.0, 30.0, 40.0), strict=True)}
    return load_study(rows.with_columns(**places), RowFilter())


def peaks_of(study: Study, *, most: int = 12, faces: tuple[int, ...] = (0,)) -> tuple[list[Peak], dict[str, str]]:
    rates = count_rates(study)
    present = [au for at, au in enumerate(study.aus) if rates.share[:, at].max(initial=0) > 0]
    peaks, without = choose_peaks(study, study.films[0], rates.episodes, faces, most, present)
    return list(peaks), dict(without)


def bump(first: int, last: int, apex: int, p: float = 0.8) -> list[float]:
    """Present in frames `first` to `last`, most so at `apex`."""
    return [p if i == apex else p - 0.1 if first <= i <= last else 0.1 for i in range(N)]


def named(peaks: list[Peak]) -> list[tuple[int, list[str]]]:
    return [(peak.frame, [one.au for one in peak.shown]) for peak in peaks]


def test_nothing_present_gives_no_stills() -> None:
    assert peaks_of(study_of({0: {"AU12": [0.1] * N}})) == ([], {})


def test_two_action_units_whose_peaks_are_close_share_a_still_that_names_both() -> None:
    study = study_of({0: {"AU06": bump(30, 44, 36, 0.7), "AU12": bump(28, 45, 34, 0.9)}})
    peaks, without = peaks_of(study)
    assert named(peaks) == [(34, ["AU06", "AU12"])]
    assert [one.peak_probability for one in peaks[0].shown] == pytest.approx([0.7, 0.9])
    assert [one.apex_s for one in peaks[0].shown] == [3.6, 3.4]
    assert without == {}


def test_one_that_is_absent_in_the_other_ones_still_has_its_own_however_close() -> None:
    study = study_of({0: {"AU06": bump(36, 44, 37), "AU12": bump(28, 35, 34, 0.9)}})
    assert named(peaks_of(study)[0]) == [(34, ["AU12"]), (37, ["AU06"])]


def test_who_finds_no_room_is_named_in_a_still_in_which_it_goes_on_or_listed() -> None:
    faces = {0: {"AU04": bump(80, 90, 85, 0.7), "AU06": bump(10, 60, 50), "AU12": bump(10, 20, 15, 0.9)}}
    peaks, without = peaks_of(study_of(faces), most=1)
    assert named(peaks) == [(15, ["AU06", "AU12"])]
    assert without == {"AU04": NO_ROOM}


def test_moments_and_faces_that_are_not_drawn_are_told() -> None:
    moment = [0.9 if i == 50 else 0.1 for i in range(N)]
    off = [0.1] * N
    faces = {0: {"AU01": off, "AU12": off, "AU25": moment}, 1: {"AU01": bump(5, 20, 9), "AU12": off, "AU25": off}}
    rows = study_of(faces).rows.with_columns(pl.col("time_s") / 10)  # 100 frames a second: one is too short
    peaks, without = peaks_of(load_study(rows.drop("left_out", strict=False), RowFilter()))
    assert peaks == []
    assert without == {"AU01": OTHER_FACE, "AU25": NO_EPISODE}


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 10_000), st.integers(1, 8))
def test_every_present_action_unit_is_shown_or_told_and_stills_are_true(seed: int, most: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        films = {f"{i}.mp4": MadeFilm(n_frames=0, faces={}) for i in range(seed % 20)}
        films["a.mp4"] = MadeFilm(n_frames=150, faces={0: (0, 150), 1: (20, 90)}, episode_s=0.1 + seed % 7 / 10)
        study = load_study(write_study(Path(folder) / "t.parquet", films), RowFilter())
    rates = count_rates(study)
    film = next(film for film in study.films if film.label == "a.mp4")
    peaks, without = choose_peaks(study, film, rates.episodes, [0, 1], most, AUS)
    shown = {one.au for peak in peaks for one in peak.shown}
    assert shown.isdisjoint(without)
    assert shown | set(without) == set(AUS)
    assert len(peaks) <= most
    assert set(without.values()) <= {NO_ROOM, NO_EPISODE}
    assert NO_ROOM not in without.values() or len(peaks) == most
    for peak in peaks:
        row = study.rows.filter(pl.col("frame") == peak.frame, pl.col("face") == peak.face).row(0, named=True)
        assert (peak.box[0], peak.time_s) == (row["x"], row["time_s"])
        for one in peak.shown:
            its = rates.episodes.filter(
                pl.col("au") == one.au, pl.col("face") == peak.face, pl.col("apex_s") == one.apex_s
            )
            assert its["onset_frame"].item() <= peak.frame <= its["offset_frame"].item()
    # Only different action units' strongest episodes may be shown close together.
    own = [(p.face, p.time_s, {one.au for one in p.shown if one.apex_s == p.time_s}) for p in peaks]
    for face, time_s, aus in own:
        for other, other_s, others in own:
            if face == other and 0 < other_s - time_s < LEAST_DISTANCE * (film.end_s - film.begin_s):
                assert not aus & others
