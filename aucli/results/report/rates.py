"""How often each action unit was present, in each face and over the study, and which go together.

Shares are of time: each frame counts for as long as it is shown, and only while the face is seen and its row not left
out. In a photograph, which is shown for no time, its one frame is all there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aucli.results.episodes import episodes
from aucli.results.film_times import US_PER_S
from aucli.results.report.study import Study
from aucli.results.row_filter import LEFT_OUT

if TYPE_CHECKING:
    import polars

FloatArray = npt.NDArray[np.float64]
NEAR_THRESHOLD = 0.1
"""A probability so close to its threshold hardly decides."""


@dataclass(frozen=True, eq=False)
class Rates:
    """Every face of every film, and the study as a whole. F faces, A action units.

    Attributes:
        film: (F,) number of the film.
        face: (F,) number of the person in it.
        seen_s: (F,) time in which the face is seen.
        usable_s: (F,) of that, time in rows that are not left out.
        n_rows: (F,) rows.
        share: (F, A) of the usable time, NaN where there is none.
        n_episodes: (F, A).
        total_episode_s: (F, A) their duration together.
        longest_episode_s: (F, A), 0 without an episode.
        study_share: (A,) of the usable time of all faces together.
        study_probability: (A,) mean.
        study_near: (A,) share of the usable time with a probability within `NEAR_THRESHOLD` of the threshold; NaN
            without thresholds.
        together: (A, A) share of the usable time in which both are present.
        phi: (A, A) correlation of the two over the usable time; NaN where one never changes.
        episodes: as `aucli.episodes` gives them, with the column ``film``.
    """

    film: npt.NDArray[np.int64]
    face: npt.NDArray[np.int64]
    seen_s: FloatArray
    usable_s: FloatArray
    n_rows: npt.NDArray[np.int64]
    share: FloatArray
    n_episodes: npt.NDArray[np.int64]
    total_episode_s: FloatArray
    longest_episode_s: FloatArray
    study_share: FloatArray
    study_probability: FloatArray
    study_near: FloatArray
    together: FloatArray
    phi: FloatArray
    episodes: polars.DataFrame

    def of_film(self, number: int) -> npt.NDArray[np.intp]:
        """Faces of a film, those seen longest first; of equals the lower number."""
        its = np.flatnonzero(self.film == number)
        return its[np.lexsort((self.face[its], -self.seen_s[its]))]

    @property
    def per_min(self) -> FloatArray:
        """(F, A) episodes a minute of usable time, NaN where there is none."""
        minutes = np.where(self.usable_s > 0, self.usable_s, np.nan)[:, None] / 60
        return np.asarray(self.n_episodes / minutes)


def count_rates(study: Study) -> Rates:
    """Count everything that the page tells of presence."""
    import polars as pl

    rows = study.rows
    film_of_row = np.zeros(len(rows), np.int64)
    for film in study.films:
        film_of_row[film.rows] = film.number
    has_face = rows["face"].is_not_null().to_numpy()
    key = (film_of_row << 32) + rows["face"].fill_null(0).to_numpy().astype(np.int64)
    faces, group = np.unique(key[has_face], return_inverse=True)
    n_faces, n_aus = len(faces), len(study.aus)

    shown_s = study.times.shown_us / US_PER_S
    weight = np.maximum(study.times.shown_us, 1).astype(np.float64)
    usable = study.usable[has_face]
    present = _matrix(rows, study.aus)[has_face]
    known = usable[:, None] & np.isfinite(present)
    value = np.where(known, present, 0.0)
    weighted = weight[has_face][:, None] * known
    total, on = (_sums(group, n_faces, values) for values in (weighted, weighted * value))
    share = np.divide(on, total, out=np.full((n_faces, n_aus), np.nan), where=total > 0)

    p = _matrix(rows, [f"{au}_p" for au in study.aus if f"{au}_p" in rows.columns])[has_face]
    found = episodes(
        rows.drop(LEFT_OUT, "video_code"), thresholds=study.thresholds, row_filter=study.left_out.row_filter
    )
    numbers = pl.DataFrame(
        {"video": [f.label for f in study.films], "film": [f.number for f in study.films]},
        schema={"video": pl.String, "film": pl.Int64},
    )
    found = found.join(numbers, on="video", how="left", maintain_order="left")
    n_episodes, total_s, longest_s = _episode_counts(found, faces, study.aus)
    study_share, together, phi = _pairs(value, weighted, known)
    return Rates(
        film=faces >> 32,
        face=faces & 0xFFFFFFFF,
        seen_s=_sums(group, n_faces, shown_s[has_face][:, None])[:, 0],
        usable_s=_sums(group, n_faces, (shown_s[has_face] * usable)[:, None])[:, 0],
        n_rows=np.bincount(group, minlength=n_faces),
        share=share,
        n_episodes=n_episodes,
        total_episode_s=total_s,
        longest_episode_s=longest_s,
        study_share=study_share,
        study_probability=_mean(p, weighted) if p.shape[1] == n_aus else np.full(n_aus, np.nan),
        study_near=_near(p, weighted, study),
        together=together,
        phi=phi,
        episodes=found,
    )


def _matrix(rows: polars.DataFrame, columns: list[str] | tuple[str, ...]) -> FloatArray:
    """(R, C) float64, NaN for null."""
    import polars as pl

    if not columns:
        return np.zeros((len(rows), 0))
    return np.asarray(
        rows.select(pl.col(list(columns)).cast(pl.Float64).fill_null(float("nan"))).to_numpy(), np.float64
    )


def _sums(group: npt.NDArray[np.intp], n_groups: int, values: FloatArray) -> FloatArray:
    sums = [np.bincount(group, column, n_groups).astype(np.float64) for column in values.T]
    return np.stack(sums, axis=1) if sums else np.zeros((n_groups, 0))


def _mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    """The mean of each column, NaN where nothing has a weight."""
    weights = weights * np.isfinite(values)
    total = weights.sum(axis=0)
    summed = (weights * np.nan_to_num(values)).sum(axis=0)
    return np.asarray(np.divide(summed, total, out=np.full(values.shape[1], np.nan), where=total > 0))


def _near(p: FloatArray, weights: FloatArray, study: Study) -> FloatArray:
    thresholds = study.thresholds
    if p.shape[1] != len(study.aus) or not thresholds or not set(study.aus) <= set(thresholds):
        return np.full(len(study.aus), np.nan)
    limits = np.array([thresholds[au] for au in study.aus])
    return _mean((np.abs(p - limits) < NEAR_THRESHOLD).astype(np.float64), weights * np.isfinite(p))


def _pairs(value: FloatArray, weighted: FloatArray, known: npt.NDArray[np.bool_]) -> tuple[FloatArray, ...]:
    """Share of each, of each pair, and phi: Pearson's correlation of two variables that are 0 or 1."""
    share = _mean(value, weighted)
    whole = known.all(axis=1)
    weight = weighted[whole].max(axis=1, initial=0.0)
    total = weight.sum()
    if not total:
        nothing = np.full((value.shape[1], value.shape[1]), np.nan)
        return share, nothing, nothing
    on = value[whole]
    together = (on * weight[:, None]).T @ on / total
    one = np.diag(together)
    spread = np.sqrt(np.clip(one * (1 - one), 0, None))
    scale = np.outer(spread, spread)
    covariance = together - np.outer(one, one)
    phi = np.divide(covariance, scale, out=np.full(scale.shape, np.nan), where=scale > 1e-12)
    return share, together, np.clip(phi, -1, 1)


def _episode_counts(
    found: polars.DataFrame, faces: npt.NDArray[np.int64], aus: tuple[str, ...]
) -> tuple[npt.NDArray[np.int64], FloatArray, FloatArray]:
    number, total_s, longest_s = (np.zeros((len(faces), len(aus))) for _ in range(3))
    key = (found["film"].to_numpy().astype(np.int64) << 32) + found["face"].to_numpy().astype(np.int64)
    row = np.searchsorted(faces, key)
    column = np.array([aus.index(au) for au in found["au"]], np.int64)
    duration_s = found["duration_s"].to_numpy()
    np.add.at(number, (row, column), 1)
    np.add.at(total_s, (row, column), duration_s)
    np.maximum.at(longest_s, (row, column), duration_s)
    return number.astype(np.int64), total_s, longest_s
