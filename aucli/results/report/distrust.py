"""What a reader should not trust: faces that are hard to read, films with gaps, action units that hardly decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from aucli.results.report.rates import Rates
from aucli.results.report.study import Study, StudyFilm
from aucli.results.report.words import percent

if TYPE_CHECKING:
    import polars

    from aucli.results.film_times import BoolArray


@dataclass(frozen=True)
class Limit:
    """From which value on a face is hard to read.

    Attributes:
        column: of the table.
        value: the limit.
        is_least: below it is bad; else beyond it to either side.
        name: one word for it.
        words: what it means.
    """

    column: str
    value: float
    is_least: bool
    name: str
    words: str


LIMITS: Final = (
    Limit("interocular_px", 25.0, True, "small", "eyes less than 25 px apart: the model sees an enlarged picture"),
    Limit("yaw_deg", 30.0, False, "turned", "head turned by more than 30° to a side"),
    Limit("pitch_deg", 30.0, False, "tilted", "head raised or lowered by more than 30°"),
    Limit(
        "sharpness",
        0.2,
        True,
        "blurred",
        "sharpness below 0.2, as of a face blurred by a Gaussian of 1.5 pixels of the bundled model's crop of 112; "
        "movement along one line blurs without lowering it so far",
    ),
    Limit("brightness", 50.0, True, "dark", "mean level of the face below 50 of 255"),
)
"""25 px: below the 32 px that the eyes are apart in the bundled model's crop, so that this is an enlarged picture. The
angles: heads turned further were hardly measured for any model here. Sharpness, by benchmarks/sharpness.py: 18 sharp
faces in films and photographs had 0.41 to 0.75, blurred by a Gaussian of 1 px of the crop 0.18 to 0.28, of 1.5 px 0.12
to 0.19, of 2 px 0.09 to 0.15; out of focus a little less, by FFmpeg's gblur of 2 px 0.12 to 0.19, along a line of
deviation 4 px still 0.21 to 0.44. Looked at, crops below 0.2 are plainly soft; of 300 photographs from the web 3 % are.
A column that a table lacks is not judged, and the page says so."""
OFTEN: Final = 0.2
"""Share from which a page warns."""
RARE_SHARE, ALWAYS_SHARE = 0.001, 0.8
BRIEF_S: Final = 1.0


def judged_limits(rows: polars.DataFrame) -> tuple[Limit, ...]:
    """The limits whose columns the table has."""
    return tuple(one for one in LIMITS if one.column in rows.columns and rows[one.column].null_count() < len(rows))


def breaks(rows: polars.DataFrame, limit: Limit) -> BoolArray:
    """(R,) whether a row with a face is beyond the limit; False without a value."""
    import polars as pl

    value = rows[limit.column].cast(pl.Float64).fill_nan(None)
    bad = value < limit.value if limit.is_least else value.abs() > limit.value
    return np.asarray((bad & rows["face"].is_not_null()).fill_null(False).to_numpy(), bool)


@dataclass(frozen=True)
class FilmDistrust:
    """What of one film is doubtful.

    Attributes:
        shares: name of a limit -> share of the rows with a face that are beyond it; empty without a face.
        any_share: share of rows beyond one at least.
        no_face_share: share of the frames without a face; None without a frame.
        carried_share: share of the boxes that were carried from neighbouring frames, as the run was asked to.
        remarks: sentences: damage, gaps, short faces.
    """

    shares: dict[str, float]
    any_share: float
    no_face_share: float | None
    carried_share: float
    remarks: tuple[str, ...]

    @property
    def is_doubtful(self) -> bool:
        """Whether there is something to warn of."""
        often = self.any_share >= OFTEN or (self.no_face_share or 0.0) >= OFTEN
        return often or bool(self.remarks)


def film_distrust(study: Study, film: StudyFilm, rates: Rates, broken_by: dict[str, BoolArray]) -> FilmDistrust:
    """Judge one film.

    Args:
        study: all.
        film: one of it.
        rates: of the study.
        broken_by: name of each judged limit -> rows of the study beyond it, see `breaks`.
    """
    face = study.rows["face"][film.rows].is_not_null().to_numpy()
    n_faces = int(face.sum())
    broken = {name: rows[film.rows] for name, rows in broken_by.items()}
    shares = {name: float(rows.sum() / n_faces) for name, rows in broken.items()} if n_faces else {}
    anything = np.logical_or.reduce(list(broken.values())) if broken else np.zeros(len(face), bool)
    return FilmDistrust(
        shares,
        float(anything.sum() / n_faces) if n_faces else 0.0,
        1 - film.n_frames_with_face / film.n_frames if film.n_frames else None,
        _carried_share(study.rows[film.rows]),
        tuple(_remarks(film, rates)),
    )


def _remarks(film: StudyFilm, rates: Rates) -> list[str]:
    told: list[str] = []
    if record := film.record:
        if record.broken:
            told.append(f"The film ends early or is damaged: {record.broken}.")
        if record.losses and str(record.losses) not in (record.broken or ""):
            told.append(f"{record.losses}; the table has no rows of them.")
        if record.n_hidden:
            told.append(f"{record.n_hidden:,} frames are hidden by the file's edit list and not in the table.")
        told += [f"{note[:1].upper()}{note[1:]}." for note in record.notes]
    if film.n_frames == 0:
        return [*told, "The table holds no frame of it."]
    gap_s = film.end_s - film.begin_s - film.shown_s
    if gap_s > 0.5:
        told.append(f"The table lacks frames for {gap_s:.1f} s of it.")
    if film.n_frames_with_face == 0:
        told.append("No face was found in it.")
    its = rates.of_film(film.number)
    brief = int((rates.seen_s[its] < BRIEF_S).sum())
    if brief and film.shown_s > 2 * BRIEF_S:
        told.append(
            f"{brief:,} of {len(its):,} faces are seen for less than {BRIEF_S:g} s: false finds, or people who got a "
            "new number."
        )
    return told


def _carried_share(rows: polars.DataFrame) -> float:
    if "detected" not in rows.columns:
        return 0.0
    detected = rows["detected"].drop_nulls()
    return 1 - int(detected.sum()) / len(detected) if len(detected) else 0.0


@dataclass(frozen=True)
class AuRemark:
    """What is doubtful of some action units.

    Attributes:
        title: in a few words.
        words: what it means for a reader.
        aus: column of each, and how much it is, empty where there is nothing to measure.
    """

    title: str
    words: str
    aus: tuple[tuple[str, str], ...]


def au_remarks(study: Study, rates: Rates) -> list[AuRemark]:
    """What is doubtful of the action units: one remark of a kind, those that concern any."""
    shares = {au: rates.of_study[au]["share_present"] for au in study.aus}
    remarks = (
        AuRemark(
            "Experimental",
            "the model's maker says that their figures fall short of what the others are held to",
            tuple((au, "") for au in study.aus if au in study.experimental),
        ),
        AuRemark(
            "Near their threshold",
            "for so much of the time the probability lies between those at which it would begin and end: another "
            "threshold would give other results",
            tuple((au, percent(rates.near[au])) for au in study.aus if rates.near[au] >= OFTEN),
        ),
        AuRemark(
            "Nearly always present",
            "more than one expects of any: look at the films",
            tuple((au, percent(share)) for au, share in shares.items() if share >= ALWAYS_SHARE),
        ),
        AuRemark(
            "Hardly ever present",
            f"less than {percent(RARE_SHARE)} of the time, too little to conclude from",
            tuple((au, "") for au, share in shares.items() if share < RARE_SHARE),
        ),
    )
    return [one for one in remarks if one.aus]
