"""The operator's commands. `--json` prints one JSON object; exit codes: 0 done, 1 refused, 2 wrong usage, 130 Ctrl-C.

A command is imported when it is called: what makes and serves videos takes more than a second, and most do without it.
"""

from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from seedance_api.cli.usage import in_words

COMMANDS = {
    "serve": ("serve",),
    "worker": ("work",),
    "init": ("init",),
    "migrate": ("migrate",),
    "roles": ("roles",),
    "collect": ("collect",),
    "account": ("accounts", "balance", "rate", "regions", "retention", "objections"),
    "key": ("keys",),
    "requests": ("requests",),
    "slo": ("slo",),
    "analytics": ("analytics",),
    "asset": ("assets",),
    "prices": ("prices",),
    "upstream": ("upstreams",),
    "doctor": ("doctor",),
    "recover": ("recover",),
}
"""The modules of each; the first has it under the name `command`."""


class Commands(TyperGroup):
    """Finds a command by its name."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every name, in the order in which they are shown."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, or None where there is no such one."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command = load(cmd_name)
        command.rich_markup_mode = cli.rich_markup_mode
        built = typer.main.get_command(command)
        built.name = cmd_name
        return built

    def invoke(self, ctx: Any) -> Any:
        """Run it; what the machine, the database or the object store refuses ends it with a message."""
        try:
            with import_module(f"{__name__}.answer").refusals():
                return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = in_words(error)
            raise


cli = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,  # in which `[default: …]` is taken for a style, and lost
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def show_version(wanted: bool) -> None:
    """Print the release, and nothing else."""
    if wanted:
        typer.echo(f"seedance-api {version('seedanceapi')}")
        raise typer.Exit


@cli.callback()
def about(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Seedance API: a video-generation service that you host."""


def load(name: str) -> typer.Typer:
    """A command or a group of them."""
    first, *_ = [import_module(f"{__name__}.{module}") for module in COMMANDS[name]]
    return first.command


def main() -> None:
    """The entry point."""
    cli(prog_name="seedance-api")
