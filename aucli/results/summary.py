"""Summaries: how much of the time each action unit is present, how often and how long, and which go together.

Shares, means and co-occurrence weigh each frame by the time it is shown, so that they are true for variable frame
rates; in a photograph its one frame counts. Presence is the table's column of occurrences, and `episodes` are stretches
of the same. Time in which a face is not seen, or its row is left out, counts nowhere.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import numpy.typing as npt

from aucli.errors import OptionsError
from aucli.results.columns import ROW_COLUMNS, Thresholds, action_units, require_columns
from aucli.results.episodes import EpisodeRules, episodes_of, signals_of
from aucli.results.film_times import US_PER_S
from aucli.results.people import join_people, listed, people_given
from aucli.results.presence import decided_anew
from aucli.results.read import TableGiven, Tables, read_tables, rows_given
from aucli.results.row_filter import LEFT_OUT, LeftOut, RowFilter
from aucli.results.rows_of_faces import RowsOfFaces, face_numbers, rows_of_faces, video_codes

if TYPE_CHECKING:
    import polars

    from aucli.results.read import TablePaths

FloatArray = npt.NDArray[np.float64]

FIGURES: Final = (
    "frames_with_face",
    "seconds_with_face",
    "frames_usable",
    "seconds_usable",
    "share_present",
    "mean_probability",
    "n_episodes",
    "episodes_per_minute",
    "mean_duration_s",
    "longest_duration_s",
)
PAIR_FIGURES: Final = ("seconds", "seconds_both", "share_both", "phi", "share_b_given_a", "share_a_given_b")
PAIR_ROWS: Final = 100_000
"""Rows whose pairs of action units are counted at once."""


@dataclass(frozen=True)
class Summary:
    """What a table says of its action units.

    Attributes:
        faces: a row per video, face and action unit. Columns ``video``, ``face``, ``au`` and those of `FIGURES`:
            frames with the face, and seconds in which these are shown; those that were not left out and have a value,
            and their seconds; the share of these seconds in which the action unit is present; its mean probability in
            them; episodes, how many a minute of these seconds, their mean and greatest duration in seconds (null
            without an episode).
        groups: the same of all faces together, or of those with the same values of `by`, which stand first; also
            ``n_videos`` and ``n_faces``. Seconds are summed: a long video weighs more than a short one.
        co_occurrence: a row per group and pair of action units (``au_a`` before ``au_b``), over the frames that have a
            value for both: ``seconds``, ``seconds_both``, ``share_both`` (of these seconds), ``phi`` (-1 to 1, null
            where one is always or never there), ``share_b_given_a`` and ``share_a_given_b`` (null where the given one
            is never there).
        left_out: rows that the filter left out.
        notes: videos without a face, and names that the table or `people` lacks.
    """

    faces: polars.DataFrame
    groups: polars.DataFrame
    co_occurrence: polars.DataFrame
    left_out: LeftOut
    notes: tuple[str, ...]


def summary(
    table: TableGiven | Tables,
    *,
    thresholds: Thresholds | None = None,
    aus: str | int | Sequence[str | int] | None = None,
    people: polars.DataFrame | str | os.PathLike[str] | None = None,
    by: str | Sequence[str] = (),
    rules: EpisodeRules | None = None,
    row_filter: RowFilter | None = None,
) -> Summary:
    """Sum up each action unit of each face, and of groups of faces.

    Args:
        table: what `aucli.read` takes (a file of `annotate`, a folder, a glob, several of these), or the rows it gives,
            also lazy, those without a face too; or `Tables` that were read.
        thresholds: decide presence anew, see `episodes`.
        aus: only these action units, as ``["AU12", 4]`` or ``"AU12"``; else all.
        people: a frame, or a CSV's path, with the column ``video`` (and ``face``, where a video shows several people)
            and those of `by`.
        by: columns of `people`, whose values make groups: ``["participant", "condition"]``, or one.
        rules: how episodes are found.
        row_filter: rows that it leaves out count nowhere.

    Raises:
        OptionsError: if an action unit or a column of `by` is not there, a column is there twice or is called like one
            of the result, or `by` is given without `people`.
        TableError: if the table or the CSV cannot be read, lacks a column, or `people` does not fit the table.
    """
    if by and people is None:
        raise OptionsError("`by` needs `people`: a table that says who is in which video")
    by = _columns(by)
    of_people = people_given(people)
    row_filter, rules = row_filter or RowFilter(), rules or EpisodeRules()
    given, videos = _rows_and_videos(table)
    known = given.collect_schema().names()
    require_columns(known)
    names = action_units(known, aus)
    require_columns(known, names)
    signals = signals_of(names, known)
    columns = [*ROW_COLUMNS, *row_filter.columns, *names, *(f"{name}_p" for name in names)]
    rows = given.select([name for name in dict.fromkeys(columns) if name in known]).collect()
    rows = decided_anew(rows, thresholds)
    faces = rows_of_faces(rows, row_filter)
    return summary_of(faces, episodes_of(faces, signals, rules), names, people=of_people, by=by, videos=videos)


def _columns(by: str | Sequence[str]) -> list[str]:
    """The columns to group by.

    Raises:
        OptionsError: if one is there twice, or is called like a column of the result.
    """
    columns = [by] if isinstance(by, str) else list(by)
    taken = {"au", "n_videos", "n_faces", *FIGURES, "au_a", "au_b", *PAIR_FIGURES}
    for number, column in enumerate(columns):
        if column in columns[:number]:
            raise OptionsError(f"`by` is {column} twice; give each column once")
        if column in taken:
            raise OptionsError(f"`by` is {column}, as a column of the result is called; call it otherwise in `people`")
    return columns


def _rows_and_videos(table: TableGiven | Tables) -> tuple[polars.LazyFrame, tuple[str, ...]]:
    """The rows, and the names of all videos that the table's own record knows; none of rows alone."""
    if isinstance(table, Tables):
        return table.rows.lazy(), table.videos
    if (given := rows_given(table)) is not None:
        return given, ()
    tables = read_tables(cast("TablePaths", table))
    return tables.rows.lazy(), tables.videos


