"""What a page is about: the rows of a table, and what its metadata tells of runs and films."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from aucli.annotation.records import VideoRecord
from aucli.annotation.table import LANDMARK_COLUMNS, read_metadata
from aucli.errors import OptionsError
from aucli.results.columns import ROW_COLUMNS, action_units, require_columns, with_codes
from aucli.results.film_times import US_PER_S, FilmTimes, film_times
from aucli.results.read import TableGiven, TablePaths, read_tables, rows_given
from aucli.results.row_filter import LEFT_OUT, LeftOut, RowFilter

if TYPE_CHECKING:
    import polars


@dataclass(frozen=True)
class StudyRun:
    """What some tables say of the run that made them.

    Attributes:
        facts: the metadata without the records of videos; empty for a data frame that came without.
        tables: names of the files.
        versions: of aucli that wrote them.
    """

    facts: Mapping[str, Any]
    tables: tuple[str, ...]
    versions: tuple[str, ...]

    @property
    def thresholds(self) -> dict[str, float]:
        """Action unit -> probability from which it is present; those that the metadata name."""
        aus, thresholds = self.facts.get("aus", ()), self.facts.get("thresholds", ())
        return {au: float(threshold) for au, threshold in zip(aus, thresholds, strict=False)}

    @property
    def options(self) -> dict[str, Any]:
        """Options that decide the values: those that were given; None is a default and left out."""
        return {name: value for name, value in self.facts.get("options", {}).items() if value is not None}


@dataclass(frozen=True)
class StudyFilm:
    """One video of the study.

    Attributes:
        number: 1-based, in the order of the table; the page's address of it.
        label: its name in the table.
        record: what the metadata tells of it, or None.
        run: of its table.
        rows: where its rows lie in `Study.rows`.
        n_frames: frames in the table.
        n_frames_with_face: likewise.
        begin_s: time of the first frame.
        end_s: time at which the last frame ends.
        shown_s: time shown by all frames; less than between the two where the film lacks frames.
    """

    number: int
    label: str
    record: VideoRecord | None
    run: StudyRun
    rows: slice
    n_frames: int
    n_frames_with_face: int
    begin_s: float
    end_s: float
    shown_s: float


@dataclass(frozen=True, eq=False)
class Study:
    """A table, or several, as a page shows them.

    Attributes:
        source: what the table is called: the path as typed; ``a data frame``.
        paths: as typed; none for a data frame.
        chosen: names of the videos, where not all of the table's were asked for.
        files: of the table; none for a data frame.
        rows: by film, frame and face; with the column `LEFT_OUT`.
        times: of the rows.
        usable: (R,) rows with a face that the filter takes.
        aus: columns of the action units.
        experimental: those that the model's maker calls experimental.
        films: in the order of the table.
        runs: each distinct one.
        left_out: how many rows the filter left out.
    """

    source: str
    paths: tuple[str, ...]
    chosen: tuple[str, ...]
    files: tuple[Path, ...]
    rows: polars.DataFrame
    times: FilmTimes
    usable: npt.NDArray[np.bool_]
    aus: tuple[str, ...]
    experimental: tuple[str, ...]
    films: tuple[StudyFilm, ...]
    runs: tuple[StudyRun, ...]
    left_out: LeftOut

    @property
    def thresholds(self) -> dict[str, float]:
        """Action unit -> threshold, those on which all runs agree; else occurrences are as each run decided them."""
        first, *others = (run.thresholds for run in self.runs)
        return {au: limit for au, limit in first.items() if all(other.get(au) == limit for other in others)}


def load_study(
    table: TableGiven,
    row_filter: RowFilter,
    metadata: Mapping[str, Any] | None = None,
    *,
    videos: Sequence[str] = (),
) -> Study:
    """Gather what a page needs.

    Args:
        table: what `aucli.read` takes, or rows as it gives them.
        row_filter: rows that it leaves out count as if the face had not been seen.
        metadata: for rows: of their table, as `aucli.read_metadata` gives it.
        videos: names in the table, or the last parts of them: only these; none for all.

    Raises:
        OptionsError: if metadata is given for a path, or a video is not in the table.
        TableError: if the table cannot be read, or lacks a column.
    """
    if (given := rows_given(table)) is not None:
        rows = given.collect()
        typed: tuple[str, ...] = ()
        files: tuple[Path, ...] = ()
        tables = [("", dict(metadata))] if metadata is not None else []
    else:
        if metadata is not None:
            raise OptionsError("metadata belongs to a data frame; a table on disk has its own")
        paths = cast("TablePaths", table)
        found = read_tables(paths)
        typed, files, rows = _typed(paths), found.files, found.rows
        tables = [(file.name, read_metadata(file)) for file in files]
    require_columns(rows.columns, (*ROW_COLUMNS, "x", "y", "w", "h"))
    aus = action_units(rows.columns)
    runs, records = _runs_and_records(tables)
    if not files:  # of a data frame's metadata, what is told of its videos: others were left out on purpose
        records = {label: known for label, known in records.items() if label in set(rows["video"])}
    chosen: list[str] = []
    if videos:
        chosen = _chosen([*rows["video"].unique(maintain_order=True), *records], videos)
        rows = rows.filter(rows["video"].is_in(chosen))
        records = {label: known for label, known in records.items() if label in chosen}
        runs = [run for run in runs if any(run is its for its, _ in records.values())] or runs
    # Videos without a row are in the study as well: the metadata knows them.
    rows = row_filter.mark(rows.drop("score", *LANDMARK_COLUMNS, strict=False))  # no page shows these
    rows, names = with_codes(rows)
    times = film_times(rows)
    order = np.lexsort((rows["face"].fill_null(-1).to_numpy(), times.rank))
    if (np.diff(order) != 1).any():  # annotate writes them in order
        rows, times = rows[order], times[order]
    usable = (rows["face"].is_not_null() & rows[LEFT_OUT].is_null()).to_numpy()
    code = rows["video_code"].to_numpy()
    films: list[StudyFilm] = []
    for label in dict.fromkeys([*names, *records]):
        run, record = records.get(label, (runs[0], None))
        films.append(_film(len(films) + 1, label, record, run, rows, times, _place(code, names, label)))
    experimental = {au for run in runs for au in run.facts.get("experimental", ())}
    return Study(
        source=", ".join(typed) or "a data frame",
        paths=typed,
        chosen=tuple(chosen),
        files=files,
        rows=rows,
        times=times,
        usable=usable,
        aus=aus,
        experimental=tuple(au for au in aus if au in experimental),
        films=tuple(films),
        runs=tuple(runs),
        left_out=LeftOut.of(rows, row_filter),
    )


def _typed(table: TablePaths) -> tuple[str, ...]:
    return tuple(os.fspath(one) for one in ([table] if isinstance(table, str | os.PathLike) else table))


def _chosen(labels: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The videos of a table that were named, by all of their name or by its last parts."""
    chosen: list[str] = []
    for name in wanted:
        found = [label for label in labels if label == name or label.endswith(f"/{name}")]
        if not found:
            known = ", ".join(list(dict.fromkeys(labels))[:5])
            raise OptionsError(f"`videos` names {name!r}, which the table has not; it has {known or 'none'}")
        chosen += found
    return list(dict.fromkeys(chosen))


