"""What is known of the people of a video, and what was found in one frame of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from aucli.faces.appearance import Appearances, Features, Observation
from aucli.faces.values import START_SCORE, Faces, centres_and_sizes, intersection_over_union

NEW_VIEW_DISTANCE: Final = 0.25
"""A face whose colours lie farther than this from all views kept of its person is kept, too."""
VIEWS_KEPT: Final = 3
CROWDED_MARGIN: Final = 0.25
"""Faces whose boxes, grown by this share on every side, meet may hide one another: no view is kept then."""


@dataclass
class Track:
    """One person: where the face was last, how it moves, what it looks like.

    Attributes:
        number: the person's.
        centre_xy: (2,) pixels, at `time_s`.
        size_px: geometric mean of the box's sides.
        velocity_xy: (2,) pixels a second.
        time_s: when last seen.
        shot: in which shot last seen.
        missed_s: time of the first frame since then that did not show the person; None if there was none.
        crowded: whether another face was close when last seen.
        views: what the face looked like: lately, and up to two views unlike that one.
    """

    number: int
    centre_xy: npt.NDArray[np.float64]
    size_px: float
    velocity_xy: npt.NDArray[np.float64]
    time_s: float
    shot: int
    missed_s: float | None
    crowded: bool
    views: list[KnownView]

    def predict_xy(self, time_s: float) -> npt.NDArray[np.float64]:
        """Where the face should be: it goes on moving for a quarter of a second, then waits."""
        return self.centre_xy + self.velocity_xy * min(time_s - self.time_s, 0.25)


@dataclass(frozen=True)
class KnownView:
    """What one face looked like once, and what that is compared by."""

    appearance: Appearances
    features: Features

    @classmethod
    def of(cls, appearances: Appearances, face: int) -> KnownView:
        """Take one of several faces."""
        return cls(appearances.only(face), appearances.features.only(face))


@dataclass(frozen=True)
class FoundFaces:
    """The faces of one frame.

    Attributes:
        observation: what was found.
        time_s: presentation time.
        centre_xy: (F, 2) pixels.
        size_px: (F,) geometric means of the boxes' sides.
        crowded: (F,) bool: another face is so close that one may hide the other.
        sure: (F,) bool: found with at least `START_SCORE`.
    """

    observation: Observation
    time_s: float
    centre_xy: npt.NDArray[np.float64]
    size_px: npt.NDArray[np.float64]
    crowded: npt.NDArray[np.bool_]
    sure: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, observation: Observation, time_s: float) -> FoundFaces:
        """Work it out."""
        faces = observation.faces
        centre, size = centres_and_sizes(faces.boxes_xyxy)
        return cls(observation, time_s, centre, size, _crowded(faces), faces.scores >= START_SCORE)

    def __len__(self) -> int:
        return len(self.observation.faces)


class KnownFeatures:
    """The features of all views of all people one after another, kept from frame to frame."""

    def __init__(self) -> None:
        self._views: list[KnownView] = []
        self._features: Features | None = None

    def of(self, tracks: Sequence[Track]) -> Features:
        """Bring what is kept up to date; from one frame to the next hardly more changes than the newest views."""
        views = [view for track in tracks for view in track.views]
        if self._features is None or len(views) != len(self._views):
            self._features = Features.join([view.features for view in views])
        else:
            for row, (before, now) in enumerate(zip(self._views, views, strict=True)):
                if before is not now:
                    self._features.put(row, now.features)
        self._views = views
        return self._features


def learn(track: Track, view: KnownView) -> None:
    """Keep the newest view, and beside it the first and later ones that looked unlike those kept."""
    last, *others = track.views
    others = others or [last]
    alike = max(float(view.features.whole[0] @ other.features.whole[0]) for other in others)
    if 1.0 - alike > NEW_VIEW_DISTANCE:
        others = [view, *others][: VIEWS_KEPT - 1]
    track.views = [view, *others]


def _crowded(faces: Faces) -> npt.NDArray[np.bool_]:
    if len(faces) < 2:
        return np.zeros(len(faces), bool)
    margin = CROWDED_MARGIN * (faces.boxes_xyxy[:, 2:] - faces.boxes_xyxy[:, :2])
    grown = faces.boxes_xyxy + np.concatenate([-margin, margin], axis=1)
    overlaps = intersection_over_union(grown, grown)
    np.fill_diagonal(overlaps, 0.0)
    return np.asarray(overlaps.max(axis=1, initial=0.0) > 0.0)