def summary_of(
    faces: RowsOfFaces,
    found: polars.DataFrame,
    names: Sequence[str],
    *,
    people: polars.DataFrame | None = None,
    by: Sequence[str] = (),
    videos: Sequence[str] = (),
) -> Summary:
    """Sum up action units whose episodes were found, by `episodes_of`; see `summary`.

    `videos` are names of videos, those without a row too.
    """
    import polars as pl

    seen, group_of_row = _faces_seen(faces)
    joined, unmatched = seen, list[str]()
    if people is not None and by:
        joined, unmatched = join_people(seen, people, by, [*faces.videos, *videos])
    groups, group_of_face = _groups(joined, by)
    tallies = _tally(faces, group_of_row, len(seen), names)
    of_episodes = found.group_by("video", "face", "au").agg(
        pl.len().cast(pl.Int64).alias("n_episodes"),
        pl.col("duration_s").sum().alias("episodes_s"),
        pl.col("duration_s").max().alias("longest_duration_s"),
    )
    of_faces = (
        tallies.with_columns(seen["video"].gather(tallies["number"]), seen["face"].gather(tallies["number"]))
        .join(of_episodes, on=["video", "face", "au"], how="left")
        .sort("number", "au_number")
        .with_columns(pl.col("n_episodes").fill_null(0), pl.col("episodes_s").fill_null(0.0))
    )
    groups_of_rows = group_of_face[group_of_row]
    pairs = [pairs_of(faces, groups_of_rows == number, names) for number in range(max(len(groups), not by))]
    return Summary(
        _with_figures(of_faces).select("video", "face", "au", *FIGURES),
        _sum_up(of_faces, group_of_face, groups, by),
        pl.concat([groups[[i]].join(one, how="cross") if by else one for i, one in enumerate(pairs)]),
        faces.left_out,
        (*_without_a_face([*faces.videos, *videos], seen), *unmatched),
    )


