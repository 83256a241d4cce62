"""Which moments of a film are shown as stills: of each action unit the strongest episode, at its apex.

Every action unit that is present gets a still, or a word why it has none. Two whose peaks are close together share one
if both are present in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aucli.results.report.study import Study, StudyFilm

if TYPE_CHECKING:
    import polars

LEAST_DISTANCE: Final = 0.04
"""Of two peaks of one face, as a share of the film: nearer ones would show nearly the same."""
NO_ROOM: Final = "the page has no room for more stills of this video"
NO_EPISODE: Final = "present for moments only, too short for an episode"
OTHER_FACE: Final = "present in faces that are not drawn"

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels of the frame."""


@dataclass(frozen=True)
class ShownEpisode:
    """An episode of an action unit that a still stands for.

    Attributes:
        au: its column.
        peak_probability: the highest in the episode.
        apex_s: when; another time than the still's where a still is shared.
    """

    au: str
    peak_probability: float
    apex_s: float


@dataclass(frozen=True)
class Peak:
    """A face at the apex of an episode.

    Attributes:
        number: 1-based, in time, within the film.
        frame: its number.
        time_s: its time.
        face: the person's number.
        box: of the face.
        shown: the episodes that it stands for: all go on in this frame.
    """

    number: int
    frame: int
    time_s: float
    face: int
    box: Box
    shown: tuple[ShownEpisode, ...]


@dataclass(frozen=True)
class Overview:
    """A frame with as many faces as any, to tell who has which number.

    Attributes:
        frame: its number.
        time_s: its time.
        boxes: face -> box.
    """

    frame: int
    time_s: float
    boxes: dict[int, Box]


def choose_peaks(
    study: Study, film: StudyFilm, episodes: polars.DataFrame, faces: Sequence[int], most: int, present: Sequence[str]
) -> tuple[tuple[Peak, ...], Mapping[str, str]]:
    """Choose the peaks of a film: first one for each action unit, then the next strongest.

    Args:
        study: all.
        film: one of it.
        episodes: of the film.
        faces: people to choose from.
        most: how many at most.
        present: columns of the action units that are present in the film.

    Returns:
        The peaks, and action unit -> why it has none.
    """
    import polars as pl

    candidates = list(
        episodes.filter(pl.col("face").is_in(list(faces)))
        .sort("peak_probability", "apex_s", "face", "au", descending=[True, False, False, False])
        .with_columns(pl.int_range(pl.len()).over("au").alias("turn"))
        .sort("turn", "peak_probability", "apex_s", "face", descending=[False, True, False, False], maintain_order=True)
        .iter_rows(named=True)
    )
    stills = _Stills(LEAST_DISTANCE * (film.end_s - film.begin_s), most)
    strongest = [one for one in candidates if one["turn"] == 0]
    waiting = [one for one in strongest if not (stills.share(one, near=True) or stills.add(one))]
    for one in waiting:  # there is no room: another of its episodes may go on in a still that is there
        its = (other for other in candidates if other["au"] == one["au"])
        next(filter(stills.share, its), None)
    for one in candidates:
        if one["turn"] > 0 and not stills.is_near(one):
            stills.add(one)
    with_episode = set(episodes["au"])
    without = {
        au: NO_EPISODE
        if au not in with_episode
        else NO_ROOM
        if any(one["au"] == au for one in strongest)
        else OTHER_FACE
        for au in present
        if au not in stills.aus
    }
    boxes = _boxes(study, film, [frame for _, frame in stills.shown])
    in_time = sorted(stills.shown, key=lambda key: (stills.time_s[key], key))
    peaks = tuple(
        Peak(
            number,
            frame,
            stills.time_s[face, frame],
            face,
            boxes[frame, face],
            tuple(sorted(stills.shown[face, frame], key=lambda one: one.au)),
        )
        for number, (face, frame) in enumerate(in_time, 1)
    )
    return peaks, without


class _Stills:
    """Stills chosen so far, by face and frame.

    Args:
        least_s: between two of one face, unless they are of different action units.
        most: how many there may be.
    """

    def __init__(self, least_s: float, most: int) -> None:
        self._least_s, self._most = least_s, most
        self.shown: dict[tuple[int, int], list[ShownEpisode]] = {}
        self.time_s: dict[tuple[int, int], float] = {}

    @property
    def aus(self) -> set[str]:
        """Action units that have a still."""
        return {one.au for shown in self.shown.values() for one in shown}

    def add(self, episode: Mapping[str, Any]) -> bool:
        """A still at the apex of an episode, if there is room."""
        key = (episode["face"], episode["apex_frame"])
        if key not in self.shown and len(self.shown) >= self._most:
            return False
        self.time_s[key] = episode["apex_s"]
        self._put(key, episode)
        return True

    def share(self, episode: Mapping[str, Any], *, near: bool = False) -> bool:
        """Put an episode to a still in which it goes on, that closest to its apex; if asked, only one close to it."""
        within = [
            (face, frame)
            for face, frame in (self._close_to(episode) if near else self.shown)
            if face == episode["face"] and episode["onset_frame"] <= frame <= episode["offset_frame"]
        ]
        if not within:
            return False
        self._put(min(within, key=lambda key: abs(self.time_s[key] - episode["apex_s"])), episode)
        return True

    def is_near(self, episode: Mapping[str, Any]) -> bool:
        """Whether the apex itself has no still, and one close to it has."""
        is_there = (episode["face"], episode["apex_frame"]) in self.shown
        return not is_there and any(True for _ in self._close_to(episode))

    def _close_to(self, episode: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
        for key, time_s in self.time_s.items():
            if key[0] == episode["face"] and abs(time_s - episode["apex_s"]) < self._least_s:
                yield key

    def _put(self, key: tuple[int, int], episode: Mapping[str, Any]) -> None:
        one = ShownEpisode(episode["au"], episode["peak_probability"], episode["apex_s"])
        self.shown.setdefault(key, []).append(one)


def choose_overview(study: Study, film: StudyFilm, peaks: Sequence[Peak]) -> Overview | None:
    """Choose a frame with as many faces as any: one of the peaks' where that serves, else the first."""
    rows = study.rows[film.rows]
    has_face = rows["face"].is_not_null().to_numpy()
    if not has_face.any():
        return None
    frames, count = np.unique(rows["frame"].to_numpy()[has_face], return_counts=True)
    fullest = frames[count == count.max()].tolist()
    at_peaks = [peak.frame for peak in peaks if peak.frame in set(fullest)]
    frame = at_peaks[0] if at_peaks else int(fullest[0])
    time_s = float(rows["time_s"].to_numpy()[rows["frame"].to_numpy() == frame][0])
    boxes = {face: box for (_, face), box in _boxes(study, film, [frame]).items()}
    return Overview(frame, time_s, boxes)


def _boxes(study: Study, film: StudyFilm, frames: Sequence[int]) -> dict[tuple[int, int], Box]:
    import polars as pl

    rows = study.rows[film.rows].filter(pl.col("frame").is_in(list(set(frames))) & pl.col("face").is_not_null())
    places = rows.select("frame", "face", *(pl.col(side).cast(pl.Float64).fill_null(0.0) for side in "xywh"))
    return {(frame, face): (x, y, x + w, y + h) for frame, face, x, y, w, h in places.iter_rows()}
