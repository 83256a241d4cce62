"""How well a table of `annotate` agrees with human codes, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt

from aucli.errors import OptionsError, TableError
from aucli.evaluation.scoring import evaluate_predictions
from aucli.evaluation.values import DEFAULT_REPLICATES, Evaluation, LostFaces, Predictions
from aucli.facs import au_column
from aucli.human_codes.reading import read_codes
from aucli.human_codes.values import CodedFrames, CodedIntervals, CodeOptions, Codes, occurrence

if TYPE_CHECKING:
    import polars

Alignment = Literal["auto", "time", "frame"]

NEEDED_COLUMNS: Final = ("video", "frame", "time_s", "face", "w", "h")


@dataclass(frozen=True, kw_only=True)
class AgreementOptions:
    """How to compare.

    Attributes:
        align: how rows of a plain table of codes find their frame: by ``frame`` number or by ``time``; ``auto`` takes
            the frame number where there is one. Intervals are always aligned by time.
        tolerance_s: farthest a coded time may be from a frame's; None is half of the usual step between frames.
        face: which face was coded, where several are in a video: a track number, or ``largest`` in every frame.
            ``auto`` accepts videos with one track only.
        lost_faces: count frames without that face as predicted absent, or leave them out.
        replicates: bootstrap replicates over videos.
        seed: of the bootstrap.
    """

    align: Alignment = "auto"
    tolerance_s: float | None = None
    face: int | Literal["auto", "largest"] = "auto"
    lost_faces: LostFaces = "negative"
    replicates: int = DEFAULT_REPLICATES
    seed: int = 3407

    def __post_init__(self) -> None:
        if self.align not in ("auto", "time", "frame"):
            raise OptionsError(f"align is {self.align!r}; allowed are auto, time, frame")
        if self.tolerance_s is not None and self.tolerance_s < 0:
            raise OptionsError(f"tolerance_s is {self.tolerance_s}; allowed is 0 or more")
        if isinstance(self.face, str) and self.face not in ("auto", "largest"):
            raise OptionsError(f"face is {self.face!r}; allowed are auto, largest or a track number")


@dataclass(frozen=True)
class VideoAgreement:
    """What was compared in one video.

    Attributes:
        video: as in the table.
        source: file of codes.
        frames: frames of the table.
        compared: of these, frames with a code for at least one AU.
        unmatched_codes: coded rows for which the table has no frame.
        faceless: compared frames without the chosen face.
    """

    video: str
    source: str
    frames: int
    compared: int
    unmatched_codes: int
    faceless: int


@dataclass(frozen=True)
class Agreement:
    """Scores over all videos, and what was compared in each.

    Attributes:
        evaluation: its subjects are videos.
        videos: in the order of the codes.
        not_compared: AUs that only the codes or only the table have.
        notes: what a person should know, one line each.
    """

    evaluation: Evaluation
    videos: tuple[VideoAgreement, ...]
    not_compared: tuple[int, ...]
    notes: tuple[str, ...]


def compare_files(
    table: str | Path,
    codes: Sequence[str | Path],
    *,
    code_options: CodeOptions | None = None,
    options: AgreementOptions | None = None,
) -> Agreement:
    """Compare a table, or a folder of tables, with files of human codes.

    Args:
        table: written by `annotate`.
        codes: exports of ELAN, Datavyu or BORIS, or plain tables; see `aucli.human_codes`.
        code_options: how to read the codes.
        options: how to compare.

    Raises:
        TableError: if a file cannot be read, or codes and table cannot be matched.
        OptionsError: if a choice is needed, e.g. which of several faces was coded.
    """
    from aucli.results.read import read_table

    code_options = code_options or CodeOptions()
    found = [one for path in codes for one in read_codes(path, code_options)]
    return compare(read_table(table), found, code_options=code_options, options=options)


def compare(
    table: polars.DataFrame,
    codes: Sequence[Codes],
    *,
    code_options: CodeOptions | None = None,
    options: AgreementOptions | None = None,
) -> Agreement:
    """As `compare_files`, for what is already read."""
    options, code_options = options or AgreementOptions(), code_options or CodeOptions()
    if not codes:
        raise TableError("there are no human codes to compare with")
    lacking = [column for column in NEEDED_COLUMNS if column not in table.columns]
    if lacking:
        raise TableError(f"the table has no column {lacking[0]}; is it one of annotate's?")
    coded = sorted({au for one in codes for au in one.coded_aus})
    aus = tuple(au for au in coded if f"{au_column(au)}_p" in table.columns and au_column(au) in table.columns)
    if not aus:
        raise TableError(f"the table has none of the coded AUs {', '.join(map(str, coded))}")
    names = [str(name) for name in table["video"].unique(maintain_order=True)]
    parts: list[tuple[_Frames, npt.NDArray[np.int8]]] = []
    videos: list[VideoAgreement] = []
    seen: dict[str, Path] = {}
    for one in codes:
        name = match_video(one.video, names, one.source)
        if name in seen:
            raise TableError(
                f"{seen[name]} and {one.source} both hold codes of {name}; compare with one coder at a time"
            )
        seen[name] = one.source
        frames = _frames_of(table, name, aus, options)
        labels, unmatched = _labels_of(one, frames, aus, code_options, options)
        parts.append((frames, labels))
        compared = (labels >= 0).any(axis=1)
        faceless = compared & np.isnan(frames.probabilities).all(axis=1)
        videos.append(
            VideoAgreement(name, str(one.source), len(labels), int(compared.sum()), unmatched, int(faceless.sum()))
        )
    predictions = Predictions(
        name="agreement with human codes",
        aus=aus,
        labels=np.concatenate([labels for _, labels in parts]),
        probabilities=np.concatenate([frames.probabilities for frames, _ in parts]),
        subjects=np.repeat(np.arange(len(parts)), [len(labels) for _, labels in parts]),
        thresholds=_seen_thresholds([frames for frames, _ in parts]),
        decided=np.concatenate([frames.decided for frames, _ in parts]),
    )
    evaluation = evaluate_predictions(
        predictions, lost_faces=options.lost_faces, replicates=options.replicates, seed=options.seed
    )
    in_table = {int(c[2:]) for c in table.columns if c.startswith("AU") and c[2:].isdigit()}
    return Agreement(
        evaluation=evaluation,
        videos=tuple(videos),
        not_compared=tuple(sorted(set(coded) ^ in_table)),
        notes=tuple(dict.fromkeys(note for one in codes for note in one.notes)),
    )


def match_video(wanted: str | None, names: Sequence[str], source: Path) -> str:
    """The table's video that codes belong to: by path, by file name, by name without suffix, or the only one.

    Where a file of codes names no video, its own name may: ``interview3.txt`` goes with ``interview3.mp4``.

    Raises:
        TableError: if none or several fit.
    """
    if wanted is None and len(names) == 1:
        return names[0]
    key = PurePosixPath((wanted or source.name).replace("\\", "/"))
    rules = (
        [n for n in names if PurePosixPath(n) == key],
        [n for n in names if PurePosixPath(n).name.casefold() == key.name.casefold()],
        [n for n in names if PurePosixPath(n).stem.casefold() == key.stem.casefold()],
    )
    for fitting in rules:
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise TableError(f"codes of {key} in {source} fit several videos: {', '.join(fitting)}")
    listed = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
    raise TableError(f"codes of {key} in {source} fit none of the table's videos: {listed}")


@dataclass(frozen=True, eq=False)
class _Frames:
    """One video's frames with the chosen face's results: probabilities are NaN where it is not there."""

    frame: npt.NDArray[np.int64]
    time_s: npt.NDArray[np.float64]
    probabilities: npt.NDArray[np.float32]
    decided: npt.NDArray[np.bool_]


def _frames_of(table: polars.DataFrame, video: str, aus: tuple[int, ...], options: AgreementOptions) -> _Frames:
    import polars as pl

    rows = table.filter(pl.col("video").cast(pl.String) == video)
    frames = rows.select("frame", "time_s").unique("frame").sort("frame")
    faces = rows.filter(pl.col("face").is_not_null())
    tracks = sorted(faces["face"].unique().to_list())
    if options.face == "largest":
        faces = faces.sort(pl.col("w") * pl.col("h"), descending=True).unique(
            "frame", keep="first", maintain_order=True
        )
    elif options.face == "auto":
        if len(tracks) > 1:
            raise OptionsError(
                f"{video} has {len(tracks)} faces ({', '.join(map(str, tracks[:8]))}); say which one was coded with "
                "the option face, or take the largest"
            )
    elif options.face in tracks:
        faces = faces.filter(pl.col("face") == options.face)
    else:
        raise OptionsError(f"{video} has no face {options.face}; it has {', '.join(map(str, tracks)) or 'none'}")
    columns = [au_column(au) for au in aus]
    joined = frames.join(faces.drop("time_s"), on="frame", how="left").sort("frame")
    probabilities = joined.select([pl.col(f"{c}_p").cast(pl.Float32).fill_null(float("nan")) for c in columns])
    return _Frames(
        frame=joined["frame"].to_numpy().astype(np.int64),
        time_s=joined["time_s"].to_numpy().astype(np.float64),
        probabilities=probabilities.to_numpy(),
        decided=joined.select([pl.col(c).fill_null(False) for c in columns]).to_numpy(),
    )


def _labels_of(
    codes: Codes, frames: _Frames, aus: tuple[int, ...], code_options: CodeOptions, options: AgreementOptions
) -> tuple[npt.NDArray[np.int8], int]:
    """(N, A) labels for the table's frames, -1 where there is no code, and how many coded rows found no frame."""
    labels = np.full((len(frames.frame), len(aus)), -1, dtype=np.int8)
    shared = [(a, codes.coded_aus.index(au)) for a, au in enumerate(aus) if au in codes.coded_aus]
    to, of = np.array([a for a, _ in shared], np.int64), np.array([i for _, i in shared], np.int64)
    if isinstance(codes, CodedIntervals):
        if options.align == "frame":
            raise OptionsError(f"{codes.source} holds intervals in seconds; align them by time")
        labels[:, to] = occurrence(codes, frames.time_s, code_options)[:, of]
        return labels, 0
    rows, found = _pair(codes, frames, options)
    labels[np.ix_(rows, to)] = codes.labels[np.ix_(found, of)]
    return labels, len(codes.labels) - len(found)


