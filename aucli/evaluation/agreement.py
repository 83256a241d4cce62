"""How well a table of `annotate` agrees with human codes, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from aucli.errors import OptionsError, TableError
from aucli.evaluation.choices import LostFaces
from aucli.evaluation.coded_faces import FaceList, FaceWanted, Question, ask, pair_faces
from aucli.evaluation.coded_films import codes_by_film, short
from aucli.evaluation.films import FaceRows, Film, Films
from aucli.evaluation.scoring import evaluate_predictions
from aucli.evaluation.values import DEFAULT_REPLICATES, Evaluation, Predictions
from aucli.facs import au_column
from aucli.human_codes.coder_files import read_coder
from aucli.human_codes.names import Alignment
from aucli.human_codes.pairing import FrameLabels, film_range, lay_on_frames
from aucli.human_codes.values import CodedFrames, CodeOptions, Codes

if TYPE_CHECKING:
    import polars

    from aucli.results.read import TablePaths

_LISTED_VIDEOS: Final = 20
"""With more videos than this the notes give sums only."""


@dataclass(frozen=True, kw_only=True)
class AgreementOptions:
    """How to compare.

    Attributes:
        align: how rows of a plain table of codes find their frame: by ``frame`` number or by ``time``; ``auto`` takes
            the frame number where there is one. Intervals in seconds are always aligned by time.
        tolerance_s: farthest a coded time may be from a frame's; None is half the smaller of the usual steps between
            frames and between codes.
        face: which face was coded, where several are in a video: its number, ``largest`` in every frame, or a list by
            video and subject (`read_face_list`). ``auto`` accepts videos with one face, codes that say where the face
            is, and subjects that are called ``face 1``, as in aucli's own exports; a list falls back to it.
        video: the table's video that the codes belong to, where names do not tell; None goes by names.
        lost_faces: count frames without that face as predicted absent, or leave them out.
        replicates: bootstrap replicates over videos.
        seed: of the bootstrap.
    """

    align: Alignment = "auto"
    tolerance_s: float | None = None
    face: FaceWanted = "auto"
    video: str | None = None
    lost_faces: LostFaces = "negative"
    replicates: int = DEFAULT_REPLICATES
    seed: int = 3407

    def __post_init__(self) -> None:
        if self.align not in ("auto", "time", "frame"):
            raise OptionsError(f"`align` is {self.align!r}; allowed are auto, time, frame")
        if self.tolerance_s is not None and not self.tolerance_s >= 0:
            raise OptionsError(f"`tolerance_s` is {self.tolerance_s}; allowed is 0 or more")
        if isinstance(self.face, str) and self.face not in ("auto", "largest"):
            raise OptionsError(f"`face` is {self.face!r}; allowed are auto, largest, a number, or a list of faces")


@dataclass(frozen=True)
class VideoAgreement:
    """What was compared in one video, of one subject.

    Attributes:
        video: as in the table.
        subject: who was coded, where the codes say it.
        source: file of codes.
        face: which face of the video was taken, in words.
        frames: frames of the table.
        compared: of these, frames with a code for at least one AU.
        unmatched_codes: coded rows for which the table has no frame.
        faceless: compared frames without the chosen face.
        coded: from when to when there are codes, with the unit; "" if there are none.
        film: from when to when the video runs, in the same unit.
    """

    video: str
    subject: str | None
    source: str
    face: str
    frames: int
    compared: int
    unmatched_codes: int
    faceless: int
    coded: str
    film: str

    def line(self) -> str:
        """The same in a sentence."""
        who = f" ({self.subject})" if self.subject else ""
        parts = [
            f"{self.video}{who}: {self.compared} of {self.frames} frames compared",
            f"{self.faceless} of them without a face",
            f"face: {self.face}",
            f"codes at {self.coded}, the film at {self.film}" if self.coded else "no code occurs",
        ]
        if self.unmatched_codes:
            parts.append(f"{self.unmatched_codes} coded rows have no frame in the table")
        return "; ".join(parts)


@dataclass(frozen=True)
class Agreement:
    """Scores over all videos, and what was compared in each.

    Attributes:
        evaluation: its subjects are the faces that were coded: one a video, or several where the codes tell them apart.
        videos: in the order of the codes.
        not_compared: AUs that only the codes or only the table have.
        notes: what a reader should know, one line each.
    """

    evaluation: Evaluation
    videos: tuple[VideoAgreement, ...]
    not_compared: tuple[int, ...]
    notes: tuple[str, ...]


def compare_files(
    table: TablePaths,
    codes: Sequence[str | Path],
    *,
    code_options: CodeOptions | None = None,
    options: AgreementOptions | None = None,
) -> Agreement:
    """Compare a table, or a folder of tables, with files of human codes, film by film.

    Films and codes find each other by name. A film without codes, codes without a film, and a subject whose face the
    table has not are told and left out.

    Args:
        table: written by `annotate`: what `aucli.read` takes.
        codes: files of one coder, or folders of them; see `aucli.human_codes.registry`.
        code_options: how to read the codes.
        options: how to compare.

    Raises:
        TableError: if a file cannot be read, or codes and table cannot be matched.
        OptionsError: if a choice is needed, e.g. which of several faces was coded.
    """
    from aucli.results.read import read_tables

    code_options = code_options or CodeOptions()
    read = read_tables(table)
    films = Films(read.rows, read.videos)
    video = options.video if options is not None else None

    def rate(wanted: str | None, source: Path) -> float | None:
        return films.rate(video or wanted, source)

    found, notes = read_coder(codes, code_options, film_rate=rate, but=read.files)
    compared = _compare(films, read.rows, found, read.thresholds, code_options, options or AgreementOptions())
    return replace(compared, notes=(*compared.notes, *notes))


def compare(
    table: polars.DataFrame,
    codes: Sequence[Codes],
    *,
    thresholds: Mapping[str, float] | None = None,
    code_options: CodeOptions | None = None,
    options: AgreementOptions | None = None,
) -> Agreement:
    """As `compare_files`, for what is already read.

    The table's own occurrences count. `thresholds` (action unit -> the probability of its metadata, ``{"AU12": 0.45}``)
    are only told beside the scores: by smoothing over time occurrences may differ from ``probability >= threshold``.
    """
    return _compare(
        Films(table), table, codes, thresholds or {}, code_options or CodeOptions(), options or AgreementOptions()
    )


def _compare(
    films: Films,
    table: polars.DataFrame,
    codes: Sequence[Codes],
    thresholds: Mapping[str, float],
    code_options: CodeOptions,
    options: AgreementOptions,
) -> Agreement:
    if not codes:
        raise TableError("there are no human codes to compare with")
    coded = sorted({au for one in codes for au in one.coded_aus})
    aus = tuple(au for au in coded if f"{au_column(au)}_p" in table.columns and au_column(au) in table.columns)
    if not aus:
        raise TableError(f"the table has none of the coded AUs {', '.join(map(str, coded))}")
    by_film, strangers = codes_by_film(films, codes, options.video)
    parts, not_compared_notes = _parts(films, by_film, aus, code_options, options)
    results = [part.face.results(aus) for part in parts]
    predictions = Predictions(
        name="agreement with human codes",
        aus=aus,
        labels=np.concatenate([part.codes.labels for part in parts]),
        probabilities=np.concatenate([probabilities for probabilities, _ in results]),
        subjects=np.repeat(np.arange(len(parts)), [len(part.codes.labels) for part in parts]),
        thresholds=np.array([thresholds.get(au_column(au), np.nan) for au in aus]),
        decided=np.concatenate([decided for _, decided in results]),
    )
    evaluation = replace(
        evaluate_predictions(
            predictions, lost_faces=options.lost_faces, replicates=options.replicates, seed=options.seed
        ),
        method="frame by frame",
        frames=int((predictions.labels >= 0).any(axis=1).sum()),
    )
    videos = tuple(_summary(part, probabilities) for part, (probabilities, _) in zip(parts, results, strict=True))
    in_table = {int(c[2:]) for c in table.columns if c.startswith("AU") and c[2:].isdigit()}
    not_compared = tuple(sorted(set(coded) ^ in_table))
    return Agreement(
        evaluation=evaluation,
        videos=videos,
        not_compared=not_compared,
        notes=(
            *video_notes(videos),
            *_uncoded(films, by_film),
            *strangers,
            *not_compared_notes,
            *_left_out(coded, in_table),
            *notes_of(codes),
        ),
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """One subject in one film: the codes on its frames, and the face they are compared with."""

    film: Film
    source: Codes
    codes: FrameLabels
    face: FaceRows


def _parts(
    films: Films,
    by_film: Mapping[str, Sequence[Codes]],
    aus: tuple[int, ...],
    code_options: CodeOptions,
    options: AgreementOptions,
) -> tuple[list[_Part], list[str]]:
    """Every subject of every film with its face; and notes on those that are not compared.

    Raises:
        OptionsError: naming all films of which nobody can tell the face; or if nobody is left to compare.
        TableError: if codes do not lie where the film, or its faces, are.
    """
    listed, notes = options.face.by_film(films) if isinstance(options.face, FaceList) else ({}, [])
    wanted = "auto" if isinstance(options.face, FaceList) else options.face
    parts: list[_Part] = []
    questions: list[Question] = []
    unpaired: list[str] = []
    nothing: list[str] = []
    uncoded: list[str] = []
    for name, codes in by_film.items():
        film = films[name]
        laid = [
            lay_on_frames(one, film.frames, aus, code_options, align=options.align, tolerance_s=options.tolerance_s)
            for one in codes
        ]
        if not film.faces and not any((one.labels == 1).any() for one in laid):
            nothing.append(name)
            continue
        faces: Sequence[FaceRows | None] | None = _by_place(film, codes, laid) if options.face == "auto" else None
        if faces is None:
            paired = pair_faces(film, codes, wanted, listed)
            faces = paired.faces
            questions += [paired.question] if paired.question else []
            unpaired += paired.unpaired
        coded = [_Part(film, *one) for one in zip(codes, laid, faces, strict=False) if one[2] is not None]  # type: ignore[arg-type]
        parts += coded
        left = set(film.faces).difference(*(part.face.rows["face"].to_list() for part in coded)) if coded else ()
        uncoded += [f"{name} face {face}" for face in sorted(left)]
    if questions:
        raise ask(questions)
    if not parts:
        raise OptionsError(unpaired[0] if unpaired else f"{nothing[0]} has no face, and nothing is coded in it")
    notes += [f"not compared: {why}" for why in unpaired[:_LISTED_VIDEOS]]
    if len(unpaired) > _LISTED_VIDEOS:
        notes.append(f"not compared: {len(unpaired) - _LISTED_VIDEOS} more of this kind")
    if uncoded:
        notes.append(f"not compared, faces without codes of their own ({len(uncoded)}): {short(', '.join(uncoded))}")
    if nothing:
        notes.append(f"not compared, no face in the table and nothing coded: {short(', '.join(nothing))}")
    return parts, notes


def _by_place(film: Film, codes: Sequence[Codes], laid: Sequence[FrameLabels]) -> list[FaceRows] | None:
    """The faces that lie where the codes say; None where they do not say, or there is no choice to make."""
    places = [one.centre_xy for one in codes if isinstance(one, CodedFrames) and one.centre_xy is not None]
    if len(places) < len(codes) or (len(codes) == 1 and len(film.faces) <= 1):
        return None
    faces = film.at_places([one.rows for one in laid], [xy[one.found] for xy, one in zip(places, laid, strict=True)])
    if not any(face.rows.height for face in faces):
        raise TableError(
            f"{codes[0].source}: no coded face lies where {film.name} has one; say which face was coded with `face`"
        )
    return faces


def _uncoded(films: Films, by_film: Mapping[str, object]) -> list[str]:
    """A note on the videos of the table that nobody coded."""
    names = [name for name in films.names if name not in by_film]
    return (
        [f"{len(names)} of {len(films.names)} videos of the table have no codes: {short(', '.join(names))}"]
        if names
        else []
    )


def _summary(part: _Part, probabilities: npt.NDArray[np.float32]) -> VideoAgreement:
    compared: npt.NDArray[np.bool_] = np.asarray((part.codes.labels >= 0).any(axis=1))
    return VideoAgreement(
        video=part.film.name,
        subject=part.source.subject,
        source=str(part.source.source),
        face=part.face.choice,
        frames=len(compared),
        compared=int(compared.sum()),
        unmatched_codes=part.codes.unmatched,
        faceless=int((compared & np.isnan(probabilities).all(axis=1)).sum()),
        coded=part.codes.span,
        film=film_range(part.film.frames, "frame" if part.codes.span.startswith("frame") else "s"),
    )


def video_notes(videos: Sequence[VideoAgreement]) -> list[str]:
    """A line for each video, or one for all where they are many."""
    if len(videos) <= _LISTED_VIDEOS:
        return [video.line() for video in videos]
    total, compared, faceless, unmatched = (
        sum(getattr(video, what) for video in videos) for what in ("frames", "compared", "faceless", "unmatched_codes")
    )
    n_videos = len({video.video for video in videos})
    return [
        f"{n_videos:,} videos, {len(videos):,} coded faces: {compared:,} of {total:,} frames compared, {faceless:,} of "
        f"them without the face, {unmatched:,} coded rows without a frame"
    ]


def notes_of(codes: Sequence[Codes]) -> tuple[str, ...]:
    """What the readers noted, each once."""
    return tuple(dict.fromkeys(note for one in codes for note in one.notes))


def _left_out(coded: Sequence[int], in_table: set[int]) -> list[str]:
    def joined(aus: set[int]) -> str:
        return ", ".join(map(str, sorted(aus)))

    only_coded, only_said = set(coded) - in_table, in_table - set(coded)
    notes = [f"coded, but not in the table: AU {joined(only_coded)}"] if only_coded else []
    if only_said:
        notes.append(f"in the table, but not coded: AU {joined(only_said)}; say what was looked for with `coded_aus`")
    return notes
