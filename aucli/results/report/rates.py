"""How often each action unit was present, in each face and over the study: episodes and summaries as arrays to draw.

Every figure is that of `aucli.episodes` or `aucli.summary`, whose lines the page shows beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aucli.annotation.occurrence import shifted
from aucli.annotation.options import AnnotateOptions
from aucli.results.columns import ROW_COLUMNS
from aucli.results.episodes import EpisodeRules, episodes_of, signals_of
from aucli.results.report.study import Study
from aucli.results.row_filter import LEFT_OUT
from aucli.results.rows_of_faces import RowsOfFaces, rows_of_faces
from aucli.results.summary import FIGURES, summary_of

if TYPE_CHECKING:
    import polars

FloatArray = npt.NDArray[np.float64]
NEAR_LOGIT: Final = AnnotateOptions().hysteresis_logit / 2
"""A probability so close to its threshold hardly decides: what was there before goes on."""


@dataclass(frozen=True, eq=False)
class Rates:
    """Every face of every film, and the study as a whole. F faces, A action units; NaN is what is not known.

    Attributes:
        film: (F,) number of the film.
        face: (F,) number of the person in it.
        n_rows: (F,) rows.
        seen_s: (F,) time in which the face is seen.
        usable_s: (F, A) of that, time in rows that are not left out and have a value.
        n_usable: (F, A) these rows.
        share: (F, A) of the usable time.
        n_episodes: (F, A).
        per_min: (F, A) episodes a minute of usable time.
        mean_episode_s: (F, A) their mean duration.
        of_study: action unit -> name of a figure of `aucli.results.summary.FIGURES` -> its value, all faces together.
        near: action unit -> share of the usable time with a probability within `NEAR_LOGIT` of the threshold.
        pairs: of action units, with the figures of `Summary.co_occurrence`, the earlier one first.
        phi: (A, A) correlations.
        episodes: as `aucli.episodes` gives them, with the column ``film``.
    """

    film: npt.NDArray[np.int64]
    face: npt.NDArray[np.int64]
    n_rows: npt.NDArray[np.int64]
    seen_s: FloatArray
    usable_s: FloatArray
    n_usable: FloatArray
    share: FloatArray
    n_episodes: npt.NDArray[np.int64]
    per_min: FloatArray
    mean_episode_s: FloatArray
    of_study: Mapping[str, Mapping[str, float]]
    near: Mapping[str, float]
    pairs: Sequence[Mapping[str, Any]]
    phi: FloatArray
    episodes: polars.DataFrame

    def of_film(self, number: int) -> npt.NDArray[np.intp]:
        """Faces of a film, those seen longest first; of equals the lower number."""
        its = np.flatnonzero(self.film == number)
        return its[np.lexsort((self.face[its], -self.seen_s[its]))]


def count_rates(study: Study) -> Rates:
    """Count everything that the page tells of presence."""
    import polars as pl

    aus, known = study.aus, study.rows.columns
    row_filter = study.left_out.row_filter
    values = [name for au in aus for name in (au, f"{au}_p") if name in known]
    faces = rows_of_faces(study.rows.select(*ROW_COLUMNS, *row_filter.columns, *values), row_filter)
    found = episodes_of(faces, signals_of(aus, known), EpisodeRules())
    summed = summary_of(faces, found, aus)
    numbers = {film.label: film.number for film in study.films}

    def film_of(rows: polars.DataFrame) -> polars.Series:
        return rows["video"].replace_strict(numbers, return_dtype=pl.Int64).alias("film")

    of_faces = {name: _numbers(summed.faces[name], len(aus)) for name in FIGURES}
    first = summed.faces[:: len(aus)]
    of_study = dict.fromkeys(aus, dict.fromkeys(FIGURES, float("nan")))
    of_study |= {row["au"]: _known(row) for row in summed.groups.iter_rows(named=True)}
    pairs = [_known(row) for row in summed.co_occurrence.iter_rows(named=True)]
    return Rates(
        film=film_of(first).to_numpy().astype(np.int64),
        face=first["face"].to_numpy().astype(np.int64),
        n_rows=first["frames_with_face"].to_numpy().astype(np.int64),
        seen_s=of_faces["seconds_with_face"].max(axis=1, initial=0.0),
        usable_s=of_faces["seconds_usable"],
        n_usable=of_faces["frames_usable"],
        share=of_faces["share_present"],
        n_episodes=of_faces["n_episodes"].astype(np.int64),
        per_min=of_faces["episodes_per_minute"],
        mean_episode_s=of_faces["mean_duration_s"],
        of_study=of_study,
        near={au: _near(faces, au, study.thresholds.get(au)) for au in aus},
        pairs=pairs,
        phi=_matrix(pairs, aus),
        episodes=found.with_columns(film_of(found)),
    )


def _numbers(column: polars.Series, n_aus: int) -> FloatArray:
    """(F, A), NaN for null."""
    import polars as pl

    return np.asarray(column.cast(pl.Float64).fill_null(float("nan")).to_numpy(), np.float64).reshape(-1, n_aus)


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: float("nan") if value is None else value for name, value in row.items()}


def _matrix(pairs: Sequence[Mapping[str, Any]], aus: Sequence[str]) -> FloatArray:
    """(A, A) phi of each pair; of an action unit with itself 1."""
    phi = np.eye(len(aus))
    for pair in pairs:
        a, b = aus.index(pair["au_a"]), aus.index(pair["au_b"])
        phi[a, b] = phi[b, a] = pair["phi"]
    return phi


def _near(faces: RowsOfFaces, au: str, threshold: float | None) -> float:
    """Share of the usable time in which a probability hardly decides."""
    import polars as pl

    if threshold is None or not 0 < threshold < 1 or f"{au}_p" not in faces.rows.columns:
        return float("nan")
    p = faces.rows[f"{au}_p"].cast(pl.Float64).fill_nan(None)
    shown_us = faces.times.shown_us * (p.is_not_null() & faces.rows[LEFT_OUT].is_null()).to_numpy()
    total_us = int(shown_us.sum())
    low, high = (float(shifted(np.array([threshold], np.float32), side)[0]) for side in (-NEAR_LOGIT, NEAR_LOGIT))
    is_near = ((p >= low) & (p < high)).fill_null(False).to_numpy()
    return int(shown_us[is_near].sum()) / total_us if total_us else float("nan")