def _pair(
    codes: CodedFrames, frames: _Frames, options: AgreementOptions
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows of the table and rows of the codes that belong together."""
    if options.align == "frame" and codes.frame is None:
        raise OptionsError(f"{codes.source} has no frame column; align by time")
    if options.align == "time" and codes.time_s is None:
        raise OptionsError(f"{codes.source} has no time_s column; align by frame")
    if codes.frame is not None and options.align != "time":
        _, rows, found = np.intersect1d(frames.frame, codes.frame, assume_unique=True, return_indices=True)
        return rows.astype(np.int64), found.astype(np.int64)
    assert codes.time_s is not None
    if not len(frames.time_s):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    step = float(np.median(np.diff(frames.time_s))) if len(frames.time_s) > 1 else 0.0
    tolerance = options.tolerance_s if options.tolerance_s is not None else step / 2
    after = np.clip(np.searchsorted(frames.time_s, codes.time_s), 1, max(len(frames.time_s) - 1, 1))
    after = np.minimum(after, len(frames.time_s) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(frames.time_s[after] - codes.time_s) < np.abs(frames.time_s[before] - codes.time_s)
    nearest = np.where(nearer, after, before)
    close = np.flatnonzero(np.abs(frames.time_s[nearest] - codes.time_s) <= tolerance + 1e-9)
    rows, first = np.unique(nearest[close], return_index=True)
    return rows.astype(np.int64), close[first].astype(np.int64)


def _seen_thresholds(parts: Sequence[_Frames]) -> npt.NDArray[np.float64]:
    """Smallest probability per AU that the table calls present; 1 where it never does. For information only."""
    probabilities = np.concatenate([part.probabilities for part in parts]).astype(np.float64)
    decided = np.concatenate([part.decided for part in parts])
    lowest: npt.NDArray[np.float64] = np.min(np.where(decided, probabilities, 1.0), axis=0, initial=1.0)
    return lowest
