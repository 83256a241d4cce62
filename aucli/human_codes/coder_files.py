"""All files of one coder: a file for many films, a file a film, or folders of these, read as one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from aucli.errors import AucliError, NothingCodedError, SubjectNotCodedError, TableError
from aucli.human_codes.file import CodeFile, FilmRate
from aucli.human_codes.reading import read_codes, recognise
from aucli.human_codes.values import CodedIntervals, CodeOptions, Codes

SUFFIXES: Final = (".eaf", ".boris", ".opf", ".csv", ".tsv", ".txt", ".parquet")
"""Of files in folders. ELAN's preferences (.pfsx) and backups (.eaf.001) end otherwise."""
_LISTED: Final = 8


def read_coder(
    paths: Sequence[str | Path],
    options: CodeOptions | None = None,
    *,
    film_rate: FilmRate | None = None,
    but: Sequence[Path] = (),
) -> tuple[list[Codes], tuple[str, ...]]:
    """Read the files of one coder.

    Files of intervals do not name what never occurred; what occurs in one of them counts as looked for in all, as it
    does in a file that holds all films. So a file without a single code says that nothing occurred.

    Args:
        paths: files, or folders of files: in these, what is no file of codes is passed over.
        options: how to read them.
        film_rate: see `read_codes`.
        but: files in folders that are no codes: the tables that are compared with them.

    Returns:
        What was coded, in the order of the files, and notes: what was passed over and what is taken for granted.

    Raises:
        TableError: if a file that was named cannot be read, or nothing in any file is an action unit.
        OptionsError: as of `read_codes`.
    """
    options = options or CodeOptions()
    found: dict[Path, list[Codes]] = {}
    empty: dict[Path, NothingCodedError] = {}
    no_codes: list[str] = []
    no_subject: dict[Path, SubjectNotCodedError] = {}
    files = code_files(paths, but=but)
    first_error: AucliError | None = None
    for file, is_named in files.items():
        try:
            if not is_named and options.format == "auto":
                recognise(CodeFile(file, film_rate))
            found[file] = read_codes(file, options, film_rate=film_rate)
        except NothingCodedError as error:
            found[file], empty[file] = [], error
            first_error = first_error or error
        except SubjectNotCodedError as error:
            no_subject[file] = error
            first_error = first_error or error
        except TableError as error:
            if is_named:
                raise
            no_codes.append(str(error))
            first_error = first_error or error
    looked_for = {
        au for codes in found.values() for one in codes if isinstance(one, CodedIntervals) for au in one.coded_aus
    }
    if not any(found.values()) and first_error is not None and not looked_for:
        raise first_error
    of_all = replace(options, coded_aus=tuple(sorted(looked_for | set(options.coded_aus))))
    for file in empty if looked_for else ():
        found[file] = read_codes(file, of_all, film_rate=film_rate)
    differ = any(
        isinstance(one, CodedIntervals) and set(one.coded_aus) != looked_for
        for codes in found.values()
        for one in codes
    )
    codes = [
        replace(one, coded_aus=of_all.coded_aus) if isinstance(one, CodedIntervals) else one
        for its in found.values()
        for one in its
    ]
    notes = [f"passed over: {text}" for text in no_codes[:_LISTED]]
    if len(no_codes) > _LISTED:
        notes.append(f"passed over: {len(no_codes) - _LISTED} more files")
    if no_subject:
        notes.append(
            f"{len(no_subject)} of {len(files)} files have no subject {options.subject!r}: {_listed(no_subject)}"
        )
    if differ or (empty and looked_for):
        aus = ", ".join(map(str, of_all.coded_aus))
        notes.append(f"what occurs in one of the {len(found)} files counts as looked for in all: AU {aus}")
    if empty and looked_for:
        notes.append(f"files without a code, where nothing occurred: {_listed(empty)}")
    return codes, tuple(notes)


def code_files(paths: Sequence[str | Path], *, but: Sequence[Path] = ()) -> dict[Path, bool]:
    """The files that some paths stand for, and whether each was named itself.

    Raises:
        TableError: if a folder holds none.
    """
    others = {os.path.realpath(path) for path in but}
    files: dict[Path, bool] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            files[path] = True
            continue
        inside = [
            file
            for file in sorted(path.rglob("*"))
            if file.suffix.lower() in SUFFIXES
            and file.is_file()
            and not any(re.match(r"\.|.*\.partial$", part) for part in file.relative_to(path).parts)
            and os.path.realpath(file) not in others
        ]
        if not inside:
            raise TableError(f"{path} holds no file of codes ({', '.join(SUFFIXES)})")
        for file in inside:
            files.setdefault(file, False)
    return files


def _listed(files: Iterable[Path]) -> str:
    names = [file.name for file in files]
    return ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
