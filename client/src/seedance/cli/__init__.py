"""The `seedance` command."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

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
class Commands(TyperGroup):
    """Says plainly what is wrong with a number."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = number_in_words(error) or error.message
            raise


def number_in_words(error: typer.BadParameter) -> str | None:
    """What is wrong with a number, and an example; None if it is none that is wrong. Typer repeats its parser."""
    found: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    kind, given = (found[0]["type"], found[0]["input"]) if found else ("", None)
    match kind:
        case "int_parsing" | "int_from_float" | "int_type" | "int_parsing_size":
            named = getattr(error.param, "opts", [])
            of = " of seconds" if getattr(error.param, "metavar", None) == "SECONDS" else ""
            return f"{given!r} is not a whole number{of}, such as {3600 if of and '--duration' not in named else 5}"
        case "greater_than_equal":
            return f"{given} is too small; the least is {found[0]['ctx']['ge']:g}"
        case _:
            return None


app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,  # in which `[default: …]` is taken for a style, and lost
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
