"""Shares and correlations against plain loops over the frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aucli.results.report.rates import Rates, count_rates
from aucli.results.report.study import Study, load_study
from aucli.results.row_filter import RowFilter
from tests.builders import films
from tests.builders.made_studies import AUS, MadeFilm, write_study


def film_rows(*given: Any) -> pl.DataFrame:
    """Rows as of `films.film_rows`, with boxes: a page needs them."""
    return films.film_rows(*given).with_columns(pl.lit(20.0, pl.Float32).alias(side) for side in "xywh")


def test_a_table_without_a_face_has_no_rates(tmp_path: Path) -> None:
    study = load_study(write_study(tmp_path / "t.parquet", {"a.mp4": MadeFilm(faces={})}), RowFilter())
    rates = count_rates(study)
    assert len(rates.film) == 0
    assert np.isnan([rates.of_study[au]["share_present"] for au in AUS]).all()
    assert np.isnan(rates.phi[np.triu_indices(len(AUS), 1)]).all()
    assert rates.episodes.is_empty()


def test_a_table_without_a_row_is_a_study_of_its_videos(tmp_path: Path) -> None:
    study = load_study(write_study(tmp_path / "t.parquet", {"a.mp4": MadeFilm(n_frames=0, faces={})}), RowFilter())
    assert [(film.label, film.n_frames, film.shown_s) for film in study.films] == [("a.mp4", 0, 0.0)]
    assert len(count_rates(study).film) == 0


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Rates, pl.DataFrame]:
    made = {"a.mp4": MadeFilm(n_frames=300, faces={0: (0, 280), 3: (100, 300)}), "b.mp4": MadeFilm(n_frames=90)}
    path = write_study(tmp_path_factory.mktemp("study") / "t.parquet", made)
    study = load_study(path, RowFilter())
    return study, count_rates(study), pl.read_parquet(path)


def test_shares_are_those_of_the_frames_at_a_constant_rate(counted: tuple[Study, Rates, pl.DataFrame]) -> None:
    study, rates, rows = counted
    assert list(zip(rates.film.tolist(), rates.face.tolist(), strict=True)) == [(1, 0), (1, 3), (2, 0)]
    for f, (film, face) in enumerate(zip(rates.film, rates.face, strict=True)):
        its = rows.filter(pl.col("video") == study.films[film - 1].label, pl.col("face") == face)
        assert rates.seen_s[f] == pytest.approx(len(its) / 25)
        for a, au in enumerate(AUS):
            assert rates.share[f, a] == pytest.approx(sum(its[au]) / len(its))


def test_phi_is_the_correlation_and_together_counts_both(counted: tuple[Study, Rates, pl.DataFrame]) -> None:
    _, rates, rows = counted
    faces = rows.drop_nulls("face").select(AUS).to_numpy().astype(float)
    np.testing.assert_allclose(rates.phi, np.corrcoef(faces.T), atol=1e-9)
    both = (faces.T @ faces / len(faces))[np.triu_indices(len(AUS), 1)]
    np.testing.assert_allclose([pair["share_both"] for pair in rates.pairs], both, atol=1e-12)


def test_a_frame_counts_for_as_long_as_it_is_shown() -> None:
    rows = film_rows("v", [0.0, 0.1, 0.4, 0.5], {0: {"AU12": [0.9, 0.9, 0.1, 0.1], "AU04": [0.1, 0.9, 0.9, 0.9]}})
    rates = count_rates(load_study(rows, RowFilter()))
    # The frames are shown for 0.1, 0.3, 0.1 and (the last one, the median step) 0.1 s.
    assert rates.share[0].tolist() == pytest.approx([4 / 6, 5 / 6])
    assert rates.pairs[0]["share_both"] == pytest.approx(3 / 6)


def test_one_frame_is_all_that_a_photograph_has() -> None:
    rates = count_rates(load_study(film_rows("p.jpg", [0.0], {0: {"AU12": [0.9], "AU04": [0.1]}}), RowFilter()))
    assert rates.share.tolist() == [[1.0, 0.0]]
    assert rates.seen_s.tolist() == [0.0]
    assert np.isnan(rates.per_min).all()


def test_rows_that_are_left_out_do_not_count() -> None:
    rows = film_rows("v", [0.0, 0.1, 0.2, 0.3], {0: {"AU12": [0.9, 0.9, 0.1, 0.1]}})
    rows = rows.with_columns(interocular_px=pl.Series([10.0, 50.0, 50.0, 50.0]))
    study = load_study(rows, RowFilter(min_interocular_px=20))
    rates = count_rates(study)
    assert rates.share[0, 0] == pytest.approx(1 / 3)
    assert (rates.seen_s[0], rates.usable_s[0, 0]) == pytest.approx((0.4, 0.3))
    assert study.left_out.sentence() == "left out 1 of 4 rows with a face: 1 eyes closer than 20 px"


def test_near_is_between_where_an_action_unit_begins_and_ends() -> None:
    """Of a low threshold as of one in the middle: 0.07 has 0.04 to 0.12 about it, and not all that is below 0.17."""
    p = [0.02, 0.05, 0.07, 0.11, 0.13, 0.4, 0.6, 0.7]
    rows = film_rows("a.mp4", [i / 10 for i in range(8)], {0: {"AU04": p, "AU12": p}})
    metadata = {"aus": ["AU04", "AU12"], "thresholds": [0.07, 0.5], "videos": {}}
    rates = count_rates(load_study(rows, RowFilter(), metadata))
    assert rates.near == {"AU04": pytest.approx(3 / 8), "AU12": pytest.approx(2 / 8)}