def _faces_seen(faces: RowsOfFaces) -> tuple[polars.DataFrame, npt.NDArray[np.intp]]:
    """Each video and face once, and the number of each row's."""
    import polars as pl

    numbers, of_row = np.unique(faces.group, return_inverse=True)
    videos = pl.Series("video", [faces.videos[code] for code in video_codes(numbers)], pl.String)
    return pl.DataFrame([videos, pl.Series("face", face_numbers(numbers), pl.Int32)]), of_row


def _without_a_face(videos: Sequence[str], seen: polars.DataFrame) -> list[str]:
    """A note on videos that no figure speaks of."""
    there = set(seen["video"])
    return listed(
        "videos of the table without a face", [video for video in dict.fromkeys(videos) if video not in there]
    )


def _groups(joined: polars.DataFrame, by: Sequence[str]) -> tuple[polars.DataFrame, npt.NDArray[np.intp]]:
    """The groups' values, sorted, those that are not known last; and the group of each face."""
    import polars as pl

    if not by:
        return pl.DataFrame(), np.zeros(len(joined), np.intp)
    values = joined.select(by).rows()
    groups = sorted(set(values), key=lambda row: [(value is None, value or "") for value in row])
    number = {row: i for i, row in enumerate(groups)}
    frame = pl.DataFrame(groups, dict.fromkeys(by, pl.String), orient="row")
    return frame, np.array([number[row] for row in values], np.intp)


def _usable(faces: RowsOfFaces, name: str) -> npt.NDArray[np.bool_]:
    return (faces.rows[name].is_not_null() & faces.rows[LEFT_OUT].is_null()).to_numpy()


def _present(faces: RowsOfFaces, name: str) -> npt.NDArray[np.bool_]:
    import polars as pl

    return faces.rows[name].cast(pl.Boolean).fill_null(False).to_numpy()


def _tally(faces: RowsOfFaces, number: npt.NDArray[np.intp], n_faces: int, names: Sequence[str]) -> polars.DataFrame:
    """Sums of each face and action unit: frames and microseconds, all, with presence, and weighted by probability."""
    import polars as pl

    def sums(weights: npt.NDArray[np.generic]) -> FloatArray:
        return np.asarray(np.bincount(number, weights=weights.astype(np.float64), minlength=n_faces), np.float64)

    shown = faces.times.shown_us
    parts = []
    for au, name in enumerate(names):
        usable, present = _usable(faces, name), _present(faces, name)
        column = f"{name}_p" if f"{name}_p" in faces.rows.columns else name
        p = faces.rows[column].cast(pl.Float64).fill_nan(None)
        has_p = usable & p.is_not_null().to_numpy()
        value = np.where(has_p, p.fill_null(0.0).to_numpy(), 0.0)
        parts.append(
            pl.DataFrame(
                {
                    "number": np.arange(n_faces),
                    "au_number": np.full(n_faces, au),
                    "au": pl.Series([name] * n_faces, dtype=pl.String),
                    "frames_with_face": sums(np.ones(len(number))),
                    "frames_usable": sums(usable),
                    "us_with_face": sums(shown),
                    "us": sums(shown * usable),
                    "frames_present": sums(usable & present),
                    "us_present": sums(shown * (usable & present)),
                    "p_frames": sums(value),
                    "p_us": sums(value * shown),
                    "frames_p": sums(has_p),
                    "us_p": sums(shown * has_p),
                }
            )
        )
    return pl.concat(parts).sort("number", "au_number", maintain_order=True)


