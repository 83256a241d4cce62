"""OpenFace's own CSV, to compare with as if OpenFace were a coder.

Source: TadasBaltrusaitis/OpenFace wiki, "Output Format" (2.x): ``frame`` (from 1), ``face_id``, ``timestamp``
(seconds), ``confidence``, ``success``, landmarks ``x_0 .. x_67`` and ``y_0 .. y_67`` in px, ``AU12_r`` (intensity 0 to
5) and ``AU12_c`` (1 present, 0 absent); a blank stands before each name. Rows find their frame by ``timestamp``: the
number only counts what OpenCV decoded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from aucli.errors import TableError
from aucli.human_codes.file import CodeFile, CodingProgram
from aucli.human_codes.frames import Floats, cell_value, chosen_subjects, find_au_columns, label_rows
from aucli.human_codes.text import header_of, number, shown, table_rows, whole_number
from aucli.human_codes.values import CodedFrames, CodeOptions, Codes

_MARKS: Final = ("frame", "timestamp", "confidence", "success")


def read_openface(file: CodeFile, options: CodeOptions) -> list[Codes]:
    """Read OpenFace's table, one value per face; rows without success are missing.

    Raises:
        TableError: if a column is lacking or a cell is no number.
    """
    source = file.source
    rows = table_rows(file.text, source)
    header = next(rows)
    at = {cell: i for i, cell in enumerate(header)}
    lacking = [name for name in _MARKS if name not in at]
    if lacking:
        raise TableError(f"{source} has no column {lacking[0]}; is it OpenFace's?")
    columns = find_au_columns(header, {at[name] for name in (*_MARKS, "face_id") if name in at}, source, options)
    needed = columns.needed()
    points = [at[f"{axis}_{k}"] for axis in "xy" for k in range(68) if f"{axis}_{k}" in at]
    faces: dict[str, list[list[float]]] = {}
    for row in rows:
        found = whole_number(row[at["success"]], source, "success") == 1
        time_s = number(row[at["timestamp"]])
        if not np.isfinite(time_s):
            raise TableError(f"{source} has the timestamp {shown(row[at['timestamp']])!r}; expected seconds")
        codes = [cell_value(row[i], header[i], source, options) if found else np.nan for i in needed]
        xy = [number(row[i]) for i in points] if len(points) == 136 else [np.nan] * 2
        centre = [float(np.mean(xy[: len(xy) // 2])), float(np.mean(xy[len(xy) // 2 :]))]
        frame = whole_number(row[at["frame"]], source, "frame") - 1
        face = row[at["face_id"]] if "face_id" in at else ""
        faces.setdefault(face, []).append([float(frame), time_s, *centre, *codes])
    if not faces:
        raise TableError(f"{source} has a header and no rows")
    codes_of_faces = []
    for face, numbers in faces.items():
        table = np.array(numbers, np.float64)
        values: Mapping[int, Floats] = {i: table[:, 4 + k] for k, i in enumerate(needed)}
        aus, labels, grades, notes = label_rows(columns, values, source, options)
        codes_of_faces.append(
            CodedFrames(
                source=source,
                video=None,
                subject=face if len(faces) > 1 else None,
                coded_aus=aus,
                labels=labels,
                grades=grades,
                frame=table[:, 0].astype(np.int64) if (table[:, 0] >= 0).all() else None,
                time_s=table[:, 1] + options.shift_s,
                centre_xy=table[:, 2:4] if np.isfinite(table[:, 2:4]).all() else None,
                by_time=True,
                notes=notes,
            )
        )
    return chosen_subjects(codes_of_faces, source, options)


def _recognises(file: CodeFile) -> bool:
    return bool(file.first_lines) and set(_MARKS) <= set(header_of(file.first_lines[0]))


PROGRAM: Final = CodingProgram("openface", "a CSV of OpenFace", _recognises, read_openface, is_by_people=False)
