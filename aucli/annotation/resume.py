"""Which videos an earlier run has finished, told by their names and what is in their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aucli.annotation.finished import ExistingTable, FinishedVideo
from aucli.annotation.output import is_one_table, require_places_apart, table_in_folder
from aucli.annotation.records import RunRecord, VideoRecord
from aucli.annotation.segments import OTHER_CONTENT, WorkFolder
from aucli.errors import TableError
from aucli.video.content import content_digest, content_fingerprint, content_size
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
    def of(cls, path: Path, videos: Sequence[VideoInput]) -> Output:
        """Take a path that ends in ``.parquet`` for one table, any other for a folder of tables.

        Raises:
            OptionsError: if it is neither, or two videos' tables would be one file.
            TableError: if something else is there.
        """
        one = is_one_table(path)
        if one and path.is_dir():
            raise TableError(f"{path} is a folder; name a file, or a folder without .parquet in its name")
        if not one and path.exists() and not path.is_dir():
            raise TableError(f"{path} is a file; name a folder, or a file that ends in .parquet")
        if not one:
            require_places_apart(path, [video.label for video in videos])
        return cls(path, one, path.with_name(f"{path.name}.partial") if one else path / "aucli.partial")

    def table_of(self, label: str) -> Path:
        """Return the table that a video goes to."""
        return self.path if self.is_one_table else table_in_folder(self.path, label)


@dataclass(frozen=True)
class Plan:
    """What is there already.

    Attributes:
        finished: label -> video whose rows are there: of this run and, in one table, of earlier ones, in its order.
        skipped: labels of this run that need not be done again.
        refused: label -> why the video cannot be done.
    """

    finished: Mapping[str, FinishedVideo]
    skipped: frozenset[str]
    refused: Mapping[str, str]


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
        TableError: if what is there is no table of aucli, or was made with other options.
    """
    labels = {video.label for video in videos}
    if overwrite:
        work.forget(labels)
        finished = _others_of_table(output, run, labels) if output.is_one_table else {}
        plan = Plan(finished, frozenset(), {})
    elif output.is_one_table:
        plan = (
            _plan_table(_open_existing(output.path, run), videos) if output.path.exists() else Plan({}, frozenset(), {})
        )
    else:
        plan = _plan_folder(output, videos, run)
    work.forget(plan.finished)
    waiting = {segments.label: FinishedVideo.of(segments) for segments in work.complete_besides(labels)}
    return Plan({**plan.finished, **waiting}, plan.skipped, plan.refused)


def same_content(path: Path, record: VideoRecord) -> bool:
    """Whether a file holds what was annotated; tables of schema 1 know no fingerprint, so all of the file is read then.

    Raises:
        OSError: if the file cannot be read.
    """
    if record.fingerprint:
        return content_fingerprint(path) == record.fingerprint
    return content_size(path) == record.size_bytes and content_digest(path) == record.sha256


def _plan_table(existing: ExistingTable, videos: Sequence[VideoInput]) -> Plan:
    finished = {label: FinishedVideo(label, record, existing) for label, record in existing.records.items()}
    skipped, refused = _compare([(video, finished[video.label]) for video in videos if video.label in finished])
    return Plan(finished, skipped, refused)


def _plan_folder(output: Output, videos: Sequence[VideoInput], run: RunRecord) -> Plan:
    there: list[tuple[VideoInput, FinishedVideo]] = []
    refused: dict[str, str] = {}
    for video in videos:
        table = output.table_of(video.label)
        if not table.exists():
            continue
        existing = _open_existing(table, run)
        if video.label in existing.records and len(existing.records) == 1:
            there.append((video, FinishedVideo(video.label, existing.records[video.label])))
        else:
            other = next((label for label in existing.records if label != video.label), "no video")
            refused[video.label] = (
                f"{table} holds {other}; use --overwrite, name the videos apart (--root) or choose another -o"
            )
    skipped, changed = _compare(there)
    return Plan({video.label: one for video, one in there}, skipped, {**refused, **changed})


def _compare(pairs: Sequence[tuple[VideoInput, FinishedVideo]]) -> tuple[frozenset[str], dict[str, str]]:
    """Say which files are those that were annotated, and why the others cannot be done."""

    def problem_of(pair: tuple[VideoInput, FinishedVideo]) -> str | None:
        video, finished = pair
        try:
            return None if same_content(video.path, finished.record) else OTHER_CONTENT
        except OSError as error:
            return f"{error.strerror or error}; its rows stay in the table"

    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        problems = {
            video.label: problem for (video, _), problem in zip(pairs, pool.map(problem_of, pairs), strict=True)
        }
    refused = {label: problem for label, problem in problems.items() if problem}
    return frozenset(problems.keys() - refused.keys()), refused


def _others_of_table(output: Output, run: RunRecord, labels: set[str]) -> dict[str, FinishedVideo]:
    """The videos of a table that stay when some are done again; none if the table is no table, or of another run."""
    try:
        existing = _open_existing(output.path, run)
    except TableError:
        return {}
    records = existing.records.items()
    return {label: FinishedVideo(label, record, existing) for label, record in records if label not in labels}


def _open_existing(table: Path, run: RunRecord) -> ExistingTable:
    existing = ExistingTable(table)
    if differences := run.differences(existing.metadata):
        raise TableError(
            f"{table} was made with other options ({'; '.join(differences)}); use the same, another -o, or --overwrite"
        )
    return existing
