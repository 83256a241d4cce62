"""The rows with a face, by video and face and in time: what episodes and summaries work on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from aucli.errors import TableError
from aucli.results.columns import twice, with_codes
from aucli.results.film_times import FilmTimes, IntArray, film_times
from aucli.results.row_filter import LeftOut, RowFilter

if TYPE_CHECKING:
    import polars

FACE_BITS: Final = 32
"""A group is video_code * 2^32 + face."""


@dataclass(frozen=True)
class RowsOfFaces:
    """Rows with a face.

    Attributes:
        rows: by `group`, then in time, with the column `LEFT_OUT` and those given.
        times: of the rows.
        group: (R,) one number a video and face, ascending: `video_codes` and `face_numbers` take it apart.
        videos: names by code.
        left_out: how many rows the filter leaves out, of the whole table.
    """

    rows: polars.DataFrame
    times: FilmTimes
    group: IntArray
    videos: list[str]
    left_out: LeftOut

    def chunks(self, n_rows: int) -> Iterator[RowsOfFaces]:
        """Some faces at a time, each with all of its rows: as many rows as asked for, or one face with more."""
        ends = np.r_[np.flatnonzero(np.diff(self.group)) + 1, len(self.group)]
        begin = 0
        for end, after in zip(ends, np.r_[ends[1:], np.iinfo(np.int64).max], strict=True):
            if end > begin and after - begin > n_rows:
                part = slice(begin, int(end))
                yield RowsOfFaces(self.rows[part], self.times[part], self.group[part], self.videos, self.left_out)
                begin = int(end)


def video_codes(group: IntArray) -> IntArray:
    """Numbers of the videos of groups."""
    return group >> FACE_BITS


def face_numbers(group: IntArray) -> IntArray:
    """Numbers of the faces of groups."""
    return group & ((1 << FACE_BITS) - 1)


def rows_of_faces(rows: polars.DataFrame, row_filter: RowFilter) -> RowsOfFaces:
    """Put the rows with a face in order.

    Args:
        rows: of whole films, those without a face too, in any order.
        row_filter: marks rows; none goes.

    Raises:
        TableError: if a row lacks what it must have, times go backwards, or a face has two rows in one frame.
    """
    rows, videos = with_codes(row_filter.mark(rows))
    left_out = LeftOut.of(rows, row_filter)
    times = film_times(rows)
    face = rows["face"].fill_null(-1).to_numpy().astype(np.int64)
    group = (rows["video_code"].to_numpy().astype(np.int64) << FACE_BITS) + face
    order = np.lexsort((times.rank, group))
    order = order[face[order] >= 0]
    rows, times, group = rows[order], times[order], group[order]
    again = np.flatnonzero((np.diff(group) == 0) & (np.diff(times.rank) == 0))
    if len(again):
        row = rows.row(int(again[0]), named=True)
        raise TableError(twice(row["video"], row["face"], row["frame"]))
    return RowsOfFaces(rows.drop("video", "time_s", "video_code"), times, group, videos, left_out)
