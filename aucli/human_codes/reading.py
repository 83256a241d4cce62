"""Reading a file of human codes, whichever program wrote it."""

from __future__ import annotations

from pathlib import Path

from aucli.errors import OptionsError, TableError
from aucli.human_codes import registry
from aucli.human_codes.file import CodeFile, CodingProgram, FilmRate
from aucli.human_codes.values import CodeOptions, Codes


def read_codes(
    path: str | Path, options: CodeOptions | None = None, *, film_rate: FilmRate | None = None
) -> list[Codes]:
    """Read a file of human codes, one value per video that it names (and per subject, in tables by frame).

    Args:
        path: the file.
        options: how to read it.
        film_rate: frames per second of a film, for timecodes; None if nobody knows.

    Raises:
        TableError: if the file cannot be read, its format is not recognised, or nothing in it is an action unit.
        OptionsError: if the format is unknown, or several coders, subjects or observations are in the file and none was
            chosen.
    """
    options = options or CodeOptions()
    program = find_program(options.format)
    file = CodeFile(Path(path), film_rate)
    return (program or recognise(file)).read(file, options)


def find_program(name: str) -> CodingProgram | None:
    """A program by its name; None for ``auto``.

    Raises:
        OptionsError: if it is unknown.
    """
    by_name = {program.name: program for program in registry.PROGRAMS}
    if name != "auto" and name not in by_name:
        raise OptionsError(f"`format` is {name!r}; allowed are auto, {', '.join(by_name)}")
    return by_name.get(name)


def recognise(file: CodeFile) -> CodingProgram:
    """Tell the program from the content.

    Raises:
        TableError: if it is none of the known ones.
    """
    found = next((program for program in registry.PROGRAMS if program.recognises(file)), None)
    if found is not None:
        return found
    if not file.text.strip():
        raise TableError(f"{file.source} is empty")
    known = "; ".join(program.writes for program in registry.PROGRAMS)
    raise TableError(f"{file.source} is none of: {known}; name it with `format`")
