"""Exporting a table: the story from its rows to the files of another program."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, cast

from aucli.annotation.output import FILE_SUFFIXES, NAME_BYTES
from aucli.annotation.table import read_metadata
from aucli.errors import OptionsError, TableError
from aucli.results.columns import Thresholds, action_units, require_columns, require_one_row_a_face
from aucli.results.episodes import EpisodeRules
from aucli.results.exports.intervals import RAW, count_present, find_intervals
from aucli.results.exports.registry import find_target
from aucli.results.exports.target import Content, ExportTarget
from aucli.results.presence import decided_anew
from aucli.results.read import TableGiven, TablePaths, read_tables, rows_given
from aucli.results.row_filter import LeftOut, RowFilter
from aucli.runtime.files import whole_or_nothing
from aucli.runtime.packages import require
from aucli.runtime.place import require_place_for_file, require_place_for_folder

if TYPE_CHECKING:
    import polars


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """How to export.

    Attributes:
        aus: only these action units, as ``("AU12", 4)`` or ``"AU12"``; None for all of the table.
        overwrite: replace files that are there already; else they are an error.
        row_filter: action units of rows that it leaves out are missing.
        rules: how ELAN's and BORIS's episodes are found; None for the defaults of `episodes`.
        raw: ELAN and BORIS get the table's occurrence as it is, frame by frame, in place of episodes.
        root: folder that the videos' names begin in, for links to them; None for the current folder.
        thresholds: action unit -> probability: presence is decided anew, see `aucli.episodes`; every target gets it.
    """

    aus: str | int | Sequence[str | int] | None = None
    overwrite: bool = False
    row_filter: RowFilter = field(default_factory=RowFilter)
    rules: EpisodeRules | None = None
    raw: bool = False
    root: Path | None = None
    thresholds: Thresholds | None = None

    def __post_init__(self) -> None:
        if self.raw and self.rules is not None:
            raise OptionsError("`raw` takes the occurrence as it is; leave out how episodes are found")

    def rules_for(self, target: ExportTarget) -> EpisodeRules:
        """How the stretches of a target are found.

        Raises:
            OptionsError: if the target has none.
        """
        if not target.is_intervals and (self.raw or self.rules is not None):
            raise OptionsError(
                f"{target.name} has a row per frame; `raw` and how episodes are found go with elan and boris"
            )
        return RAW if self.raw else self.rules or EpisodeRules()


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        target: name of the target.
        files: in the order of the table.
        n_rows: rows of the table.
        n_videos: videos in it.
        n_stretches: stretches of presence, in all files; None where the target has a row per frame.
        what: what the files say of presence, in a few words.
        notes: what a reader should know, one line each.
    """

    target: str
    files: tuple[Path, ...]
    n_rows: int
    n_videos: int
    n_stretches: int | None
    what: str
    notes: tuple[str, ...]


