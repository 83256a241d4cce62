"""Who is who from frame to frame.

Tracking by detection. Three things speak for a face being somebody's: the place, what it looks like, and that the scene
went on. A number is kept

- where the person was expected, in a scene that went on, by a face that looks much the same;
- anywhere else, or after a cut, by a face that looks the same beyond doubt; however long the person was away.

Else a number begins: one person with two numbers is a smaller harm than two people with one. A face needs `START_SCORE`
to begin a number, and only `KEEP_SCORE` to go on with one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.faces.appearance import Appearances, Observation, same_person_scores
from aucli.faces.people import FoundFaces, KnownFeatures, KnownView, Track, learn
from aucli.faces.scenes import SceneThumbnail, same_scene
from aucli.faces.values import Faces

GATE_SIZES: Final = 0.6
"""How far, in face sizes, a face may lie from where its person is expected..."""
GATE_SIZES_PER_S: Final = 2.0
"""...and how much farther for every second since the person was seen..."""
GATE_SIZES_MAX: Final = 3.0
"""...at most."""
GATE_LOG_SIZE: Final = 0.5
"""How much larger or smaller (logarithm) a face may have become..."""
GATE_LOG_SIZE_PER_S: Final = 0.2
GATE_LOG_SIZE_MAX: Final = 0.9

SCORE_IN_PLACE: Final = 0.0
"""`same_person_scores` needed where the person is expected."""
SCORE_AT_ONCE: Final = 1.5
"""The same of a person seen `AT_ONCE_S` ago: nobody changes much so fast, but a cut may change everything."""
AT_ONCE_S: Final = 0.25
SCORE_CROWDED: Final = -1.0
"""The same for faces so close that they may hide one another; judged by the half that shows."""
SCORE_DOUBTFUL: Final = -2.0
"""The same for a face below `START_SCORE`, which could not begin a number, and of a person seen `DOUBTFUL_S` ago."""
DOUBTFUL_S: Final = 0.5
SCORE_BACK_IN_PLACE: Final = 1.0
"""Needed where the person is expected but was not there for longer than `AWAY_S`."""
AWAY_S: Final = 3.0
SCORE_ANYWHERE: Final = 1.75
"""Needed without the evidence of a place: after a cut, elsewhere in the picture. docs/people.md has the error rates."""
SCORE_OF_REST: Final = 1.0
"""Needed after a cut for what is left of a group of whom the others are known..."""
MARGIN: Final = 4.0
"""...and how much more than any other pair of the group."""
PLACE_COUNTS: Final = 4.5
"""What a place counts, as a score, less the distance in face sizes and in size."""
PEOPLE_REMEMBERED: Final = 32
"""How many people who are not in the picture are remembered: those seen last."""


@dataclass(frozen=True)
class TrackedFaces:
    """The faces of one frame with the numbers of their people, in order of number.

    Attributes:
        faces: boxes, landmarks, scores; F of them.
        tracks: (F,) int32, number of the person, 0-based in order of appearance; none twice.
        detected: (F,) bool, False where boxes were carried from neighbouring frames.
        shot: number of the shot, 0-based: a cut begins a new one.
    """

    faces: Faces
    tracks: npt.NDArray[np.int32]
    detected: npt.NDArray[np.bool_]
    shot: int = 0

    def __post_init__(self) -> None:
        n = len(self.faces)
        if self.tracks.shape != (n,) or self.detected.shape != (n,):
            raise ValueError(f"expected ({n},) tracks and detected, got {self.tracks.shape} and {self.detected.shape}")


class Tracker:
    """Gives every face the number of its person.

    Feed the frames in order of time. The state is small and can be saved and restored, so that a run that was cut off
    goes on with the same numbers.
    """

    def __init__(self, *, max_faces: int | None = None) -> None:
        self._max_faces = max_faces
        self._tracks: list[Track] = []
        self._next_number = 0
        self._shot = 0
        self._scene: SceneThumbnail | None = None
        self._known = KnownFeatures()

    def update(self, observation: Observation, time_s: float) -> TrackedFaces:
        """Assign the faces of the next frame.

        Args:
            observation: what the detector found, down to its lowest confidence, and what the frame looks like.
            time_s: presentation time, later than that of the frame before.

        Returns:
            The faces that have a number; doubtful ones that continue nobody are dropped.
        """
        shot = self._shot_of(observation.scene)
        self._resize(observation.scene)
        found = FoundFaces.of(observation, time_s)
        pairs = self._match(found, shot)
        self._shot = shot
        for track, face in pairs:
            _move(track, found, face, shot)
        faces = observation.faces
        if len(pairs) < len(faces):
            matched = {face for _, face in pairs}
            room = len(faces) if self._max_faces is None else self._max_faces - len(pairs)
            new = [f for f in range(len(faces)) if f not in matched and found.sure[f]]
            if len(new) > room:  # the largest faces first
                new = sorted(new, key=lambda f: -found.size_px[f])[: max(0, room)]
            for face in sorted(new, key=lambda f: float(faces.boxes_xyxy[f, 0])):  # left to right
                pairs.append((self._start(found, face), face))
        pairs.sort(key=lambda pair: pair[0].number)
        self._forget({track.number for track, _ in pairs}, time_s)
        self._scene = observation.scene
        return TrackedFaces(
            faces[[face for _, face in pairs]],
            np.array([track.number for track, _ in pairs], np.int32),
            np.ones(len(pairs), bool),
            self._shot,
        )

    def match(self, observation: Observation, time_s: float) -> dict[int, int]:
        """Which face would continue which number, without changing anything: number -> index of the face."""
        pairs = self._match(FoundFaces.of(observation, time_s), self._shot_of(observation.scene))
        return {track.number: face for track, face in pairs}

    def state(self) -> dict[str, Any]:
        """Everything needed to go on later, as plain JSON values."""
        return {
            "next_number": self._next_number,
            "shot": self._shot,
            "scene": None if self._scene is None else self._scene.to_json(),
            "tracks": [
                {
                    "number": t.number,
                    "centre_xy": t.centre_xy.tolist(),
                    "size_px": t.size_px,
                    "velocity_xy": t.velocity_xy.tolist(),
                    "time_s": t.time_s,
                    "shot": t.shot,
                    "missed_s": t.missed_s,
                    "crowded": t.crowded,
                    "views": [view.appearance.to_text() for view in t.views],
                }
                for t in self._tracks
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self._next_number, self._shot = state["next_number"], state["shot"]
        self._scene = None if state["scene"] is None else SceneThumbnail.from_json(state["scene"])
        self._tracks = [
            Track(
                **dict(
                    known,
                    centre_xy=np.array(known["centre_xy"]),
                    velocity_xy=np.array(known["velocity_xy"]),
                    views=[KnownView.of(Appearances.from_text(text), 0) for text in known["views"]],
                )
            )
            for known in state["tracks"]
        ]

    def _shot_of(self, scene: SceneThumbnail) -> int:
        """The number of the shot that a frame with this scene belongs to."""
        return self._shot + (self._scene is not None and not same_scene(self._scene, scene))

    def _resize(self, scene: SceneThumbnail) -> None:
        """Bring places into the pixels of a frame of another size."""
        if self._scene is not None and self._scene.size_wh != scene.size_wh:
            ratio = np.array(scene.size_wh) / np.array(self._scene.size_wh)
            for track in self._tracks:
                track.centre_xy, track.velocity_xy = track.centre_xy * ratio, track.velocity_xy * ratio
                track.size_px *= float(np.sqrt(ratio.prod()))

    def _start(self, found: FoundFaces, face: int) -> Track:
        view = KnownView.of(found.observation.appearances, face)
        where = (found.centre_xy[face], float(found.size_px[face]), np.zeros(2), found.time_s)
        track = Track(self._next_number, *where, self._shot, None, bool(found.crowded[face]), [view])
        self._tracks.append(track)
        self._next_number += 1
        return track

    def _forget(self, seen: set[int], time_s: float) -> None:
        """Note who is missing, and forget those who were not seen for the longest time."""
        missing = [track for track in self._tracks if track.number not in seen]
        if not missing:
            return
        for track in missing:
            track.missed_s = time_s if track.missed_s is None else track.missed_s
        missing.sort(key=lambda track: (-track.time_s, track.number))
        forgotten = {track.number for track in missing[PEOPLE_REMEMBERED:]}
        self._tracks = [track for track in self._tracks if track.number not in forgotten]

    def _match(self, found: FoundFaces, shot: int) -> list[tuple[Track, int]]:
        """Pair people with faces so that the most speaks for all pairs together."""
        if not self._tracks or not len(found):
            return []
        scores = self._scores(found)
        pairs = best_pairs(self._gain(scores, found, shot))
        if shot != self._shot:
            pairs += self._rest_of_a_group(scores[..., 0], found, pairs)
        chosen = [(self._tracks[t], f) for t, f in pairs]
        if self._max_faces is not None:
            chosen = sorted(chosen, key=lambda pair: (-pair[0].time_s, pair[0].number))[: self._max_faces]
        return chosen

    def _scores(self, found: FoundFaces) -> npt.NDArray[np.float64]:
        """(T, F, 2): `same_person_scores` of the view of each person that is most like each face."""
        features = self._known.of(self._tracks)
        lowest = min(SCORE_CROWDED, SCORE_DOUBTFUL)
        of_views = same_person_scores(features, found.observation.appearances.features, at_least=lowest)
        if len(of_views) == len(self._tracks):
            return of_views
        first_views = np.cumsum([0, *(len(track.views) for track in self._tracks[:-1])])
        return np.asarray(np.maximum.reduceat(of_views, first_views, axis=0))

    def _gain(self, scores: npt.NDArray[np.float64], found: FoundFaces, shot: int) -> npt.NDArray[np.float64]:
        """(T, F): how much speaks for a face being a person's; not above 0 where too little does."""
        tracks, time_s = self._tracks, found.time_s
        whole, by_half = scores[..., 0], scores[..., 1]
        doubtful = ~found.sure
        gain = np.where((whole >= SCORE_ANYWHERE) & ~doubtful, whole - SCORE_DOUBTFUL, -np.inf)

        here = [t for t, track in enumerate(tracks) if track.shot == shot]
        if not here:
            return gain
        in_shot = [tracks[t] for t in here]
        predicted = np.array([track.predict_xy(time_s) for track in in_shot])
        track_size = np.array([[track.size_px] for track in in_shot])
        gap_s = np.array([[time_s - track.time_s] for track in in_shot])
        away_s = np.array([[0.0 if t.missed_s is None else time_s - t.missed_s] for t in in_shot])
        apart = found.centre_xy - predicted[:, None]
        distance = np.hypot(apart[..., 0], apart[..., 1]) / np.maximum(found.size_px, track_size)
        log_size = np.abs(np.log(found.size_px / track_size))
        in_place = distance <= np.minimum(GATE_SIZES + GATE_SIZES_PER_S * gap_s, GATE_SIZES_MAX)
        in_place &= log_size <= np.minimum(GATE_LOG_SIZE + GATE_LOG_SIZE_PER_S * gap_s, GATE_LOG_SIZE_MAX)

        crowded = np.array([[track.crowded] for track in in_shot]) | found.crowded
        placed = np.where(crowded, by_half[here], whole[here])
        needed = np.where(gap_s <= AT_ONCE_S, SCORE_AT_ONCE, SCORE_IN_PLACE)
        needed = np.where(away_s > AWAY_S, SCORE_BACK_IN_PLACE, np.where(crowded, SCORE_CROWDED, needed))
        needed = np.where(doubtful, np.where(gap_s <= DOUBTFUL_S, SCORE_DOUBTFUL, np.inf), needed)
        in_place &= placed >= needed
        with_place = np.where(in_place, placed - SCORE_DOUBTFUL + PLACE_COUNTS - distance - log_size, -np.inf)
        gain[here] = np.maximum(gain[here], with_place)
        return gain

    def _rest_of_a_group(
        self, scores: npt.NDArray[np.float64], found: FoundFaces, pairs: Sequence[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """Pairs that complete a group: as many people before a cut as faces after it, and nobody else among them.

        Where all others are known, or where two or more pairs say the same, a pair is believed at a lower score, if it
        is much better than any other pair of the group that its person or its face could be in.
        """
        group = [t for t, track in enumerate(self._tracks) if track.missed_s is None]
        faces = np.flatnonzero(found.sure).tolist()
        if len(group) != len(faces) or len(group) < 2 or not {t for t, _ in pairs} <= set(group):
            return []
        left = [n for n, t in enumerate(group) if t not in {t for t, _ in pairs}]
        free = [n for n, f in enumerate(faces) if f not in {f for _, f in pairs}]
        of_group = scores[np.ix_(group, faces)]
        rest = best_pairs(of_group[np.ix_(left, free)] - SCORE_OF_REST + MARGIN)
        others = np.where(np.isneginf(of_group), -1e9, of_group)
        for i, j in ((left[i], free[j]) for i, j in rest):
            score = of_group[i, j]
            best_other = max(np.delete(others[i], j).max(), np.delete(others[:, j], i).max())
            if score < SCORE_OF_REST or score - best_other < MARGIN:
                return []
        if len(rest) < len(left):
            return []
        return [(group[left[i]], faces[free[j]]) for i, j in rest]


def best_pairs(gain: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pair rows with columns so that the gains of the pairs add up to the most; none is paired for a gain of 0 or less.

    Args:
        gain: (N, M); -inf for pairs that cannot be.

    Returns:
        (row, column), in order of rows; no row and no column twice.
    """
    if gain.shape == (1, 1):  # one person: the usual case, and scipy takes a while to import
        return [(0, 0)] if gain[0, 0] > 0 else []
    if not (gain > 0).any():
        return []
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(np.maximum(gain, 0.0), maximize=True)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if gain[r, c] > 0]


def interpolate(before: TrackedFaces, after: TrackedFaces, share: float) -> TrackedFaces:
    """Carry the faces that two frames have in common to a frame between them.

    Args:
        before: faces of the earlier frame.
        after: faces of the later frame.
        share: where between them, 0 (before) to 1 (after).

    Returns:
        Faces with `detected` False: boxes and landmarks in proportion, the lower of the two scores.
    """
    common, i, j = np.intersect1d(before.tracks, after.tracks, return_indices=True)
    a, b = before.faces[i], after.faces[j]
    w = np.float32(share)
    return TrackedFaces(
        Faces(
            a.boxes_xyxy + w * (b.boxes_xyxy - a.boxes_xyxy),
            a.landmarks_xy + w * (b.landmarks_xy - a.landmarks_xy),
            np.minimum(a.scores, b.scores),
        ),
        common.astype(np.int32),
        np.zeros(len(common), bool),
        before.shot,
    )


def _move(track: Track, found: FoundFaces, face: int, shot: int) -> None:
    elapsed_s = max(found.time_s - track.time_s, 1e-3)
    centre = found.centre_xy[face]
    speed = (centre - track.centre_xy) / elapsed_s
    track.velocity_xy = 0.5 * track.velocity_xy + 0.5 * speed if shot == track.shot else np.zeros(2)
    track.centre_xy, track.size_px = centre, float(found.size_px[face])
    track.time_s, track.shot, track.missed_s, track.crowded = found.time_s, shot, None, bool(found.crowded[face])
    if found.sure[face] and not track.crowded:
        learn(track, KnownView.of(found.observation.appearances, face))
