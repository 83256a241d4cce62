"""The command ``aucli episodes``: parse, call, print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aucli.commands import result_options
from aucli.commands.options import Json, Quiet, fields_as_options
from aucli.commands.output import Printer
from aucli.commands.result_options import OPTION_OF

if TYPE_CHECKING:
    import polars
    from rich.table import Table

ROWS_SHOWN: Final = 40


def episodes(
    tables: result_options.TablesGiven,
    output: result_options.ResultFile = None,
    aus: result_options.Aus = None,
    smooth: result_options.Smooth = 0.2,
    min_duration: result_options.MinDuration = 0.1,
    join_gap: result_options.JoinGap = 0.2,
    bridge_gap: result_options.BridgeGap = 0.0,
    min_interocular: result_options.MinInterocular = None,
    max_yaw: result_options.MaxYaw = None,
    max_pitch: result_options.MaxPitch = None,
    min_sharpness: result_options.MinSharpness = None,
    min_brightness: result_options.MinBrightness = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the episodes of each action unit: onset, apex, offset, duration, mean and peak probability.

    Times are true for variable frame rates; an episode ends where the face is not seen. docs/episodes.md says how.
    """
    from aucli.results.columns import action_units
    from aucli.results.episodes import EpisodeRules, episodes_of, signals_of
    from aucli.results.read import read_tables
    from aucli.results.row_filter import RowFilter
    from aucli.results.rows_of_faces import rows_of_faces
    from aucli.results.write import require_result_file, write_result

    out = Printer("episodes", as_json=as_json, quiet=quiet, option_of=OPTION_OF)
    with fields_as_options(OPTION_OF):
        rules = EpisodeRules(smooth, min_duration, join_gap, bridge_gap)
        row_filter = RowFilter(min_interocular, max_yaw, max_pitch, min_sharpness, min_brightness)
        if output is not None:
            require_result_file(output)
        read = read_tables(tables)
        columns = read.rows.columns
        signals = signals_of(action_units(columns, result_options.au_list(aus)), columns)
        faces = rows_of_faces(read.rows, row_filter)
        found = episodes_of(faces, signals, rules)
        if output is not None:
            write_result(output, found)
    notes = result_options.all_notes(out, read, faces.left_out)
    if output is None:
        _print(out, found)
    else:
        out.result(f"{_counted(found)} -> {output}")
    for note in notes:
        out.note(f"note: {note}")
    if as_json:
        out.json(
            episodes=found.to_dicts() if output is None else [],
            n_episodes=len(found),
            output=None if output is None else str(output),
            rules=rules.__dict__,
            thresholds=read.thresholds,
            left_out=result_options.left_out_json(faces.left_out),
            notes=notes,
        )


def _print(out: Printer, found: polars.DataFrame) -> None:
    from aucli.results.runs import BY_PROBABILITY

    shown = found.head(ROWS_SHOWN)
    for (video, face), rows in shown.group_by(["video", "face"], maintain_order=True):
        out.result(f"{video}, face {face}", style="bold")
        out.table(_table(rows, BY_PROBABILITY))
    if any(reason != BY_PROBABILITY for name in ("onset", "offset") for reason in shown[f"{name}_reason"]):
        out.result("< > the face or the film begins or ends there: the true time is unknown")
    more = f"; the first {ROWS_SHOWN} are shown, -o FILE writes all" if len(found) > ROWS_SHOWN else ""
    out.result(f"{_counted(found)}{more}")


def _counted(found: polars.DataFrame) -> str:
    n, n_videos = len(found), found["video"].n_unique()
    return f"{n:,} episode{'s' * (n != 1)} in {n_videos:,} video{'s' * (n_videos != 1)}"


def _table(rows: polars.DataFrame, seen: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("action unit")  # the one that gives way where the terminal is narrow: numbers stay whole
    for name in ("onset s", "apex s", "offset s", "lasts s", "mean p", "peak p"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows.iter_rows(named=True):
        table.add_row(
            result_options.au_name(row["au"]),
            f"{' ' if row['onset_reason'] == seen else '<'}{row['onset_s']:.2f}",
            f"{row['apex_s']:.2f}",
            f"{row['offset_s']:.2f}{' ' if row['offset_reason'] == seen else '>'}",
            f"{row['duration_s']:.2f}",
            f"{row['mean_probability']:.2f}",
            f"{row['peak_probability']:.2f}",
        )
    return table
