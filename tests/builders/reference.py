"""docs/commands.md, written from the command line itself: ``python -m tests.builders.reference > docs/commands.md``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin, get_type_hints

from typer.main import get_command

from aucli.cli import app
from aucli.datasets.readers.registry import READERS, listed

HEAD = """# Commands

Every command and option. `-h` behind a command prints the same on a terminal.

- Exit status: 0 if everything asked for was done; 2 for wrong usage, where the command must be written otherwise; 1 for
  failures, where the command is right and a file or the machine fails; 130 after Ctrl-C.
  - 2: an option or a name that there is not; a value that is not allowed, or that the table or file in question has not
    (`--face 7`, `--aus 99`); options that contradict each other; an output that cannot be (a device, a folder where a
    file is wanted), is taken, or holds a table made with other options. Nothing was done, and nothing was touched.
  - 1: a file that is missing, damaged or of another kind; a package or a pack that is not installed; a place where this
    machine lets nothing be written; a full disk.
  - What one of several videos lacks is a failure of that video: a file that is no video, has no `--stream 3`, or no
    frame between `--start` and `--end` ends with one line, the others are done, and the status is 1.
- Results go to standard output, all else to standard error. Without a terminal a run prints a line now and then instead
  of a bar; colours keep to terminals, and `NO_COLOR` turns them off. `--quiet` leaves errors only.
- A time (TIME) is seconds (`0.2` or `0.2s`), milliseconds (`200ms`), or a clock time (`1:30`).
- `--json` prints one JSON object on standard output, also for errors. In each stand `schema` (1; raised when a name
  goes or changes its meaning), `command` and `exit_status`; for errors also `error` with `kind` and `message`.
- `aucli --version` prints the version. `aucli --install-completion` lets the shell complete commands, options, models,
  detectors and data sets.
"""


@functools.cache
def commands() -> tuple[tuple[str, Any], ...]:
    """Every command with its words: ``("models list", command)``."""

    def below(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield " ".join(words), command
        else:
            for name, one in inner.items():
                yield from below(one, (*words, name))

    return tuple(below(get_command(app), ()))


def reference() -> str:
    """The page."""
    parts = [HEAD]
    for words, command in commands():
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        usage = " ".join(f"{(p.metavar or p.name).upper()}{'...' if p.nargs == -1 else ''}" for p in arguments)
        parts.append(f"## `aucli {words}`\n\n{' '.join(command.help.split())}\n")
        rows = [f"| `{(p.metavar or p.name).upper()}` | | {_cell(p.help)} |" for p in arguments]
        rows += [_row(p, _choices(command, p.name)) for p in command.params if p not in arguments]
        about = f"`aucli {words} {usage}".rstrip() + "`"
        parts.append("\n".join([about, "", "| | default | |", "|---|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def _choices(command: Any, name: str) -> str:
    """``pictures|videos``, where the words are a Literal of the command's signature."""
    kind: Any = get_type_hints(inspect.unwrap(command.callback)).get(name)
    return "|".join(map(str, get_args(kind))) if get_origin(kind) is Literal else ""


def _row(option: Any, choices: str) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if value := option.metavar or choices:
        names += f" `{_cell(value)}`"
    if isinstance(option.show_default, str):
        default = option.show_default
    elif option.required:
        default = "required"
    elif option.default is None or option.is_flag or not option.show_default:
        default = ""
    else:
        default = f"`{option.default}`"
    return f"| {names} | {default} | {_cell(option.help)} |"


def _cell(text: str) -> str:
    # The page on data sets has their names, so that a new one changes nothing here.
    for names in (listed(*READERS), ", ".join(READERS)):
        text = text.replace(names, "the name of a [data set](datasets.md)")
    return text.replace("|", r"\|")


if __name__ == "__main__":
    print(reference(), end="")
