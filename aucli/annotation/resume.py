"""Where a run's tables go, and which videos an earlier run has finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aucli.annotation.output import is_one_table, require_places_apart, table_in_folder
from aucli.annotation.records import RunRecord
from aucli.annotation.segments import ExistingTable, FinishedVideo
from aucli.errors import TableError
from aucli.video.inputs import VideoInput


@dataclass(frozen=True)
class OutputPlan:
    """What is to be written, and what is there.

    Attributes:
        output: the table, or the folder of tables.
        single: one table for all videos.
        work_folder: where finished stretches wait.
        finished: label -> video of this run that an earlier one finished.
        kept: label -> video of an earlier run that is not among this run's; it stays in the table.
    """

    output: Path
    single: bool
    work_folder: Path
    finished: Mapping[str, FinishedVideo]
    kept: Mapping[str, FinishedVideo]

    def table_of(self, video: VideoInput) -> Path:
        """Return the table that a video goes to."""
        return self.output if self.single else table_in_folder(self.output, video.label)


def plan_output(output: Path, videos: Sequence[VideoInput], run: RunRecord, *, overwrite: bool) -> OutputPlan:
    """Look at what lies at the output before any work is done.

    Args:
        output: a path that ends in ``.parquet``: one table; any other: a folder.
        videos: of this run.
        run: its record.
        overwrite: what is there is not looked at.

    Raises:
        OptionsError: if the output is neither a table nor a folder of tables.
        TableError: if the output cannot be written, is no table of aucli, or was made with other options.
    """
    single = is_one_table(output)
    if single and output.is_dir():
        raise TableError(f"{output} is a folder; name a file, or a folder without .parquet in its name")
    if not single and output.exists() and not output.is_dir():
        raise TableError(f"{output} is a file; name a folder, or a file that ends in .parquet")
    top = output.parent if single else output
    try:
        top.mkdir(parents=True, exist_ok=True)
        trial = top / f".aucli-{id(run)}.tmp"
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise TableError(f"cannot write into {top}: {error.strerror}; choose another -o") from error
    if not single:
        require_places_apart(output, [video.label for video in videos])
    work_folder = top / f"{output.name}.partial" if single else top / "aucli.partial"
    plan = OutputPlan(output, single, work_folder, {}, {})
    if overwrite:
        return plan
    finished: dict[str, FinishedVideo] = {}
    kept: dict[str, FinishedVideo] = {}
    if single:
        if output.exists():
            finished, kept = _sort_videos(_open_existing(output, run), videos)
    else:
        for video in videos:
            if (table := plan.table_of(video)).exists():
                found, others = _sort_videos(_open_existing(table, run), [video])
                if others:
                    raise TableError(
                        f"{table} holds another video ({next(iter(others))}); use --overwrite or another -o"
                    )
                finished |= found
    return OutputPlan(output, single, work_folder, finished, kept)


def _open_existing(table: Path, run: RunRecord) -> ExistingTable:
    existing = ExistingTable(table)
    if differences := run.differences(existing.metadata):
        raise TableError(
            f"{table} was made with other options ({'; '.join(differences)}); use the same, another -o, or --overwrite"
        )
    return existing


def _sort_videos(
    existing: ExistingTable, videos: Sequence[VideoInput]
) -> tuple[dict[str, FinishedVideo], dict[str, FinishedVideo]]:
    finished: dict[str, FinishedVideo] = {}
    used: set[str] = set()
    for video in videos:
        try:
            label = existing.find(video.path, exclude=used)
        except OSError:  # a missing file is reported when its turn comes
            continue
        if label is not None:
            used.add(label)
            finished[video.label] = FinishedVideo(video.label, existing.record(label), (existing, label))
    labels = {video.label for video in videos}
    kept: dict[str, FinishedVideo] = {}
    for label in existing.labels:
        if label in used:
            continue
        if label in labels:
            # The same name, another content: this run replaces it.
            continue
        kept[label] = FinishedVideo(label, existing.record(label), (existing, label))
    return finished, kept
