"""Stretches of time for coding programs: when an action unit is present, and when a face could not be scored.

Coding programs count milliseconds. A time is rounded to the nearest one (of two equally near to the earlier); readers
that take two times less than half a millisecond apart for the same give every frame back as it was, up to 1,000 frames
a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from aucli.results.columns import with_codes
from aucli.results.episodes import EpisodeRules, episodes
from aucli.results.film_times import US_PER_S, film_times
from aucli.results.row_filter import LEFT_OUT, RowFilter

if TYPE_CHECKING:
    import polars

UNSCORABLE: Final = "unscorable"
"""The code of stretches in which a face is not seen, or its rows are left out."""
RAW: Final = EpisodeRules(smooth_s=0, min_duration_s=0, join_gap_s=0, bridge_gap_s=0)
"""The table's occurrence as it is."""
_TIE_MS: Final = 1e-6
"""Times this close to the middle of two milliseconds are taken for the middle: sums of floats are not exact."""


class Interval(NamedTuple):
    """A stretch of one face: [onset, offset).

    Attributes:
        face: number in the table.
        code: ``AU12``, or `UNSCORABLE`.
        onset_ms, offset_ms: milliseconds of the film; the offset is later.
        onset_frame, offset_frame: number of the first frame in it, and of the first one after it; from 0.
    """

    face: int
    code: str
    onset_ms: int
    offset_ms: int
    onset_frame: int
    offset_frame: int


@dataclass(frozen=True)
class FilmIntervals:
    """All stretches of one film.

    Attributes:
        faces: numbers of its faces, ascending.
        intervals: by face, code and time; those of one face and code do not overlap.
        end_ms: when its last frame gives way.
        frame_interval_s: the usual step between frames; 0 in a film of one frame.
    """

    faces: tuple[int, ...]
    intervals: tuple[Interval, ...]
    end_ms: int
    frame_interval_s: float


Intervals = Mapping[str, FilmIntervals]
"""By video."""


def find_intervals(rows: polars.DataFrame, rules: EpisodeRules, row_filter: RowFilter) -> Intervals:
    """Find when action units are present, and when faces cannot be scored.

    Args:
        rows: marked by `row_filter`.
        rules: how episodes are found; `RAW` gives the table's occurrence as it is.
        row_filter: the filter.
    """
    found = episodes(
        rows.drop(LEFT_OUT),
        row_filter=row_filter,
        **asdict(rules),
    )
    wanted = ("video", "face", "au", "onset_s", "offset_s", "onset_frame", "offset_frame")
    by_video: dict[str, list[tuple[Any, ...]]] = {}
    for video, *episode in found.select(wanted).iter_rows():
        by_video.setdefault(video, []).append(tuple(episode))
    rows, videos = with_codes(rows)
    times = film_times(rows)
    films: dict[str, FilmIntervals] = {}
    code = rows["video_code"].to_numpy()
    for number, video in enumerate(videos):
        here = np.flatnonzero(code == number)
        frames, first_row, frame_at = np.unique(times.rank[here], return_index=True, return_inverse=True)
        at = here[first_row]
        begin_s = times.begin_us[at] / US_PER_S
        film = _Film(begin_s, begin_s + times.shown_us[at] / US_PER_S, rows["frame"].to_numpy()[at])
        faces = rows["face"][here]
        scored = (faces.is_not_null() & rows[LEFT_OUT][here].is_null()).to_numpy()
        numbers = tuple(sorted(faces.drop_nulls().unique().to_list()))
        stretches = [film.interval(*episode) for episode in by_video.get(video, [])]
        for face in numbers:
            stretches += film.unscorable(face, frame_at[scored & (faces == face).fill_null(False).to_numpy()])
        films[video] = FilmIntervals(
            faces=numbers,
            intervals=tuple(_without_overlaps(sorted(stretches))),
            end_ms=to_ms(float(film.end_s[-1])),
            frame_interval_s=float(np.median(np.diff(begin_s))) if len(frames) > 1 else 0.0,
        )
    return films


def count_present(intervals: Intervals) -> int:
    """Stretches in which an action unit is present, of all films."""
    return sum(one.code != UNSCORABLE for film in intervals.values() for one in film.intervals)


def to_ms(time_s: float) -> int:
    """A time in whole milliseconds, the nearest; of two equally near the earlier; never negative."""
    return max(int(np.ceil(time_s * 1000 - 0.5 - _TIE_MS)), 0)


@dataclass(frozen=True)
class _Film:
    """The frames of a film in the table: (N,) begin and end in seconds, and numbers."""

    begin_s: npt.NDArray[np.float64]
    end_s: npt.NDArray[np.float64]
    number: npt.NDArray[np.int32]

    def unscorable(self, face: int, scored: npt.NDArray[np.intp]) -> Iterator[Interval]:
        """The stretches of frames that are not among those in which the face is scored."""
        is_lacking = np.ones(len(self.begin_s) + 2, dtype=np.bool_)
        is_lacking[[0, -1]] = False
        is_lacking[scored + 1] = False
        edges = np.flatnonzero(np.diff(is_lacking.astype(np.int8)))
        for first, after in edges.reshape(-1, 2).tolist():
            last = after - 1
            yield self.interval(
                face,
                UNSCORABLE,
                float(self.begin_s[first]),
                float(self.end_s[last]),
                int(self.number[first]),
                int(self.number[last]),
            )

    def interval(self, face: int, code: str, onset_s: float, offset_s: float, first: int, last: int) -> Interval:
        """A stretch of the frames with the numbers `first` to `last`."""
        onset_ms, after = to_ms(onset_s), int(np.searchsorted(self.number, last, side="right"))
        offset_frame = int(self.number[after]) if after < len(self.number) else last + 1
        # A film of one frame shows it for no time at all; coding programs want a stretch to last.
        return Interval(face, code, onset_ms, max(to_ms(offset_s), onset_ms + 1), first, offset_frame)


def _without_overlaps(intervals: list[Interval]) -> Iterator[Interval]:
    """Frames less than a millisecond apart can make two stretches overlap: they are joined."""
    last: Interval | None = None
    for one in intervals:
        if last is not None and last[:2] == one[:2] and one.onset_ms < last.offset_ms:
            last = last._replace(offset_ms=max(last.offset_ms, one.offset_ms), offset_frame=one.offset_frame)
            continue
        if last is not None:
            yield last
        last = one
    if last is not None:
        yield last
