"""`seedance-api worker`."""

import asyncio
import os

import typer
import uvloop

from seedance_api.app.work import work
from seedance_api.cli.answer import DataDir, fail
from seedance_api.cli.check import check_labels, check_marks, check_upstreams
from seedance_api.cli.database import check_supervision
from seedance_api.cli.init import joins
from seedance_api.cli.run import opened
from seedance_api.foundation.installation import InstallationError
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
    with opened(data_dir, migrates=True, use=embedded.append) as settings:
        if parent is None:  # `serve` has joined for its own
            check_labels(settings)
            check_upstreams(settings)
            joins(settings)
            check_marks(settings)
        for server in embedded:
            server.supervise(end_process)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(work(settings))
        except InstallationError as error:
            fail(str(error), 1)
    check_supervision(embedded)
