"""Codes in Parquet: the label table of `aucli synth`, a table of annotate, or any with the columns of `frames`."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.errors import TableError
from aucli.human_codes.file import CodeFile, CodingProgram
from aucli.human_codes.frames import based_frames, chosen_subjects, find_au_columns, label_rows
from aucli.human_codes.names import MAX_GRADE
from aucli.human_codes.text import shown
from aucli.human_codes.values import CodedFrames, CodeOptions, Codes
from aucli.runtime.parquet import open_parquet
from aucli.runtime.parquet import read_parquet as read_whole

_VIDEO_NAMES: Final = ("video", "path", "file")
_PERSON_NAMES: Final = ("person", "subject", "face", "face_id")
_BOX_NAMES: Final = ("x", "y", "w", "h")


def read_parquet(file: CodeFile, options: CodeOptions) -> list[Codes]:
    """Read a table of codes, one value per film and subject.

    A row without a subject, such as annotate's of a frame without a face, holds no codes.

    Raises:
        TableError: if the file is damaged, a column is lacking or of the wrong kind, or a frame occurs twice.
    """
    import polars as pl

    source = file.source
    with open_parquet(source, error=TableError, wanted="a table of codes") as opened:
        header = list(opened.schema_arrow.names)
    frame_at, time_at = ("frame" in header, next((n for n in ("time_s", "timestamp", "time") if n in header), None))
    if not frame_at and time_at is None:
        raise TableError(f"{source} has no column frame or time_s; it has {shown(', '.join(header))}")
    video_at = next((name for name in _VIDEO_NAMES if name in header), None)
    person_at = next((name for name in _PERSON_NAMES if name in header), None)
    places = ["landmarks"] if "landmarks" in header else list(_BOX_NAMES) if set(_BOX_NAMES) <= set(header) else []
    keys = [name for name in ("frame" if frame_at else None, time_at, video_at, person_at, *places) if name]
    columns = find_au_columns(header, {header.index(name) for name in keys}, source, options)
    needed = columns.needed()
    try:
        wanted = [*keys, *(header[i] for i in needed)]
        table = pl.DataFrame(read_whole(source, wanted, error=TableError, wanted="a table of codes"))
        if person_at is not None:
            table = table.filter(pl.col(person_at).is_not_null())
        table = table.with_columns(pl.col(name).cast(pl.String) for name in (video_at, person_at) if name)
        if time_at is not None:
            table = table.with_columns(pl.col(time_at).cast(pl.Float64))
        if frame_at:
            table = table.with_columns(pl.col("frame").cast(pl.Int64))
        table = table.with_columns(pl.col(header[i]).cast(pl.Float64) for i in needed)
        by = [name for name in (video_at, person_at) if name]
        groups = table.partition_by(by, maintain_order=True) if by else [table]
    except (pl.exceptions.PolarsError, ValueError, TypeError) as error:
        raise TableError(f"{source} is damaged or has columns of the wrong kind: {shown(str(error))}") from None
    if not table.height:
        raise TableError(f"{source} has no rows")
    codes = []
    for group in groups:
        values = {i: _codes_of(group[header[i]], header[i], file, options) for i in needed}
        aus, labels, grades, notes = label_rows(columns, values, source, options)
        frame = _without_gaps(group["frame"], file) if frame_at else None
        time_s = _without_gaps(group[time_at], file) if time_at is not None else None
        codes.append(
            CodedFrames(
                source=source,
                video=group[video_at][0] if video_at is not None else None,
                subject=group[person_at][0] if person_at is not None else None,
                coded_aus=aus,
                labels=labels,
                grades=grades,
                frame=based_frames(frame.astype(np.int64), source, options) if frame is not None else None,
                time_s=time_s.astype(np.float64) + options.shift_s if time_s is not None else None,
                centre_xy=_centres(group, places, file),
                notes=notes,
            )
        )
    return chosen_subjects(codes, source, options)


def _codes_of(column: Any, name: str, file: CodeFile, options: CodeOptions) -> npt.NDArray[np.float64]:
    values: npt.NDArray[np.float64] = column.fill_null(float("nan")).to_numpy().astype(np.float64)
    values[np.isin(values, list(options.missing_codes))] = np.nan
    known = values[~np.isnan(values)]
    if ((known < 0) | (known > MAX_GRADE)).any():
        wrong = known[(known < 0) | (known > MAX_GRADE)][0]
        raise TableError(
            f"{file.source} has {wrong:g} for {shown(name)}; allowed are 0, 1, an intensity 0 to 5 and null"
        )
    return values


def _without_gaps(column: Any, file: CodeFile) -> npt.NDArray[Any]:
    values: npt.NDArray[Any] = column.to_numpy()
    if column.null_count() or not np.isfinite(values.astype(np.float64)).all():
        raise TableError(f"{file.source} has rows without {column.name}")
    return values


def _centres(group: Any, places: list[str], file: CodeFile) -> npt.NDArray[np.float64] | None:
    """(K, 2) centres of the faces in px; None where a row has none."""
    if not places:
        return None
    try:
        if places == ["landmarks"]:
            points = np.array(group["landmarks"].to_list(), np.float64).reshape(group.height, -1, 2)
            centres = points.mean(axis=1)
        else:
            x, y, w, h = (group[name].cast(float).to_numpy() for name in places)
            centres = np.stack([x + w / 2, y + h / 2], axis=1)
    except (ValueError, TypeError):
        raise TableError(f"{file.source} has landmarks or boxes of uneven length") from None
    return centres if np.isfinite(centres).all() else None


def _recognises(file: CodeFile) -> bool:
    return file.head.startswith(b"PAR1")


PROGRAM: Final = CodingProgram(
    "parquet", "a Parquet table of codes (the label table of aucli synth)", _recognises, read_parquet
)