def _runs_and_records(
    tables: list[tuple[str, dict[str, Any]]],
) -> tuple[list[StudyRun], dict[str, tuple[StudyRun, VideoRecord | None]]]:
    """The distinct runs of some tables, and the record of each video with its run."""
    grouped: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for name, metadata in tables:
        facts = {key: value for key, value in metadata.items() if key not in ("videos", "aucli", "schema")}
        grouped.setdefault(repr(sorted(facts.items())), []).append((name, metadata))
    runs: list[StudyRun] = []
    records: dict[str, tuple[StudyRun, VideoRecord | None]] = {}
    for members in grouped.values():
        facts = {key: value for key, value in members[0][1].items() if key != "videos"}
        versions = dict.fromkeys(str(metadata.get("aucli", "unknown")) for _, metadata in members)
        run = StudyRun(facts, tuple(name for name, _ in members), tuple(versions))
        runs.append(run)
        for _, metadata in members:
            for label, known in metadata.get("videos", {}).items():
                records[label] = (run, VideoRecord.from_json(known))
    return runs or [StudyRun({}, (), ())], records


def _place(code: npt.NDArray[Any], names: list[str], label: str) -> slice:
    if label not in names:
        return slice(0, 0)
    begin, end = np.searchsorted(code, [names.index(label), names.index(label) + 1])
    return slice(int(begin), int(end))


def _film(
    number: int,
    label: str,
    record: VideoRecord | None,
    run: StudyRun,
    rows: polars.DataFrame,
    times: FilmTimes,
    place: slice,
) -> StudyFilm:
    rank = times.rank[place]
    first_of_frame = np.r_[True, np.diff(rank) > 0] if len(rank) else np.zeros(0, bool)
    # The row without a face is a frame's only one, and the first of each frame tells whether there is a face.
    has_face = rows["face"][place].is_not_null().to_numpy()[first_of_frame]
    begin_us, shown_us = times.begin_us[place][first_of_frame], times.shown_us[place][first_of_frame]
    return StudyFilm(
        number=number,
        label=label,
        record=record,
        run=run,
        rows=place,
        n_frames=len(begin_us),
        n_frames_with_face=int(has_face.sum()),
        begin_s=int(begin_us[0]) / US_PER_S if len(begin_us) else 0.0,
        end_s=int(begin_us[-1] + shown_us[-1]) / US_PER_S if len(begin_us) else 0.0,
        shown_s=int(shown_us.sum()) / US_PER_S,
    )
