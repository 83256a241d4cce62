"""GFT's label files: one delimited file a subject, in whichever of the accepted dialects it is written."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final, Literal

import numpy as np

from aucli.datasets.label_values import Int8Array, Int32Array
from aucli.datasets.readers.label_files import INT32_MAX, au_numbers, read_text, split_header, without_added_cells
from aucli.errors import DatasetError

Delimiter = Literal["auto", "comma", "tab", "blank"]

_DELIMITERS: Final = {"comma": ",", "tab": "\t", "blank": None}
_Cells1 = np.ndarray[tuple[int], np.dtype[np.str_]]
_Cells2 = np.ndarray[tuple[int, int], np.dtype[np.str_]]


def read_labels(
    path: Path, aus: tuple[int, ...], *, delimiter: Delimiter, frame_base: int, missing_codes: Collection[int]
) -> tuple[Int32Array, Int8Array]:
    """Read one subject's label file in any of the accepted dialects.

    Args:
        path: the file.
        aus: columns of the labels, in this order.
        delimiter: of its cells; ``auto`` takes what its header has.
        frame_base: number of the first frame, where the file numbers none.
        missing_codes: codes that mean missing, besides an empty cell and NaN.

    Returns:
        (K,) frame numbers, ascending, and (K, A) labels.

    Raises:
        DatasetError: if the header names no AUs or lacks one, or a value is neither 0, 1 nor a missing code.
    """
    text = read_text(path)
    separator = _separator_of(text, path) if delimiter == "auto" else _DELIMITERS[delimiter]
    header, cells = _cells(text, separator, path)
    named = au_numbers(header)
    # A first cell that is no AU name, or whose number comes again, is the frame column.
    has_frames = named[0] is None or named[0] == 0 or named[0] in named[1:]
    au_columns = {au: i for i, au in enumerate(named) if au is not None and not (has_frames and i == 0)}
    lacking = [au for au in aus if au not in au_columns]
    if lacking:
        raise DatasetError(f"{path} has no column for AU {', '.join(map(str, lacking))}; its header is {header}")
    if has_frames:
        frames = _whole_numbers(cells[:, 0], path, "frame")
    else:
        frames = np.arange(len(cells), dtype=np.int32) + np.int32(frame_base)
    if len(frames) and (np.diff(frames) <= 0).any():
        raise DatasetError(f"frame numbers in {path} do not ascend")
    if len(frames) and frames[0] < frame_base:
        raise DatasetError(f"{path} has a frame {frames[0]} although frame_base is {frame_base}; set it to 0")
    labels = np.stack([_labels(cells[:, au_columns[au]], au, path, missing_codes) for au in aus], axis=1)
    return frames, labels


def _separator_of(text: str, path: Path) -> str | None:
    first = text.partition("\n")[0]
    for delimiter in (",", "\t"):
        if delimiter in first:
            return delimiter
    if len(first.split()) > 1:
        return None
    raise DatasetError(f"{path} has a header of one cell, {first!r}; expected commas, tabs or blanks")


def _cells(text: str, separator: str | None, path: Path) -> tuple[list[str], _Cells2]:
    header, body = split_header(text, separator)
    lines = [line for line in body.split("\n") if line.strip()]
    if separator:
        lines = [without_added_cells(line, len(header), separator) for line in lines]
    rows = [line.split(separator) for line in lines]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise DatasetError(f"line {number} of {path} has {len(row)} cells; the header has {len(header)}")
    return header, np.char.strip(np.array(rows, dtype=np.str_).reshape(len(rows), len(header)), ' "')


def _whole_numbers(cells: _Cells1, path: Path, what: str) -> Int32Array:
    try:
        values = cells.astype(np.float64)
    except ValueError as error:
        raise DatasetError(f"{path} has a {what} that is not a number: {error}") from error
    if not (np.abs(values) <= INT32_MAX).all() or (values != np.floor(values)).any():
        raise DatasetError(f"{path} has a {what} that is not a whole number")
    return values.astype(np.int32)


def _labels(cells: _Cells1, au: int, path: Path, missing_codes: Collection[int]) -> Int8Array:
    empty = (cells == "") | (np.char.lower(cells) == "nan")
    codes = _whole_numbers(np.where(empty, "0", cells), path, f"code of AU{au}")
    missing = empty | np.isin(codes, list(missing_codes))
    wrong = np.flatnonzero(~missing & (codes != 0) & (codes != 1))
    if wrong.size:
        raise DatasetError(
            f"AU{au} has the code {codes[wrong[0]]} in line {wrong[0] + 2} of {path}; allowed are 0, 1 and the "
            f"missing_codes {sorted(missing_codes)}"
        )
    return np.where(missing, -1, codes).astype(np.int8)