def export(
    table: TableGiven,
    to: str,
    output: str | os.PathLike[str],
    options: ExportOptions | None = None,
) -> Exported:
    """Write a table as files of another program; each appears under its name when it is complete, or not at all.

    Args:
        table: what `aucli.read` takes (a file of `annotate`, a folder, a glob, several of these), or the rows it gives,
            also lazy.
        to: ``csv``, ``xlsx``, ``openface``, ``elan``, ``boris``, ``stata`` or ``spss``.
        output: a file that ends as the target's files do (``x.csv``, ``.xlsx``, ``.eaf``, ``.boris``, ``.dta``,
            ``.sav``) for all videos, or a folder for one file per video.
        options: how.

    Raises:
        OptionsError: if the target is unknown, an option does not go with it, or a file is there already.
        MissingPackageError: if a package that the target needs is not installed.
        TableError: if the table cannot be read, or does not fit into the target.
    """
    options, target = options or ExportOptions(), find_target(to)
    rules = options.rules_for(target)
    is_one_file = _is_one_file(Path(output), target)
    require(*target.packages, for_=f"exporting to {target.name}")
    source = _read(table)
    rows = decided_anew(_with_chosen(source.rows, options.aus), options.thresholds)
    rows = options.row_filter.mark(rows)
    if not rows.height:
        raise TableError("the table has no rows")
    require_one_row_a_face(rows)
    videos = rows["video"].unique(maintain_order=True).to_list()
    places = _places(Path(output), videos, target, is_one_file=is_one_file)
    _require_free(set(places.values()), overwrite=options.overwrite)
    parts = dict(_parts(rows, places))
    _require_room(parts, target)
    intervals = find_intervals(rows, rules, options.row_filter) if target.is_intervals else None
    what = _what(rules, is_raw=intervals is None or options.raw)
    made_by = _made_by(source.metadata) + (f"; {what}" if target.is_intervals else "")
    records = {name: known for one in source.metadata for name, known in one["videos"].items()}
    films = {video: _find_film(video, options.root, records.get(video, {}).get("size_bytes")) for video in videos}
    for place, part in parts.items():
        content = Content(
            rows=part,
            is_filtered=bool(options.row_filter.rules),
            aus=action_units(rows.columns),
            made_by=made_by,
            intervals=intervals,
            films=films,
            records=records,
        )
        with whole_or_nothing(place) as temporary:
            target.write(content, temporary, place)
    notes = [*source.notes, LeftOut.of(rows, options.row_filter).sentence()]
    if target.is_intervals:
        notes.append(_lost_films([video for video, film in films.items() if film is None]))
    return Exported(
        target=target.name,
        files=tuple(parts),
        n_rows=rows.height,
        n_videos=len(videos),
        n_stretches=None if intervals is None else count_present(intervals),
        what=what,
        notes=tuple(filter(None, notes)),
    )


def _what(rules: EpisodeRules, *, is_raw: bool) -> str:
    if is_raw:
        return "presence frame by frame, as in the table"
    smoothed = f"smoothed over {rules.smooth_s:g} s, " if rules.smooth_s else ""
    return f"episodes: {smoothed}pauses up to {rules.join_gap_s:g} s joined, from {rules.min_duration_s:g} s on"


@dataclass(frozen=True)
class _Source:
    """Rows, and what their files say of them; nothing where there are none."""

    rows: polars.DataFrame
    metadata: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()


def _read(table: Any) -> _Source:
    import polars as pl

    if (given := rows_given(table)) is not None:
        rows = given.collect()
        require_columns(rows.columns)
        return _Source(rows.with_columns(pl.col("video").cast(pl.String)))
    tables = read_tables(cast("TablePaths", table))
    return _Source(tables.rows, tuple(read_metadata(file) for file in tables.files), tables.notes)


def _with_chosen(rows: polars.DataFrame, wanted: str | int | Sequence[str | int] | None) -> polars.DataFrame:
    """The rows without the columns of other action units."""
    chosen = action_units(rows.columns, wanted)
    return rows.drop(f"{au}{end}" for au in action_units(rows.columns) if au not in chosen for end in ("", "_p"))


def _made_by(metadata: Sequence[Mapping[str, Any]]) -> str:
    from aucli import __version__

    models = sorted({f"{one['model']} ({one['model_digest'][:8]})" for one in metadata if one.get("model_digest")})
    return f"aucli {__version__}" + (f", model {', '.join(models)}" if models else "")


def _is_one_file(output: Path, target: ExportTarget) -> bool:
    """Whether an output names one file for all videos, or a folder with a file per video.

    Raises:
        OptionsError: if it is neither.
        StorageError: if this machine does not let it be written.
    """
    suffix = output.suffix.lower()
    if suffix == target.suffix and not output.is_dir():
        require_place_for_file(output)
        return True
    if (suffix in FILE_SUFFIXES or suffix == ".parquet") and not output.is_dir():
        raise OptionsError(
            f"`output` is {output}; a file for {target.name} ends in {target.suffix}: name "
            f"{output.stem}{target.suffix}, or a folder that gets a file per video"
        )
    require_place_for_folder(output, wanted=f"a folder, or a file that ends in {target.suffix}")
    return False


