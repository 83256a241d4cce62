"""The story of a page: table -> study -> rates -> films, drawn and with stills -> one HTML file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aucli.errors import OptionsError
from aucli.results.read import TableGiven
from aucli.results.report.budget import Budget
from aucli.results.report.distrust import breaks, judged_limits
from aucli.results.report.film_part import FilmPart, make_film_part
from aucli.results.report.page import GENERATOR, render_page
from aucli.results.report.rates import count_rates
from aucli.results.report.study import load_study
from aucli.results.row_filter import RowFilter
from aucli.runtime.files import whole_or_nothing
from aucli.runtime.packages import NEEDED_BY, require
from aucli.runtime.place import require_place_for_file
from aucli.runtime.progress import OnProgress, Reporter, errors_of_the_caller

if TYPE_CHECKING:
    pass

HEAD_BYTES: Final = 2000


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """What a user can ask of `report`.

    Attributes:
        title: of the page; None: what the table is called.
        pictures: whether stills of the videos are put into the page.
        video_folders: where videos are looked for by their names in the table, beside the current folder and that of
            the table.
        videos: names of videos in the table, or the last parts of them: the page is about these alone; none for all.
        row_filter: rows that it leaves out count as if the face had not been seen.
        overwrite: replace a file that `report` has not written.

    Raises:
        OptionsError: if a folder is none.
    """

    title: str | None = None
    pictures: bool = True
    video_folders: tuple[Path, ...] = ()
    videos: tuple[str, ...] = ()
    row_filter: RowFilter = field(default_factory=RowFilter)
    overwrite: bool = False

    def __post_init__(self) -> None:
        for folder in self.video_folders:
            if not folder.is_dir():
                raise OptionsError(f"`video_folders` names {folder}, which is no folder")


@dataclass(frozen=True)
class ReportOutcome:
    """What a page holds.

    Attributes:
        output: the page.
        size_bytes: of it.
        n_videos: that it is about.
        n_timelines: videos whose timeline is drawn.
        n_without_face: videos in which no face was found: there is nothing to draw.
        n_pictures: stills in it.
        without_pictures: video -> why it has none, where some were asked for.
        left_out: how many rows were left out, in a sentence; empty where no rule was asked for.
    """

    output: Path
    size_bytes: int
    n_videos: int
    n_timelines: int
    n_without_face: int
    n_pictures: int
    without_pictures: Mapping[str, str]
    left_out: str


def report(
    table: TableGiven,
    output: str | os.PathLike[str],
    *,
    options: ReportOptions | None = None,
    metadata: Mapping[str, Any] | None = None,
    failures: Mapping[str, str] | None = None,
    on_progress: OnProgress | None = None,
) -> ReportOutcome:
    """Write a page about a table: one HTML file that opens in any browser, without a network.

    The same table, options and videos give the same bytes.

    Args:
        table: what `aucli.read` takes (a ``.parquet`` file, a folder of them, a glob), or rows as it gives them, also
            lazy.
        output: the page, ``x.html``.
        options: see `ReportOptions`.
        metadata: for rows: of their table, as `aucli.read_metadata` gives it; by it the page says what was run, and
            finds the videos.
        failures: video -> why it could not be annotated: `Outcome.failures`; a table does not know of these.
        on_progress: called for each video from the calling thread.

    Raises:
        OptionsError: for a value that makes no sense, or an output that is there and is no page of ours.
        TableError: if the table cannot be read.
        MissingPackageError: if a package is missing that only pages need.
        OSError: if the page cannot be written.
    """
    options, place = options or ReportOptions(), Path(output)
    check_report(place, options)
    study = load_study(table, options.row_filter, metadata, videos=options.videos)
    rates = count_rates(study)
    budget = Budget.of(study, rates)
    broken_by = {limit.name: breaks(study.rows, limit) for limit in judged_limits(study.rows)}
    here = dict.fromkeys(file.parent for file in study.files)
    folders = [*options.video_folders, *here] if options.pictures else None
    parts: list[FilmPart] = []
    bytes_left = budget.picture_bytes
    with errors_of_the_caller(on_progress) as tell:
        reporter = Reporter(tell, [max(film.n_frames, 1) for film in study.films], unit="videos", items="videos")
        for film in study.films:
            reporter.begin(film.label)
            part = make_film_part(study, film, rates, budget, broken_by, folders=folders, picture_bytes_left=bytes_left)
            parts.append(part)
            bytes_left -= part.pictures.size_bytes
            reporter.advance(1, 1)
            reporter.end()
    page = render_page(study, rates, parts, title=options.title, has_pictures=options.pictures, failures=failures or {})
    with whole_or_nothing(place) as temporary:
        temporary.write_bytes(page)
    return ReportOutcome(
        output=place,
        size_bytes=len(page),
        n_videos=len(parts),
        n_timelines=sum(bool(part.timeline) for part in parts),
        n_without_face=sum(not len(part.faces) for part in parts),
        n_pictures=sum(part.pictures.n for part in parts),
        without_pictures={part.film.label: part.why_no_pictures for part in parts if part.why_no_pictures},
        left_out=study.left_out.sentence(),
    )


def check_report(output: Path, options: ReportOptions) -> None:
    """Make sure, before any work, that a page can be made and written.

    Raises:
        OptionsError: if the output makes no sense, or is there and is no page of ours.
        StorageError: if this machine does not let it be written.
        MissingPackageError: if a package is missing.
    """
    if output.suffix.lower() not in (".html", ".htm"):
        raise OptionsError(f"`output` is {output}; it must end in .html")
    require_place_for_file(output)
    require(*NEEDED_BY["report"], for_="a report")
    if output.exists() and not options.overwrite and not _is_ours(output):
        raise OptionsError(f"{output} is there and is no page of aucli; choose another `output`, or give `overwrite`")


def _is_ours(path: Path) -> bool:
    """Whether a file is a page that `report` wrote: that one is replaced without asking."""
    with path.open("rb") as file:
        return f'content="{GENERATOR}'.encode() in file.read(HEAD_BYTES)
