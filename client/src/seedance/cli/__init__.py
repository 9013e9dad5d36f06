"""The `seedance` command."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from seedance.cli.balance import balance
from seedance.cli.delivery import delivered, link, receipt
from seedance.cli.download import download
from seedance.cli.events import events
from seedance.cli.generate import generate
from seedance.cli.login import login
from seedance.cli.models import models
from seedance.cli.quote import quote
from seedance.cli.statement import statement
from seedance.cli.usage import usage
from seedance.cli.verify import verify
from seedance.cli.videos import cancel, delete, list_, status
from seedance.cli.webhooks import webhooks

# Locals in tracebacks could show what must not be shown; errors that are expected are printed as such.
app = typer.Typer(
    help="Make videos with a Seedance API service.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(generate)
app.command()(quote)
app.command()(status)
app.command("list")(list_)
app.command()(download)
app.command()(link)
app.command()(delivered)
app.command()(receipt)
app.command()(cancel)
app.command()(delete)
app.command()(verify)
app.command()(models)
app.command()(balance)
app.command()(usage)
app.command()(statement)
app.add_typer(webhooks, name="webhooks")
app.command()(events)
app.command()(login)


def show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"seedance {version('seedanceapi-client')}")
        raise typer.Exit


@app.callback()
def seedance(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Make videos with a Seedance API service."""


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character is no reason to fail after the video was made.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
    app(prog_name="seedance")
