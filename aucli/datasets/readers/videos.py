"""What a reader needs to know of a video before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from aucli.datasets.label_values import Int32Array
from aucli.datasets.report import OTHER_RATE, Findings
from aucli.errors import VideoError
from aucli.human_codes.pairing import FilmFrames
from aucli.video.reader import FrameReader, probe

SAME_RATE: Final = 0.02
"""Share by which a film's average rate may differ from the labels': 29.97 is 30."""
SAME_COUNT: Final = 2
"""Headers promise a frame or two more or less than there are."""

Pairing = Literal["frames", "time"]


def frames_in_header(video: Path, where: str, findings: Findings) -> int | None:
    """Frames that a video's header promises; None, and a warning, for a video that cannot be opened.

    A header can promise a frame or two more than decode, so this is for comparing with label files only.
    """
    try:
        return probe(video).n_frames_header
    except VideoError as error:
        findings.warn("video cannot be opened", "dropped", 1, "sequence", where, str(error))
        return None


@dataclass(frozen=True, eq=False)
class PairedFilm:
    """Which labels have a frame in a film, and which.

    Attributes:
        rows: (M,) indices into the labels, ascending.
        positions: (M,) decoded positions from 0, ascending.
        promised: frames in the film's header, where labels and frames are one to one and were compared; else None.
    """

    rows: npt.NDArray[np.intp]
    positions: Int32Array
    promised: int | None = None


@dataclass(frozen=True)
class FrameRate:
    """How often a data set's labels come, and what is done about films that run at another rate.

    Attributes:
        labels_per_s: one for each frame of the owners' films.
        pairing: ``frames`` leaves out films that do not fit; ``time`` gives each label the frame of its time in these.
        check: whether films are looked at; else labels and frames are one to one.
    """

    labels_per_s: float
    pairing: Pairing
    check: bool = True

    def pair(self, video: Path, where: str, index: Int32Array, findings: Findings) -> PairedFilm | None:
        """Pair the labels of a film with its frames.

        A film fits if it has as many frames as there are labels, up to `SAME_COUNT`, or runs at their rate, up to
        `SAME_RATE`: label i is then of frame i.

        Args:
            video: the film.
            where: the sequence.
            index: (K,) ascending numbers of the labels from 0 at the film's beginning.
            findings: where a film that does not fit, or cannot be opened, is told.

        Returns:
            None if the sequence is left out.
        """
        everything = np.arange(len(index))
        if not self.check:
            return PairedFilm(everything, index)
        try:
            info = probe(video)
            n_labels = int(index.max(initial=-1)) + 1
            same_rate = info.fps > 0 and abs(info.fps / self.labels_per_s - 1) <= SAME_RATE
            if same_rate or abs(info.n_frames_header - n_labels) <= SAME_COUNT:
                return PairedFilm(everything, index, info.n_frames_header)
            told = (
                f"{info.n_frames_header} frames, {info.fps:.4g} a second, for {n_labels} labels, "
                f"{self.labels_per_s:.4g} a second"
            )
            if self.pairing == "frames":
                remedy = "pairing=time gives each label the frame of its time; label_rate is the labels' own rate"
                findings.warn(OTHER_RATE, "dropped", 1, "sequence", where, f"{told}; the option {remedy}")
                return None
            rows, positions = nearest_frames(film_frames(video, where).time_s, index / self.labels_per_s)
        except VideoError as error:
            findings.warn("video cannot be opened", "dropped", 1, "sequence", where, str(error))
            return None
        findings.warn("labels paired by time", "kept", len(rows), "label", where, told)
        findings.warn("label without a frame of its own at its time", "dropped", len(index) - len(rows), "label", where)
        return PairedFilm(rows, positions)


def nearest_frames(
    film_s: npt.NDArray[np.float64], label_s: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.intp], Int32Array]:
    """Which labels have a frame at their time, each frame taken once, by the nearest label.

    Args:
        film_s: (N,) ascending times of the film's frames, s; N at least 1.
        label_s: (K,) ascending times of the labels after the film's first frame, s.

    Returns:
        (M,) indices into the labels and (M,) frames, both ascending. No label is more than half of a film's usual step,
        or of the labels', from its frame.
    """
    film_s = film_s - film_s[0]
    after = np.searchsorted(film_s, label_s).clip(1, max(len(film_s) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(film_s) - 1)
    nearest = np.where(label_s - film_s[before] <= film_s[after] - label_s, before, after)
    distance = np.abs(film_s[nearest] - label_s)
    steps = [float(np.median(np.diff(times_s))) for times_s in (film_s, label_s) if len(times_s) > 1]
    labels = np.flatnonzero(distance <= max(steps, default=0.0) / 2 + 1e-6)
    labels = labels[np.lexsort((distance[labels], nearest[labels]))]
    frames, first = np.unique(nearest[labels], return_index=True)
    return labels[first], frames.astype(np.int32)


def film_frames(video: Path, name: str) -> FilmFrames:
    """Number and time of every frame of a video; decoded only where packets do not tell.

    Raises:
        VideoError: if the video cannot be opened, or none of its frames decodes.
    """
    with FrameReader(video) as reader:
        time_s = reader.announced_times_s()
        if time_s is not None:
            return FilmFrames(name, np.arange(len(time_s), dtype=np.int64), time_s)
        batches = [(batch.index, batch.time_s) for batch in reader]
    return FilmFrames(
        name,
        np.concatenate([index for index, _ in batches]).astype(np.int64),
        np.concatenate([time_s for _, time_s in batches]),
    )
