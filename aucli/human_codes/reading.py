"""Reading a file of human codes, whichever program wrote it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

from aucli.errors import TableError
from aucli.human_codes.boris import is_boris_header, read_boris
from aucli.human_codes.datavyu import read_datavyu
from aucli.human_codes.elan import read_elan, time_columns
from aucli.human_codes.frames import is_frames_header, read_frames
from aucli.human_codes.text import delimiter_of, read_text, split_cells
from aucli.human_codes.values import CodeOptions, Codes

READERS: Final[Mapping[str, Callable[[Path, str, CodeOptions], list[Codes]]]] = {
    "frames": read_frames,
    "elan": read_elan,
    "datavyu": read_datavyu,
    "boris": read_boris,
}


def read_codes(path: str | Path, options: CodeOptions | None = None) -> list[Codes]:
    """Read a file of human codes, one value per video that it names.

    Raises:
        TableError: if the file cannot be read, its format is not recognised, or nothing in it is an action unit.
        OptionsError: if several coders, subjects or observations are in it and none was chosen.
    """
    options = options or CodeOptions()
    source = Path(path)
    text = read_text(source)
    kind = sniff_format(text, source) if options.format == "auto" else options.format
    return READERS[kind](source, text, options)


def sniff_format(text: str, source: Path) -> Literal["frames", "elan", "datavyu", "boris"]:
    """Tell the format from the first lines.

    Raises:
        TableError: if it is none of the known ones.
    """
    lines = [line for line in text.split("\n")[:60] if line.strip()]
    if not lines:
        raise TableError(f"{source} is empty")
    if lines[0].startswith("#4"):
        return "datavyu"
    if any(is_boris_header(line) for line in lines):
        return "boris"
    body = [line for line in lines if not line.startswith(('"#', "#"))] or lines
    header = split_cells(body[0], delimiter_of(body[0]))
    cells = {cell.casefold() for cell in header}
    if any(cell.endswith(".onset") for cell in cells) or {"column", "onset", "offset"} <= cells:
        return "datavyu"
    if any(cell.startswith("begin time") for cell in cells):
        return "elan"
    if is_frames_header(header):
        return "frames"
    if "\t" in body[0] and time_columns([split_cells(line, "\t") for line in body[:10]]):
        return "elan"
    raise TableError(
        f"{source} is none of: a table with a frame or time_s column and AU columns, ELAN tab-delimited text, a "
        "Datavyu csv, BORIS aggregated or tabular events; name it with the option format"
    )
