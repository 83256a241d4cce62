"""The command ``aucli summary``: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aucli.commands import result_options
from aucli.commands.options import Json, Quiet, fields_as_options
from aucli.commands.output import Printer

if TYPE_CHECKING:
    import polars

    from aucli.results.episodes import EpisodeRules
    from aucli.results.summary import Summary

OPTION_OF: Final = {
    **result_options.OPTION_OF,
    "co_occurrence": "--co-occurrence",
    "people": "--people",
    "by": "--by",
}
"""Option by field of `EpisodeRules`, `RowFilter` and `summary`."""
FACES_SHOWN: Final = 6
PAIRS_SHOWN: Final = 8


def summary(
    tables: result_options.TablesGiven,
    output: result_options.ResultFile = None,
    co_occurrence: Annotated[
        Path | None,
        typer.Option(help="A file for the pairs of action units, as for --output.", show_default="the screen"),
    ] = None,
    people: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Who is in which video: columns video and those of --by.", show_default=False),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Sum up by a column of --people. Can be repeated.", show_default=False),
    ] = None,
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
    """Sum up each action unit: share of time, episodes a minute, durations, and which go together.

    A file gets one row per video, face and action unit, or per group and action unit with --by. docs/summary.md says
    what each figure means.
    """
    from aucli.errors import OptionsError
    from aucli.results.episodes import EpisodeRules
    from aucli.results.people import read_people
    from aucli.results.read import read_tables
    from aucli.results.row_filter import RowFilter
    from aucli.results.summary import summary as sum_up
    from aucli.results.write import require_result_file, write_result

    out = Printer("summary", as_json=as_json, quiet=quiet, option_of=OPTION_OF)
    if bool(by) != (people is not None):
        raise OptionsError("--by and --people go together: a column, and the CSV that has it")
    with fields_as_options(OPTION_OF):
        rules = EpisodeRules(smooth, min_duration, join_gap, bridge_gap)
        row_filter = RowFilter(min_interocular, max_yaw, max_pitch, min_sharpness, min_brightness)
        read_besides = [people] if people else []
        for field, file in (("output", output), ("co_occurrence", co_occurrence)):
            if file is not None:
                require_result_file(file, field=field, inputs=read_besides)
        if output is not None and output == co_occurrence:
            raise OptionsError("`co_occurrence` is the file of `output`; give each one of its own")
        of_people = None if people is None else read_people(people)
        read = read_tables(tables)
        found = sum_up(
            read,
            aus=result_options.au_list(aus),
            people=of_people,
            by=by or (),
            rules=rules,
            row_filter=row_filter,
        )
        rows = found.groups if by else found.faces
        if output is not None:
            write_result(output, rows, co_occurrence=found.co_occurrence)
        if co_occurrence is not None:
            write_result(co_occurrence, found.co_occurrence)
    notes = result_options.all_notes(out, read, found.left_out, *found.notes)
    if output is None:
        _print(out, found, by or [], rules)
    for what, file, frame in (("rows", output, rows), ("pairs", co_occurrence, found.co_occurrence)):
        if file is not None:
            out.result(f"{len(frame):,} {what} -> {file}")
    for note in notes:
        out.note(f"note: {note}")
    if as_json:
        out.json(
            faces=found.faces.to_dicts(),
            groups=found.groups.to_dicts(),
            co_occurrence=found.co_occurrence.to_dicts(),
            files=[str(file) for file in (output, co_occurrence) if file is not None],
            by=by or [],
            rules=rules.__dict__,
            thresholds=read.thresholds,
            left_out=result_options.left_out_json(found.left_out),
            notes=notes,
        )


def _print(out: Printer, found: Summary, by: list[str], rules: EpisodeRules) -> None:
    import polars as pl

    faces = found.faces.select("video", "face").unique(maintain_order=True)
    if by:
        for values in found.groups.select(by).unique(maintain_order=True).iter_rows():
            chosen = pl.all_horizontal(
                pl.col(name).eq_missing(pl.lit(v, pl.String)) for name, v in zip(by, values, strict=True)
            )
            part = found.groups.filter(chosen)
            named = ", ".join(f"{name} {'not known' if v is None else v}" for name, v in zip(by, values, strict=True))
            _print_figures(out, f"{named}: {_counted(part)}", part)
            _print_pairs(out, found.co_occurrence.filter(chosen))
        _print_what_is_counted(out, rules)
        return
    if len(faces) <= FACES_SHOWN:
        for video, face in faces.iter_rows():
            part = found.faces.filter(pl.col("video") == video, pl.col("face") == face)
            _print_figures(out, f"{video}, face {face}", part)
    else:
        _print_figures(out, f"all together: {_counted(found.groups)}; -o FILE writes each", found.groups)
    _print_pairs(out, found.co_occurrence)
    _print_what_is_counted(out, rules)


def _print_what_is_counted(out: Printer, rules: EpisodeRules) -> None:
    """What the two sides of the tables are."""
    out.result("present: frames, as the table has them")
    parts = [f"pauses up to {rules.join_gap_s:g} s joined"] if rules.join_gap_s else []
    parts += [f"from {rules.min_duration_s:g} s on"] if rules.min_duration_s else []
    out.result(", ".join(["episodes: stretches of these", *parts]))


def _counted(groups: polars.DataFrame) -> str:
    n_videos, n_faces = groups.select("n_videos", "n_faces").row(0)
    return f"{n_videos:,} video{'s' * (n_videos != 1)}, {n_faces:,} face{'s' * (n_faces != 1)}"


def _print_figures(out: Printer, title: str, rows: polars.DataFrame) -> None:
    from rich import box
    from rich.table import Table

    first = rows.row(0, named=True)
    frames = f"{first['frames_usable']:,} of {first['frames_with_face']:,} frames usable"
    out.result(f"{title}; {frames}, {first['seconds_usable']:,.1f} s", style="bold")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("action unit", no_wrap=True)
    for name in ("present", "mean p", "episodes", "/min", "mean s", "max s"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows.iter_rows(named=True):
        table.add_row(
            result_options.au_name(row["au"]),
            _share(row["share_present"]),
            _figure(row["mean_probability"], ".2f"),
            f"{row['n_episodes']:,}",
            _figure(row["episodes_per_minute"], ".1f"),
            _figure(row["mean_duration_s"], ".2f"),
            _figure(row["longest_duration_s"], ".2f"),
        )
    out.table(table)


def _print_pairs(out: Printer, pairs: polars.DataFrame) -> None:
    import polars as pl
    from rich import box
    from rich.table import Table

    known = pairs.filter(pl.col("phi").is_not_null()).sort(pl.col("phi").abs(), descending=True, maintain_order=True)
    if known.is_empty():
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for name in ("AU a", "AU b", "phi", "both s", "b, given a", "a, given b"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in known.head(PAIRS_SHOWN).iter_rows(named=True):
        table.add_row(
            *(str(int(row[name].removeprefix("AU"))) for name in ("au_a", "au_b")),
            f"{row['phi']:+.2f}",
            f"{row['seconds_both']:.1f}",
            _share(row["share_b_given_a"]),
            _share(row["share_a_given_b"]),
        )
    out.table(table)
    if len(known) > PAIRS_SHOWN:
        out.result(f"the {PAIRS_SHOWN} strongest of {len(known)} pairs; --co-occurrence FILE writes all")


def _share(value: float | None) -> str:
    """A share in percent; little is not nothing: an action unit with an episode is never written as 0 %."""
    return "<0.1%" if value and value < 0.0005 else _figure(value, ".1%")


def _figure(value: Any, form: str) -> str:
    return "-" if value is None else format(value, form)
