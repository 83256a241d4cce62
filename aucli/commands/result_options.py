"""Options that the commands on finished tables share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aucli.commands.options import as_seconds
from aucli.commands.output import Printer

if TYPE_CHECKING:
    from aucli.results.read import Tables
    from aucli.results.row_filter import LeftOut

OPTION_OF: Final = {
    "output": "-o",
    "aus": "--aus",
    "smooth_s": "--smooth",
    "min_duration_s": "--min-duration",
    "join_gap_s": "--join-gap",
    "bridge_gap_s": "--bridge-gap",
    "min_interocular_px": "--min-interocular",
    "max_yaw_deg": "--max-yaw",
    "max_pitch_deg": "--max-pitch",
    "min_sharpness": "--min-sharpness",
    "min_brightness": "--min-brightness",
}
"""Option by field of `EpisodeRules`, `RowFilter` and `episodes`."""

TablesGiven = Annotated[
    list[str], typer.Argument(metavar="TABLES", help="Tables of annotate: files, folders or globs.", show_default=False)
]
Aus = Annotated[
    str | None, typer.Option(help="Only these action units, as 4,12.", metavar="AUS", show_default="all of the table")
]
Smooth = Annotated[
    float,
    typer.Option(
        metavar="TIME", help="Window in which the majority of the time decides: 0.2s or 200ms.", parser=as_seconds
    ),
]
MinDuration = Annotated[float, typer.Option(metavar="TIME", help="Leave out shorter episodes.", parser=as_seconds)]
JoinGap = Annotated[
    float, typer.Option(metavar="TIME", help="Join episodes with at most this pause.", parser=as_seconds)
]
BridgeGap = Annotated[
    float, typer.Option(metavar="TIME", help="Longest time without the face inside an episode.", parser=as_seconds)
]
MinInterocular = Annotated[
    float | None,
    typer.Option(metavar="PX", help="Leave out faces whose eyes are closer, in pixels.", show_default="all faces"),
]
MaxYaw = Annotated[
    float | None,
    typer.Option(metavar="DEG", help="Leave out heads turned further to a side, in degrees.", show_default="all faces"),
]
MaxPitch = Annotated[
    float | None,
    typer.Option(metavar="DEG", help="Leave out heads raised or lowered further.", show_default="all faces"),
]
MinSharpness = Annotated[
    float | None, typer.Option(metavar="X", help="Leave out faces less sharp.", show_default="all faces")
]
MinBrightness = Annotated[
    float | None, typer.Option(metavar="X", help="Leave out darker faces, 0 to 255.", show_default="all faces")
]
ResultFile = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="x.csv, x.tsv, x.parquet or x.json.", show_default="the screen"),
]


def au_list(text: str | None) -> list[str] | None:
    """``4,AU12`` -> ``["4", "AU12"]``."""
    return None if text is None else [part.strip() for part in text.split(",")]


def au_name(column: str) -> str:
    """``AU04`` -> `` 4 Brow lowerer``."""
    from aucli.facs import AU_NAMES

    number = int(column.removeprefix("AU"))
    return f"{number:>2} {AU_NAMES.get(number, '')}".rstrip()


def all_notes(out: Printer, tables: Tables, left_out: LeftOut, *more: str) -> list[str]:
    """What a reader of the result should know, in the words of the command line."""
    said = [*tables.notes, *more]
    if sentence := left_out.sentence():
        said.append(sentence)
    return [out.as_typed(note) for note in said]


def left_out_json(left_out: LeftOut) -> dict[str, Any]:
    """How many rows were left out, for JSON: by option, with its limit."""
    return {
        "rows_with_face": left_out.n_faces,
        "rows_left_out": left_out.n_left_out,
        "by_rule": {
            OPTION_OF[rule]: {"limit": left_out.row_filter.rules[rule], "rows": count}
            for rule, count in left_out.by_rule.items()
        },
    }
