"""`seedance-api worker`."""

import asyncio
import os

import typer
import uvloop

from seedance_api.app.work import work
from seedance_api.cli.check import check
from seedance_api.cli.run import DataDir, check_supervision, started
from seedance_api.foundation.postgres import Embedded
from seedance_api.foundation.process import allow_open_files, die_with_parent, end_process

command = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@command.command()
def worker(data_dir: DataDir = None) -> None:
    """Run a worker alone, beside others that use the same database and object store."""
    parent = os.environ.pop("SEEDANCE_PARENT", None)
    if parent is not None:
        die_with_parent(int(parent))
    allow_open_files()
    embedded: list[Embedded] = []
    with started(data_dir, use=embedded.append) as settings:
        check(settings)
        for one in embedded:
            one.supervise(end_process)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work(settings))
    check_supervision(embedded)
