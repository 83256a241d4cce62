"""The command line: mounts the commands, and turns errors into one line and an exit status.

Everything heavy is imported inside the commands, so that ``--help`` is instant.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from aucli import __version__
from aucli.commands.annotate import annotate
from aucli.commands.doctor import doctor
from aucli.commands.episodes import episodes
from aucli.commands.evaluate import evaluate
from aucli.commands.export import export
from aucli.commands.models import models_app
from aucli.commands.options import BAD_USAGE, FAILED, INTERRUPTED
from aucli.commands.output import print_error, print_json
from aucli.commands.overlay import overlay
from aucli.commands.prepare import prepare
from aucli.commands.report import report
from aucli.commands.summary import summary
from aucli.commands.synth import synth
from aucli.commands.train import train
from aucli.errors import AucliError, OptionsError, printable

# Typer carries its own Click, and of that only this class is public; its parent is that of all mistakes in the words.
UsageError: Any = typer.BadParameter.__mro__[1]


class _Interrupted(Exception):  # noqa: N818
    """Ctrl-C, taken to where statuses are given: Typer would end without a word."""


def _let_go_of_standard_output() -> None:
    """Without it Python tries once more when it ends, and adds a traceback."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _OneLineErrors(TyperGroup):
    """Ends every command with 0, or with one line and a status: 2 for wrong usage, 1 for failures, 130 when stopped.

    With ``--json`` the line is also an object on standard output. Our own bugs keep their traceback.
    """

    def main(self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **named: Any) -> Any:  # type: ignore[override]
        arguments = sys.argv[1:] if args is None else list(args)
        try:
            if "" in arguments:  # as a path it would be the current folder
                raise OptionsError(
                    "an argument is empty, perhaps a shell variable that is not set; leave it out or fill it"
                )
            status = super().main(arguments, standalone_mode=False, **named)
        except UsageError as error:
            status = self._usage(arguments, error)
        except OptionsError as error:
            status = self._end(arguments, error, BAD_USAGE)
        except AucliError as error:
            status = self._end(arguments, error, FAILED)
        except typer.Abort as error:
            status = self._end(arguments, error, FAILED, "aborted")
        except _Interrupted as error:
            message = "interrupted; what is finished is kept: run the same command again to go on"
            status = self._end(arguments, error, INTERRUPTED, message)
        except OSError as error:  # a full disk, a folder that may not be written
            if error.errno is None:
                raise
            where = f"{error.filename}: " if error.filename else ""
            status = self._end(arguments, error, FAILED, f"{where}{error.strerror}")
        if standalone_mode:
            sys.exit(status if isinstance(status, int) else 0)
        return status

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _Interrupted from None

    def _usage(self, arguments: list[str], error: Any) -> int:
        message, command = error.format_message(), " ".join(["aucli", *self._words(arguments)])
        if not message:  # a group without a command: its help says which there are
            typer.echo(error.ctx.get_help(), err=True)
            message = f"{command} needs a command"
        message = " ".join(message.replace("Value error, ", "").split()).rstrip(".")  # the type checker's own words
        return self._end(arguments, error, BAD_USAGE, f"{message}; {command} -h lists what there is")

    def _end(self, arguments: list[str], error: BaseException, status: int, message: str | None = None) -> int:
        told = str(error) if message is None else message
        if "--json" in arguments:
            kind = "UsageError" if status == BAD_USAGE else type(error).__name__.lstrip("_")
            about = {"kind": kind, "message": printable(told)}
            try:
                print_json(" ".join(self._words(arguments)), exit_status=status, error=about)
            except OSError:  # standard output takes no more: that may be the very error
                _let_go_of_standard_output()
        print_error(told)
        return status

    def _words(self, arguments: list[str]) -> list[str]:
        """The command among the arguments: ``["models", "list"]``."""
        words: list[str] = []
        commands: Any = self.commands
        for argument in arguments:
            if argument in commands:
                words.append(argument)
                commands = getattr(commands[argument], "commands", {})
        return words


app = typer.Typer(
    cls=_OneLineErrors,
    name="aucli",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Annotate videos with facial action units, frame by frame.",
)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # a name may hold what this terminal's encoding does not
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    app()


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"aucli {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


app.command()(annotate)
app.command()(overlay)
app.command()(report)
app.add_typer(models_app, name="models")
app.command()(episodes)
app.command()(summary)
app.command()(doctor)
app.command()(synth)
app.command()(prepare)
app.command()(train)
app.command()(evaluate)
app.command()(export)
