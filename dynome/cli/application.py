"""The application to which each module of this folder adds its commands."""

from __future__ import annotations

from typing import Annotated

import typer

from dynome._version import __version__

app = typer.Typer(
    name="dynome",
    help="Connectomes and neural dynamics on one labelled data layer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"dynome {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Connectomes and neural dynamics on one labelled data layer."""
