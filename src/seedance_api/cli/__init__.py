"""The operator's commands. `--json` prints one JSON object; exit codes: 0 done, 1 refused, 2 wrong usage."""

import asyncio
import os
from typing import Annotated

import typer
import uvloop

from seedance_api import app as root
from seedance_api import serve as server
from seedance_api.cli.accounts import accounts
from seedance_api.cli.doctor import doctor
from seedance_api.cli.keys import keys
from seedance_api.cli.prices import prices
from seedance_api.cli.regions import account_list, account_regions
from seedance_api.cli.retention import account_retention
from seedance_api.cli.run import AsJson, DataDir, fail, show, started
from seedance_api.cli.upstreams import upstreams
from seedance_api.foundation.migrations import migrate as run_migrations
from seedance_api.foundation.process import allow_open_files, die_with_parent
from seedance_api.settings import Settings

cli = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
accounts.command("list")(account_list)
accounts.command("regions")(account_regions)
accounts.command("retention")(account_retention)
cli.add_typer(accounts, name="account")
cli.add_typer(keys, name="key")
cli.add_typer(prices, name="prices")
cli.add_typer(upstreams, name="upstream")
cli.command()(doctor)


def main() -> None:
    """The entry point."""
    cli()


@cli.callback()
def about() -> None:
    """Seedance API: a video-generation service that you host."""


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [default: 127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one [default: 8000].")] = None,
    workers: Annotated[int | None, typer.Option(help="API processes [default: 1].")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Run the API and a worker."""
    allow_open_files()
    with started(data_dir, host=host, port=port, workers=workers) as settings:
        _check(settings)
        server.serve(
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            drain_seconds=settings.drain_seconds,
            live_sandbox=settings.live_sandbox,
            as_json=as_json,
        )


@cli.command()
def worker(data_dir: DataDir = None) -> None:
    """Run a worker alone, beside others that use the same database and object store."""
    parent = os.environ.pop("SEEDANCE_PARENT", None)
    if parent is not None:
        die_with_parent(int(parent))
    allow_open_files()
    with started(data_dir) as settings:
        _check(settings)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(root.work(settings))


def _check(settings: Settings) -> None:
    """Better told here than by each process of its own."""
    try:
        root.read_upstreams_of(settings)
        root.check_marking(settings)
    except ValueError as error:
        fail(str(error), 2)


@cli.command()
def migrate(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Bring the database's schema up to date."""
    with started(data_dir, migrates=False) as settings:
        applied = run_migrations(root.database_url(settings))
    show({"applied": applied}, as_json, f"Applied: {', '.join(applied) or 'nothing, it is up to date'}.")
