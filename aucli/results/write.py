"""Small results as files: CSV, Parquet or JSON, by the file's name; whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aucli.errors import OptionsError, TableError
from aucli.runtime.files import whole_or_nothing

if TYPE_CHECKING:
    import polars

RESULT_SUFFIXES: Final = (".csv", ".tsv", ".parquet", ".json")


def require_result_file(path: Path) -> None:
    """Refuse a name that says no kind of file, before any work.

    Raises:
        OptionsError: if it ends in none of `RESULT_SUFFIXES`.
    """
    if path.suffix.lower() not in RESULT_SUFFIXES or path.is_dir():
        raise OptionsError(f"`output` is {path}; name a file that ends in {', '.join(RESULT_SUFFIXES)}")


def write_result(path: Path, frame: polars.DataFrame, **more: polars.DataFrame) -> None:
    """Write a frame.

    Args:
        path: ``x.csv`` (numbers with a point, columns parted by commas), ``x.tsv``, ``x.parquet``, or ``x.json``: one
            object with the rows under ``rows``.
        frame: the rows.
        more: other frames, for JSON alone, under their names.

    Raises:
        OptionsError: if the name says no kind of file.
        TableError: if it cannot be written.
    """
    require_result_file(path)
    kind = path.suffix.lower()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_or_nothing(path) as temporary:
            if kind == ".parquet":
                frame.write_parquet(temporary)
            elif kind == ".json":
                temporary.write_text(json.dumps(_rows({"rows": frame, **more})), encoding="utf-8")
            else:
                frame.write_csv(temporary, separator="\t" if kind == ".tsv" else ",")
    except OSError as error:
        raise TableError(f"{path} cannot be written: {error.strerror or error}") from error


def _rows(frames: Mapping[str, polars.DataFrame]) -> dict[str, list[dict[str, object]]]:
    return {name: frame.to_dicts() for name, frame in frames.items()}
