"""Which videos an earlier run has finished, told by their names and what is in their files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from aucli.annotation.earlier import is_earlier_table_of
from aucli.annotation.finished import ExistingTable, FinishedVideo
from aucli.annotation.output import TABLE_SUFFIX, assign_places, is_one_table, places_in_folder
from aucli.annotation.records import RunRecord
from aucli.annotation.segments import OTHER_CONTENT, WorkFolder
from aucli.errors import OptionsError, TableError
from aucli.runtime.place import require_place_for_file, require_place_for_folder
from aucli.video.content import content_fingerprint
from aucli.video.inputs import VideoInput

FILES_AT_ONCE: Final = 8
"""Files looked at together: a network drive answers many questions in the time of one."""


@dataclass(frozen=True)
class Output:
    """Where a run's tables go.

    Attributes:
        path: the table, or the folder of tables.
        is_one_table: one table for all videos.
        work_folder: where finished stretches wait.
    """

    path: Path
    is_one_table: bool
    work_folder: Path

    @classmethod
    def of(cls, path: Path) -> Output:
        """Take a path that ends in ``.parquet`` for one table, any other for a folder of tables.

        Raises:
            OptionsError: if it is neither, or something else is there.
            StorageError: if this machine does not let one be written there.
        """
        one = is_one_table(path)
        if one:
            require_place_for_file(path)
        else:
            require_place_for_folder(path, wanted=f"a folder, or a file that ends in {TABLE_SUFFIX}")
        return cls(path, one, path.with_name(f"{path.name}.partial") if one else path / "aucli.partial")


@dataclass(frozen=True)
class Plan:
    """What is there already.

    Attributes:
        finished: label -> video whose rows are there: of this run and, in one table, of earlier ones, in its order.
        skipped: labels of this run that need not be done again.
        refused: label -> why the video cannot be done.
        tables: label -> the table of the video, for those of this run and those that wait for their table.
    """

    finished: Mapping[str, FinishedVideo]
    skipped: frozenset[str]
    refused: Mapping[str, str]
    tables: Mapping[str, Path]


def plan_run(
    output: Output, videos: Sequence[VideoInput], run: RunRecord, work: WorkFolder, *, overwrite: bool
) -> Plan:
    """Look at what lies at the output before any work is done.

    Rows of a finished video are never given up but on request: `overwrite` gives up those of this run's videos, and all
    rows of a table that was made with other options.

    Args:
        output: where the tables go.
        videos: of this run.
        run: its record.
        work: its work folder; what in it is of no more use is removed.
        overwrite: do this run's videos again.

    Raises:
        OptionsError: if what is there is no table of aucli, or was made with other options.
    """
    labels = [video.label for video in videos]
    if not output.is_one_table:
        return _plan_folder(output.path, videos, run, work, overwrite=overwrite)
    if overwrite:
        work.forget(labels)
        plan = Plan(_others_of_table(output.path, run, set(labels)), frozenset(), {}, {})
    elif output.path.exists():
        plan = _plan_table(_open_existing(output.path, run), videos)
    else:
        plan = Plan({}, frozenset(), {}, {})
    work.forget(plan.finished)
    waiting = _waiting(work, labels)
    return replace(plan, finished={**plan.finished, **waiting}, tables=dict.fromkeys([*labels, *waiting], output.path))


def _plan_table(existing: ExistingTable, videos: Sequence[VideoInput]) -> Plan:
    finished = {label: FinishedVideo(label, record, existing) for label, record in existing.records.items()}
    skipped, refused = _compare([(video, finished[video.label]) for video in videos if video.label in finished])
    return Plan(finished, skipped, refused, {})


def _plan_folder(
    folder: Path, videos: Sequence[VideoInput], run: RunRecord, work: WorkFolder, *, overwrite: bool
) -> Plan:
    """A video whose table is there, wherever in the folder its label may have put it, keeps that table."""
    if overwrite:
        work.forget([video.label for video in videos])
    kept: dict[str, Path] = {}
    free: dict[str, list[Path]] = {}
    there: list[tuple[VideoInput, FinishedVideo]] = []
    refused: dict[str, str] = {}
    for video in videos:
        try:
            if (existing := _own_table(folder, video.label, overwrite=overwrite)) is None:
                free[video.label] = _free_places(folder, video, overwrite=overwrite)
                continue
        except TableError as error:
            refused[video.label] = str(error)
            continue
        kept[video.label] = existing.path
        if len(existing.records) > 1:
            other = next(label for label in existing.records if label != video.label)
            refused[video.label] = (
                f"its rows are in {existing.path} together with those of {other}; choose another `output`"
            )
        elif not overwrite:
            _require_same_run(existing, run)
            there.append((video, FinishedVideo(video.label, existing.records[video.label])))
    skipped, changed = _compare(there)
    finished = {video.label: one for video, one in there}
    work.forget(finished)
    waiting = _waiting(work, [video.label for video in videos])
    for label in waiting:
        existing = _own_table(folder, label, overwrite=True)
        if existing is not None and len(existing.records) == 1:
            kept[label] = existing.path
        else:
            places = places_in_folder(folder, label, label)
            free[label] = [place for place in places[:-1] if not os.path.lexists(place)] + places[-1:]
    tables = {**kept, **assign_places(free)}
    return Plan({**finished, **waiting}, skipped, {**refused, **changed}, tables)


def _own_table(folder: Path, label: str, *, overwrite: bool) -> ExistingTable | None:
    """The table that holds a video, in any place that the folder has for its label.

    Raises:
        TableError: if in such a place lies what cannot be read as a table: it may be the video's, and is to stay
            unless `overwrite`.
    """
    for place in places_in_folder(folder, label, within=""):
        try:
            if place.is_file() and label in (existing := ExistingTable(place)).records:
                return existing
        except TableError as error:
            if not overwrite:
                raise TableError(_with_remedy(str(error))) from error
    return None


def _free_places(folder: Path, video: VideoInput, *, overwrite: bool) -> list[Path]:
    """The places where a new table can be put without harm to what is there; never none.

    Raises:
        TableError: if such a place is taken by what is neither a table of other videos nor known to be the video's own.
    """

    def is_free(place: Path) -> bool:
        if not os.path.lexists(place):
            return True
        if not place.is_file():
            return False
        try:
            return overwrite and not ExistingTable(place).records
        except TableError as error:
            if is_earlier_table_of(place, video.path):
                return True
            raise TableError(
                f"{place} is not known to be a table of this video, so `overwrite` does not replace it; move it away, "
                "or choose another `output`"
            ) from error

    places = places_in_folder(folder, video.label, video.within)
    return [place for place in places if is_free(place)] or places[-1:]


def _with_remedy(problem: str) -> str:
    return problem if "choose another `output`" in problem else f"{problem}; move it away, or choose another `output`"


def _waiting(work: WorkFolder, labels: Sequence[str]) -> dict[str, FinishedVideo]:
    """Videos besides these that an earlier run completed and did not bring into a table."""
    return {segments.label: FinishedVideo.of(segments) for segments in work.complete_besides(labels)}


def _compare(pairs: Sequence[tuple[VideoInput, FinishedVideo]]) -> tuple[frozenset[str], dict[str, str]]:
    """Say which files are those that were annotated, and why the others cannot be done."""

    def problem_of(pair: tuple[VideoInput, FinishedVideo]) -> str | None:
        video, finished = pair
        try:
            return None if content_fingerprint(video.path) == finished.record.fingerprint else OTHER_CONTENT
        except OSError as error:
            return f"{error.strerror or error}; its rows stay in the table"

    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        problems = {
            video.label: problem for (video, _), problem in zip(pairs, pool.map(problem_of, pairs), strict=True)
        }
    refused = {label: problem for label, problem in problems.items() if problem}
    return frozenset(problems.keys() - refused.keys()), refused


def _others_of_table(table: Path, run: RunRecord, labels: set[str]) -> dict[str, FinishedVideo]:
    """The videos of a table that stay when some are done again; none if the table is no table, or of another run."""
    try:
        existing = _open_existing(table, run)
    except OptionsError:
        return {}
    records = existing.records.items()
    return {label: FinishedVideo(label, record, existing) for label, record in records if label not in labels}


def _open_existing(table: Path, run: RunRecord) -> ExistingTable:
    try:
        existing = ExistingTable(table)
    except TableError as error:
        remedy = "" if "`overwrite`" in str(error) else "; choose another `output`, or have it replaced by `overwrite`"
        raise OptionsError(f"{error}{remedy}") from error
    _require_same_run(existing, run)
    return existing


def _require_same_run(existing: ExistingTable, run: RunRecord) -> None:
    if differences := run.differences(existing.metadata):
        raise OptionsError(
            f"{existing.path} was made with other options ({'; '.join(differences)}); use the same, another `output`, "
            "or `overwrite`"
        )
