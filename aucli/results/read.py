"""Reading finished tables: one file, a folder, a glob, or several of these as one."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, overload

from aucli.annotation.table import WANTED, read_metadata
from aucli.errors import OptionsError, TableError
from aucli.results.columns import with_right_types
from aucli.results.rows import rows_of_file
from aucli.runtime.packages import require

if TYPE_CHECKING:
    import polars

TablePath = str | os.PathLike[str]
TablePaths = TablePath | Sequence[TablePath]
"""A ``.parquet`` file of `annotate`, a folder of them, a glob, or several of these."""
TableGiven: TypeAlias = "TablePaths | polars.DataFrame | polars.LazyFrame"
"""What a function on a table takes: where it lies, as `read` does, or the rows that `read` gives."""


@dataclass(frozen=True)
class Tables:
    """Tables that were read as one.

    Attributes:
        files: in the order of their rows.
        rows: one per video, frame and face, in the columns of `table_schema`.
        thresholds: action unit -> probability from which it is present; one for which the tables have different
            thresholds, or none, is not in it.
        videos: names of all videos that the tables know, those without a row too.
        notes: what a user should know of how the tables go together.
    """

    files: tuple[Path, ...]
    rows: polars.DataFrame
    thresholds: dict[str, float]
    videos: tuple[str, ...]
    notes: tuple[str, ...]


@overload
def read_table(path: TablePaths, *, as_: Literal["polars"] = "polars") -> polars.DataFrame: ...
@overload
def read_table(path: TablePaths, *, as_: Literal["pandas"]) -> Any: ...
def read_table(path: TablePaths, *, as_: str = "polars") -> Any:
    """Read a table, or several as one.

    Args:
        path: a ``.parquet`` file written by `annotate`, a folder of them, a glob (``study/*.parquet``), or several of
            these. A file whose name is a glob's is that file.
        as_: ``polars``, or ``pandas`` with nullable types: ``string``, ``Int32``, ``Float64``, ``Float32`` and
            ``boolean``, so that a frame without a face has ``<NA>`` and numbers stay numbers.

    Returns:
        One row per video, frame and face, in the columns of `table_schema`, also from tables of earlier versions. Of
        these pose is found from the landmarks, and ``sharpness`` and ``brightness`` are null.

    Raises:
        OptionsError: if `as_` is another word.
        MissingPackageError: if pandas is asked for and not installed.
        TableError: if there is no table, the tables come from models with other AUs, or two hold the same video.
    """
    if as_ not in ("polars", "pandas"):
        raise OptionsError(f"`as_` is {as_!r}; allowed are 'polars' and 'pandas'")
    if as_ == "polars":
        return read_tables(path).rows
    require("pandas", for_="aucli.read(..., as_='pandas')")
    return _as_pandas(read_tables(path).rows)


def read_tables(path: TablePaths) -> Tables:
    """Read tables as one, with the thresholds that they have in common; see `read_table`."""
    import polars

    files = table_files(path)
    metadata = [read_metadata(file) for file in files]
    aus = [tuple(one["aus"]) for one in metadata]
    if len(set(aus)) > 1:
        other = next(i for i, names in enumerate(aus) if names != aus[0])
        raise TableError(f"{files[0]} and {files[other]} hold different action units; read them one by one")
    _require_other_videos(files, metadata)
    parts = [rows_of_file(file, one) for file, one in zip(files, metadata, strict=True)]
    thresholds, notes = _common_thresholds(aus[0], metadata)
    digests = {(one.get("model"), one.get("model_digest")) for one in metadata}
    if len(digests) > 1:
        models = ", ".join(sorted({str(model) for model, _ in digests}))
        notes.append(f"the tables come from {len(digests)} models ({models}): their probabilities may not compare")
    rows = polars.concat(parts)
    videos = dict.fromkeys(
        [*rows["video"].unique(maintain_order=True), *(v for one in metadata for v in one["videos"])]
    )
    return Tables(tuple(files), rows, thresholds, tuple(videos), tuple(notes))


def read_metadata_of(path: TablePaths) -> dict[str, Any]:
    """What a table knows of itself, or several of one kind of run as one: the JSON under the key ``aucli``.

    Args:
        path: what `read_table` takes.

    Returns:
        Of several tables what all of them say, and under ``videos`` the records of all.

    Raises:
        TableError: if there is no table, two hold the same video, or they differ in anything but their videos.
    """
    files = table_files(path)
    found = [read_metadata(file) for file in files]
    _require_other_videos(files, found)
    shared = {name: value for name, value in found[0].items() if name != "videos"}
    for file, one in zip(files, found, strict=True):
        differing = [name for name in sorted({*shared, *one} - {"videos"}) if shared.get(name) != one.get(name)]
        if differing:
            what = ", ".join(differing)
            raise TableError(f"{files[0]} and {file} differ in {what}; read the metadata of each by itself")
    return found[0] | {"videos": {label: known for one in found for label, known in one["videos"].items()}}


def rows_given(table: Any) -> polars.LazyFrame | None:
    """The rows of a table that was given as a polars frame; None for one that was given by its path, or several.

    Raises:
        OptionsError: if it is neither.
        TableError: if a column of the frame holds what cannot be reckoned with.
    """
    import polars

    if isinstance(table, polars.DataFrame | polars.LazyFrame):
        return with_right_types(table.lazy())
    places = table if isinstance(table, Sequence) and not isinstance(table, str) else [table]
    if all(isinstance(place, str | os.PathLike) for place in places):
        return None
    package, name = type(table).__module__.partition(".")[0], type(table).__name__
    remedy = ": polars.from_pandas makes one" if package == "pandas" else ""
    kind = name if package == "builtins" else f"{package} {name}"
    raise OptionsError(
        f"the table is a {kind}; allowed are the path of a table, several of these, and a polars frame{remedy}"
    )


def lazy_rows(table: TableGiven) -> polars.LazyFrame:
    """The rows of a table, however it was given.

    Raises:
        OptionsError: if it is neither paths nor a polars frame.
        TableError: if it cannot be read.
    """
    rows = rows_given(table)
    return read_tables(cast("TablePaths", table)).rows.lazy() if rows is None else rows


def table_files(path: TablePaths) -> list[Path]:
    """The files that a path, a folder or a glob stands for, each once.

    Raises:
        TableError: if one stands for nothing.
    """
    places = [path] if isinstance(path, str | os.PathLike) else list(path)
    if not places:
        raise TableError("no table is named")
    found: dict[Path, Path] = {}
    for place in places:
        for file in _files_of(Path(place)):
            found.setdefault(Path(os.path.realpath(file)), file)
    return list(found.values())


def _files_of(place: Path) -> list[Path]:
    if place.is_dir():
        files = sorted(p for p in place.rglob("*.parquet") if p.is_file() and not _in_work_folder(p, place))
        if not files:
            raise TableError(f"{place} holds no .parquet file; name {WANTED}, or a folder of them")
        return files
    if place.exists() or not glob.has_magic(str(place)):
        if not place.exists():
            raise TableError(f"{place} does not exist; name {WANTED}, or a folder of them")
        return [place]
    files = []
    for match in sorted(glob.glob(str(place), recursive=True)):  # noqa: PTH207  Path.glob takes no absolute pattern
        if Path(match).is_dir():
            files += _files_of(Path(match))
        elif not any(part.endswith(".partial") for part in Path(match).parts):
            files.append(Path(match))
    if not files:
        raise TableError(f"{place} fits no file; name {WANTED}, or a folder of them")
    return files


def _require_other_videos(files: Sequence[Path], metadata: Sequence[dict[str, Any]]) -> None:
    seen: dict[str, Path] = {}
    for file, one in zip(files, metadata, strict=True):
        for video in one["videos"]:
            if video in seen:
                raise TableError(f"{video} is in {seen[video]} and in {file}; name one of them")
            seen[video] = file


def _common_thresholds(aus: Sequence[str], metadata: Sequence[dict[str, Any]]) -> tuple[dict[str, float], list[str]]:
    """The thresholds that all tables share, and a note on those that differ."""
    known = [dict(zip(one["aus"], one.get("thresholds") or (), strict=False)) for one in metadata]
    of_au = {au: {one.get(au) for one in known} for au in aus}
    common = {au: float(value) for au, (value, *more) in of_au.items() if value is not None and not more}
    differing = [au for au, values in of_au.items() if len(values) > 1]
    notes = []
    if differing:
        notes.append(
            f"the tables have different thresholds for {', '.join(differing)}: what counts as present differs between "
            "them"
        )
    return common, notes


def _as_pandas(rows: polars.DataFrame) -> Any:
    import pyarrow as pa

    pandas = import_module("pandas")
    types = {
        pa.string(): pandas.StringDtype(),
        pa.large_string(): pandas.StringDtype(),
        pa.int32(): pandas.Int32Dtype(),
        pa.float32(): pandas.Float32Dtype(),
        pa.float64(): pandas.Float64Dtype(),
        pa.bool_(): pandas.BooleanDtype(),
    }
    arrow = rows.to_arrow()
    plain = [pa.field(f.name, pa.large_string() if pa.types.is_string_view(f.type) else f.type) for f in arrow.schema]
    return arrow.cast(pa.schema(plain)).to_pandas(types_mapper=types.get)


def _in_work_folder(path: Path, top: Path) -> bool:
    return any(part.endswith(".partial") for part in path.relative_to(top).parts)