def _places(output: Path, videos: Sequence[str], target: ExportTarget, *, is_one_file: bool) -> dict[str, Path]:
    """Where each video goes: all into one file, or one file each in a folder, called as the videos are."""
    if is_one_file:
        if target.is_one_video and len(videos) > 1:
            raise OptionsError(
                f"`output` {output} is one file, and the table holds {len(videos):,} videos; {target.name} has a file "
                "per video: name a folder"
            )
        return dict.fromkeys(videos, output)
    return {video: output / name for video, name in _file_names(videos, target.suffix).items()}


def _file_names(videos: Sequence[str], suffix: str) -> dict[str, str]:
    """``interview.csv`` for interview.mp4; folders are kept from where the videos' paths part, and so is the suffix of
    videos that differ in nothing else."""
    parts = {
        video: [p for p in PurePosixPath(video).parts if p.strip("/") and p != ".."] or ["video"] for video in videos
    }
    levels = zip(*(path[:-1] for path in parts.values()), strict=False)
    shared = len(list(takewhile(lambda level: len(set(level)) == 1, levels)))
    short = {video: "/".join([*p[shared:-1], PurePosixPath(p[-1]).stem]) for video, p in parts.items()}
    takers = Counter(name.casefold() for name in short.values())
    names = {
        video: (name if takers[name.casefold()] == 1 else "/".join(parts[video][shared:])) + suffix
        for video, name in short.items()
    }
    for video, name in names.items():
        if any(len(os.fsencode(part)) > NAME_BYTES for part in name.split("/")):
            raise TableError(f"{video[:60]}... is too long for the name of a file; export all videos to one file")
    if len({name.casefold() for name in names.values()}) < len(names):
        raise TableError("two videos differ only in capitals or in .. of their paths; export to one file")
    return names


def _require_free(places: set[Path], *, overwrite: bool) -> None:
    for place in sorted(places):
        if place.is_dir():
            raise OptionsError(f"`output` {place} is a folder, where a file would be written; name another place")
        if place.exists() and not overwrite:
            raise OptionsError(f"`output` {place} is there already; name another place, or replace it with `overwrite`")


def _parts(rows: polars.DataFrame, places: Mapping[str, Path]) -> Iterator[tuple[Path, polars.DataFrame]]:
    """The rows of each file."""
    if len(set(places.values())) == 1:
        yield next(iter(places.values())), rows
        return
    for (video,), part in rows.partition_by("video", as_dict=True, maintain_order=True).items():
        yield places[str(video)], part


def _require_room(parts: Mapping[Path, polars.DataFrame], target: ExportTarget) -> None:
    for place, part in parts.items():
        if target.most_rows is not None and part.height > target.most_rows:
            several = part["video"].n_unique() > 1
            remedy = "name a folder as `output`: a file per video, or take csv" if several else "take csv"
            raise TableError(
                f"{place.name} would have {part.height:,} rows; {target.name} takes {target.most_rows:,}: {remedy}"
            )


def _find_film(video: str, root: Path | None, size_bytes: int | None) -> Path | None:
    """The film by its name in the folder, else by its file name alone; one of another size is another film."""
    folder = Path() if root is None else root
    for place in (folder / video, folder / PurePosixPath(video).name):
        with contextlib.suppress(OSError, ValueError):  # a name may be one that no file can have
            size = place.stat().st_size
            if size_bytes is None or not place.is_file() or size == size_bytes:
                return place.absolute()
    return None


def _lost_films(lost: Sequence[str]) -> str:
    if not lost:
        return ""
    more = f" and {len(lost) - 1:,} more" if len(lost) > 1 else ""
    return f"{lost[0]}{more} not found: the program will ask for it; say where the videos lie with `root`"