def _with_figures(sums: polars.DataFrame) -> polars.DataFrame:
    """Turn sums into figures; where no time is known (photographs), frames count."""
    import polars as pl

    def mean(over_time: str, time: str, over_frames: str, frames: str) -> pl.Expr:
        by_time = pl.when(pl.col(time) > 0).then(pl.col(over_time) / pl.col(time))
        by_frame = pl.when(pl.col(frames) > 0).then(pl.col(over_frames) / pl.col(frames))
        return pl.coalesce(by_time, by_frame)

    seconds = pl.col("us") / US_PER_S
    some = pl.col("n_episodes") > 0
    return sums.with_columns(
        pl.col("frames_with_face", "frames_usable", "n_episodes").cast(pl.Int64),
        (pl.col("us_with_face") / US_PER_S).alias("seconds_with_face"),
        seconds.alias("seconds_usable"),
        mean("us_present", "us", "frames_present", "frames_usable").alias("share_present"),
        mean("p_us", "us_p", "p_frames", "frames_p").alias("mean_probability"),
        pl.when(seconds > 0).then(pl.col("n_episodes") * 60 / seconds).alias("episodes_per_minute"),
        pl.when(some).then(pl.col("episodes_s") / pl.col("n_episodes")).alias("mean_duration_s"),
    )


def _sum_up(
    of_faces: polars.DataFrame, group_of_face: npt.NDArray[np.intp], groups: polars.DataFrame, by: Sequence[str]
) -> polars.DataFrame:
    import polars as pl

    added = [name for name in of_faces.columns if name.startswith(("frames", "us", "p_")) or "episodes" in name]
    numbered = of_faces.with_columns(pl.Series("group", group_of_face[of_faces["number"].to_numpy()]))
    sums = (
        numbered.group_by("group", "au_number", "au")
        .agg(
            pl.col("video").n_unique().cast(pl.Int64).alias("n_videos"),
            pl.len().cast(pl.Int64).alias("n_faces"),
            *(pl.col(name).sum() for name in added),
            pl.col("longest_duration_s").max(),
        )
        .sort("group", "au_number")
    )
    figures = _with_figures(sums).select("au", "n_videos", "n_faces", *FIGURES)
    return groups[sums["group"].to_numpy()].hstack(figures) if by else figures


def pairs_of(faces: RowsOfFaces, chosen: npt.NDArray[np.bool_], names: Sequence[str]) -> polars.DataFrame:
    """Co-occurrence of each pair of action units in some rows, see `Summary`.

    Weights are whole microseconds, so that the sums are exact in any order.
    """
    import polars as pl

    n = len(names)
    time, both = np.zeros((n, n)), np.zeros((n, n))
    a_there = np.zeros((n, n))
    rows = np.flatnonzero(chosen)
    shown = faces.times.shown_us[rows].astype(np.float64)
    weights = shown if shown.any() else np.ones(len(rows))
    for begin in range(0, len(rows), PAIR_ROWS):
        some = rows[begin : begin + PAIR_ROWS]
        part = RowsOfFaces(faces.rows[some], faces.times[some], faces.group[some], faces.videos, faces.left_out)
        usable = np.stack([_usable(part, name) for name in names], axis=1).astype(np.float64)
        present = usable * np.stack([_present(part, name) for name in names], axis=1)
        weighted = weights[begin : begin + PAIR_ROWS, None]
        time += usable.T @ (usable * weighted)
        both += present.T @ (present * weighted)
        a_there += present.T @ (usable * weighted)
    unit = US_PER_S if shown.any() else math.inf
    found = []
    for a in range(n):
        for b in range(a + 1, n):
            total, n_a, n_b, n_ab = (float(m) for m in (time[a, b], a_there[a, b], a_there[b, a], both[a, b]))
            spread = math.sqrt(n_a) * math.sqrt(total - n_a) * math.sqrt(n_b) * math.sqrt(total - n_b)
            found.append(
                {
                    "au_a": names[a],
                    "au_b": names[b],
                    "seconds": total / unit,
                    "seconds_both": n_ab / unit,
                    "share_both": n_ab / total if total > 0 else None,
                    "phi": (n_ab * total - n_a * n_b) / spread if spread > 0 else None,
                    "share_b_given_a": n_ab / n_a if n_a > 0 else None,
                    "share_a_given_b": n_ab / n_b if n_b > 0 else None,
                }
            )
    return pl.DataFrame(found, {"au_a": pl.String, "au_b": pl.String, **dict.fromkeys(PAIR_FIGURES, pl.Float64)})
