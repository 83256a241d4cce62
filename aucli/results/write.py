"""Small results as files: CSV, Parquet or JSON, by the file's name; whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aucli.annotation.table import read_metadata
from aucli.errors import OptionsError, TableError
from aucli.results.digits import meant_digits
from aucli.runtime.files import whole_or_nothing
from aucli.runtime.json_text import strict_json
from aucli.runtime.place import require_place_for_file

if TYPE_CHECKING:
    import polars

RESULT_SUFFIXES: Final = (".csv", ".tsv", ".parquet", ".json")


def require_result_file(path: Path, *, field: str = "output", inputs: Iterable[Path] = ()) -> None:
    """Refuse a name that says no kind of file, or where none can be written, before any work.

    A table of annotate is never replaced: it may be the work of days, and perhaps the one that is read.

    Args:
        path: of the file.
        field: of the library, for messages.
        inputs: other files that are read.

    Raises:
        OptionsError: if it ends in none of `RESULT_SUFFIXES`, or no such file can be there.
        StorageError: if this machine does not let it be written.
    """
    if path.suffix.lower() not in RESULT_SUFFIXES:
        raise OptionsError(f"`{field}` is {path}; name a file that ends in {', '.join(RESULT_SUFFIXES)}")
    require_place_for_file(path, field=field, inputs=inputs)
    if path.is_file() and _is_table(path):
        raise OptionsError(f"`{field}` is {path}, a table of annotate, which is kept; choose another name")


def _is_table(path: Path) -> bool:
    try:
        read_metadata(path)
    except TableError:
        return False
    return True


def write_result(path: Path, frame: polars.DataFrame, **more: polars.DataFrame) -> None:
    """Write a frame.

    Args:
        path: ``x.csv`` (numbers with a point, and the digits that they mean; columns parted by commas), ``x.tsv``,
            ``x.parquet``, or ``x.json``: one object with the rows under ``rows``.
        frame: the rows.
        more: other frames, for JSON alone, under their names.

    Raises:
        OptionsError: if the name says no kind of file.
        TableError: if it cannot be written.
    """
    require_result_file(path)
    kind = path.suffix.lower()
    try:
        with whole_or_nothing(path) as temporary:
            if kind == ".parquet":
                frame.write_parquet(temporary)
            elif kind == ".json":
                temporary.write_text(strict_json(_rows({"rows": frame, **more})), encoding="utf-8")
            else:
                separator = "\t" if kind == ".tsv" else ","
                meant_digits(frame).write_csv(temporary, separator=separator, float_scientific=False)
    except OSError as error:
        raise TableError(f"{path} cannot be written: {error.strerror or error}") from error


def _rows(frames: Mapping[str, polars.DataFrame]) -> dict[str, list[dict[str, object]]]:
    return {name: frame.to_dicts() for name, frame in frames.items()}
