"""The command line: mounts the commands and turns errors into one line and an exit status.

Everything heavy is imported inside the commands, so that ``--help`` is instant.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from aucli import __version__
from aucli.commands.annotate import annotate
from aucli.commands.doctor import doctor
from aucli.commands.evaluate import evaluate
from aucli.commands.models import models_app
from aucli.commands.options import BAD_USAGE, FAILED, INTERRUPTED
from aucli.commands.prepare import prepare
from aucli.commands.synth import synth
from aucli.commands.train import train
from aucli.errors import AucliError, OptionsError


class _OneLineErrors(TyperGroup):
    """Turns what a user can mend into one line and an exit status; our own bugs keep their traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except AucliError as error:
            typer.secho(f"error: {error}", err=True, fg="red")
            raise typer.Exit(BAD_USAGE if isinstance(error, OptionsError) else FAILED) from None
        except KeyboardInterrupt:
            typer.secho("interrupted; what is finished is kept: run the same command again to go on", err=True)
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=_OneLineErrors,
    name="aucli",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Annotate videos with facial action units, frame by frame.",
)


def main() -> None:
    """Run the command line."""
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
app.add_typer(models_app, name="models")
app.command()(doctor)
app.command()(synth)
app.command()(prepare)
app.command()(train)
app.command()(evaluate)
