"""Who is in which video: a CSV of participants, conditions and the like, joined to a table by the video's name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aucli.errors import OptionsError, TableError
from aucli.human_codes.film_names import FilmNames, several
from aucli.human_codes.text import decode, delimiter_of, shown
from aucli.runtime.files import why_not_a_file
from aucli.runtime.parquet import first_line

if TYPE_CHECKING:
    import polars

NAMES_LISTED: Final = 5


def read_people(path: Path) -> polars.DataFrame:
    """Read a CSV with the column ``video`` and, where a video shows several people, ``face``; all others are text.

    Commas, semicolons and tabs are told apart by the first line, UTF-8, UTF-16 and Windows-1252 by the bytes.

    Raises:
        TableError: if it cannot be read or has no column ``video``.
    """
    import polars as pl

    wanted = "name a CSV with the columns video and those to sum up by"
    if problem := why_not_a_file(path):
        raise TableError(f"{path} {problem}; {wanted}")
    try:
        text = decode(path.read_bytes(), path)
        separator = delimiter_of(text.partition("\n")[0])
        people = pl.read_csv(text.encode(), separator=separator, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise TableError(f"{path} cannot be read as CSV: {first_line(error)}") from error
    people = _with_plain_columns(people)
    if "video" not in people.columns:
        raise TableError(f"{path} has no column video, but {shown(', '.join(people.columns))}; {wanted}")
    if "face" in people.columns:
        faces = people["face"].str.strip_chars().cast(pl.Int32, strict=False)
        if faces.null_count():
            raise TableError(f"{path} has a row whose face is no number; leave the column out where all faces count")
        people = people.with_columns(faces)
    return people


def _with_plain_columns(people: polars.DataFrame) -> polars.DataFrame:
    """Headers without blanks around them; ``video`` and ``face`` in any capitals, where they are not there as such."""
    plain = {name: name.strip() for name in people.columns}
    for wanted in ("video", "face"):
        spelt = [name for name, stripped in plain.items() if stripped.casefold() == wanted]
        if len(spelt) == 1:
            plain[spelt[0]] = wanted
    return people.rename(plain) if len(set(plain.values())) == len(plain) else people


def people_given(people: polars.DataFrame | str | os.PathLike[str] | None) -> polars.DataFrame | None:
    """A frame of people, also where it was given by a CSV's path.

    Raises:
        OptionsError: if it is something else.
        TableError: if the CSV cannot be read, or there is no column ``video``.
    """
    import polars as pl

    if isinstance(people, str | os.PathLike):
        return read_people(Path(people))
    if people is None:
        return None
    if isinstance(people, pl.DataFrame):
        people = _with_plain_columns(people)
        if "video" not in people.columns:
            raise TableError(f"`people` has no column video; it has {', '.join(people.columns)}")
        return people
    raise OptionsError(f"`people` is a {type(people).__name__}; allowed are a polars DataFrame and the path of a CSV")


def join_people(
    seen: polars.DataFrame, people: polars.DataFrame, by: Sequence[str], videos: Sequence[str]
) -> tuple[polars.DataFrame, list[str]]:
    """Put the columns `by` of a CSV beside the faces of a table; `film_names` says which video a name belongs to.

    Args:
        seen: columns ``video`` and ``face``, a row for each.
        people: of `people_given`.
        by: columns of it.
        videos: names of all videos, also of those without a face: what is called so is none of the others.

    Returns:
        `seen` with the columns `by` as text without blanks around it, null where the CSV says nothing; and notes on
        names that did not match.

    Raises:
        OptionsError: if a column is not there.
        TableError: if a name fits several videos, or a video or face has two rows.
    """
    import polars as pl

    for column in by:
        if column not in people.columns or column in ("video", "face"):
            there = [name for name in people.columns if name not in ("video", "face")]
            raise OptionsError(f"`by` is {column}, which `people` has not; it has {', '.join(there) or 'no column'}")
    known = FilmNames(tuple(dict.fromkeys(videos)))
    names = people["video"].cast(pl.String).str.strip_chars().to_list()
    fitting = {name: _video_of(name, known) for name in dict.fromkeys(names) if name}
    has_faces = "face" in people.columns
    faces = people["face"].to_list() if has_faces else [None] * len(people)
    cells = people.select(_text(column) for column in by)
    values: dict[tuple[str, int | None], tuple[str | None, ...]] = {}
    called: dict[tuple[str, int | None], str] = {}
    for name, face, row in zip(names, faces, cells.iter_rows(), strict=True):
        video = fitting.get(name)
        if video is None:
            continue
        if (video, face) in values:
            other = called[video, face]
            spelt = f" ({other} and {name})" if other != name else ""
            of_face = f", face {face}" if has_faces else ""
            raise TableError(f"`people` has two rows for {video}{of_face}{spelt}; give each once")
        values[video, face], called[video, face] = row, name
    keys = [(video, face if has_faces else None) for video, face in seen.select("video", "face").iter_rows()]
    nothing = (None,) * len(by)
    joined = pl.DataFrame([values.get(key, nothing) for key in keys], dict.fromkeys(by, pl.String), orient="row")
    without = list(dict.fromkeys(video for video, face in keys if (video, face) not in values))
    unused = [name for name, video in fitting.items() if video is None]
    with_faces = {video for video, _ in keys}
    faceless = [f"{called[key]} face {key[1]}" for key in values if key not in set(keys) and key[0] in with_faces]
    notes = [
        *listed("rows of `people` whose face is not in the table", faceless if has_faces else []),
        *listed("videos of the table without a row in `people` for each face", without),
        *listed("videos of `people` that are not in the table", unused),
    ]
    return seen.hstack(joined), notes


def _text(column: str) -> polars.Expr:
    """A column as text without blanks around it; null where nothing else is there."""
    import polars as pl

    text = pl.col(column).cast(pl.String).str.strip_chars()
    return pl.when(text != "").then(text)


def listed(what: str, names: Sequence[str]) -> list[str]:
    """``["videos without a face (2): a.mp4, b.mp4"]``; nothing if there is none."""
    if not names:
        return []
    return [f"{what} ({len(names)}): {', '.join(names[:NAMES_LISTED])}{' ...' if len(names) > NAMES_LISTED else ''}"]


def _video_of(name: str, videos: FilmNames) -> str | None:
    fits = videos.fitting(name)
    if len(fits) > 1:
        raise TableError(f"`people` names {name}, which fits {several(fits)}; write one of these")
    return fits[0] if fits else None
