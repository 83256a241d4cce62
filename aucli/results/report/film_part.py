"""A film's part of the page: its timeline, its stills, and what of it is doubtful."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aucli.errors import VideoError
from aucli.results.film_times import US_PER_S, BoolArray
from aucli.results.report.budget import Budget
from aucli.results.report.distrust import FilmDistrust, film_distrust
from aucli.results.report.figures import Lane, Panel, draw_timeline
from aucli.results.report.find_film import find_film
from aucli.results.report.peaks import Overview, Peak, choose_overview, choose_peaks
from aucli.results.report.pictures import FilmPictures, take_pictures
from aucli.results.report.rates import Rates
from aucli.results.report.study import Study, StudyFilm
from aucli.results.report.timeline import Stretches, stretches
from aucli.results.report.words import au_label, duration, percent

NO_PICTURES = FilmPictures({})


@dataclass(frozen=True, eq=False)
class FilmPart:
    """What the page shows of a film.

    Attributes:
        film: the film.
        faces: (F,) its faces, indices into `Rates`: those seen longest first.
        n_drawn: of these in the timeline.
        timeline: SVG, empty where none is drawn.
        bin_s: length of a bin in the timeline, None where every frame is drawn.
        peaks: moments with a number in the timeline.
        without_still: why -> names of the action units that are present and have no still for this reason.
        overview: frame that shows who has which number.
        pictures: of the peaks and the overview.
        why_no_pictures: a sentence, empty where there are some or none were asked for.
        distrust: what of the film is doubtful.
    """

    film: StudyFilm
    faces: npt.NDArray[np.intp]
    n_drawn: int
    timeline: str
    bin_s: float | None
    peaks: tuple[Peak, ...]
    without_still: Mapping[str, tuple[str, ...]]
    overview: Overview | None
    pictures: FilmPictures
    why_no_pictures: str
    distrust: FilmDistrust

    @property
    def address(self) -> str:
        """The anchor of the film's part."""
        return f"v{self.film.number}"


def make_film_part(
    study: Study,
    film: StudyFilm,
    rates: Rates,
    budget: Budget,
    broken_by: dict[str, BoolArray],
    *,
    folders: Sequence[Path] | None,
    picture_bytes_left: int,
) -> FilmPart:
    """Gather and draw what the page shows of a film.

    Args:
        study: all.
        film: one of it.
        rates: of the study.
        budget: how much may be shown.
        broken_by: name of each judged limit -> rows of the study beyond it.
        folders: where films are looked for; None for a page without pictures.
        picture_bytes_left: how much room there is for pictures.
    """
    import polars as pl

    faces = rates.of_film(film.number)
    drawn = faces[: budget.n_faces] if film.number <= budget.n_timelines else faces[:0]
    found = rates.episodes.filter(pl.col("film") == film.number)
    peaks: tuple[Peak, ...] = ()
    without: Mapping[str, str] = {}
    overview, pictures, why = None, NO_PICTURES, ""
    if folders is not None and len(faces):
        present = [au for at, au in enumerate(study.aus) if np.nanmax(rates.share[faces, at], initial=0.0) > 0]
        shown = rates.face[faces[: budget.n_faces]].tolist()
        peaks, without = choose_peaks(study, film, found, shown, budget.n_stills, present)
        overview = choose_overview(study, film, peaks)
        if picture_bytes_left <= 0:
            why = "the page holds as many stills as keep it quick to open; a page about this video alone shows them"
        else:
            pictures, why = _pictures(film, peaks, overview, budget, folders)
    if not pictures.stills:
        peaks = ()
    n_bins = None if film.n_frames <= budget.n_bins else budget.n_bins
    timeline = ""
    if len(drawn):
        panels = [_panel(study, film, rates, face, n_bins, peaks, broken_by) for face in drawn]
        timeline = draw_timeline(panels, film.begin_s, max(film.end_s, film.begin_s + 1e-3), _about(film, len(drawn)))
    return FilmPart(
        film=film,
        faces=faces,
        n_drawn=len(drawn),
        timeline=timeline,
        bin_s=None if n_bins is None else (film.end_s - film.begin_s) / n_bins,
        peaks=peaks,
        without_still=_by_reason(without),
        overview=overview,
        pictures=pictures,
        why_no_pictures=why,
        distrust=film_distrust(study, film, rates, broken_by),
    )


def _by_reason(without: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {why: tuple(au for au, its in without.items() if its == why) for why in dict.fromkeys(without.values())}


def _pictures(
    film: StudyFilm, peaks: Sequence[Peak], overview: Overview | None, budget: Budget, folders: Sequence[Path]
) -> tuple[FilmPictures, str]:
    path, why = find_film(film, folders)
    if path is None:
        return NO_PICTURES, why
    try:
        return take_pictures(path, film, peaks, overview, budget.sizes), ""
    except VideoError as error:
        return NO_PICTURES, str(error)


def _panel(
    study: Study,
    film: StudyFilm,
    rates: Rates,
    face: np.intp,
    n_bins: int | None,
    peaks: Sequence[Peak],
    broken_by: dict[str, BoolArray],
) -> Panel:
    import polars as pl

    number = int(rates.face[face])
    rows = study.rows[film.rows]
    its = (rows["face"] == number).fill_null(False).to_numpy()
    usable = study.usable[film.rows]
    begin_us, shown_us = study.times.begin_us[film.rows], study.times.shown_us[film.rows]
    from_us, until_us = round(film.begin_s * US_PER_S), round(film.end_s * US_PER_S)

    def when(chosen: BoolArray) -> Stretches:
        return stretches(begin_us, shown_us, chosen, from_us=from_us, until_us=until_us, n_bins=n_bins)

    doubtful = np.logical_or.reduce([broken[film.rows] for broken in broken_by.values()] or [np.zeros(len(its), bool)])
    present = rows.select(pl.col(list(study.aus)).cast(pl.Boolean).fill_null(False)).to_numpy().astype(bool)
    lanes = [Lane("seen", "", {"seen": when(its), "doubtful": when(its & doubtful)})]
    for at, au in enumerate(study.aus):
        name = au_label(au) + (" (experimental)" if au in study.experimental else "")
        share = percent(rates.share[face, at])
        lanes.append(Lane(name, share, {"present": when(its & usable & present[:, at])}))
    seen = when(its & usable)
    edges = np.r_[from_us, seen.ravel(), until_us].reshape(-1, 2)
    unseen = edges[edges[:, 1] > edges[:, 0]]
    marks = tuple((peak.time_s, peak.number, f"#v{film.number}s{peak.number}") for peak in peaks if peak.face == number)
    name = f"Face {number}"
    title = f"{name}: seen for {duration(rates.seen_s[face])} of {duration(film.shown_s)}"
    return Panel(name, title, tuple(lanes), unseen, marks)


def _about(film: StudyFilm, n_drawn: int) -> str:
    faces = "1 face" if n_drawn == 1 else f"{n_drawn} faces"
    return (
        f"Timeline of {film.label}: when {faces} can be seen, and when each action unit is present. "
        "The table below has the numbers."
    )
