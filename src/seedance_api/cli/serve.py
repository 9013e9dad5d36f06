"""`seedance-api serve`."""

from functools import partial
from typing import Annotated

import typer

from seedance_api.app.answer import api
from seedance_api.cli.check import check
from seedance_api.cli.run import AsJson, DataDir, check_supervision, started
from seedance_api.foundation.postgres import Embedded
from seedance_api.foundation.process import allow_open_files, end_process
from seedance_api.serve import serve as run

command = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@command.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [default: 127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one [default: 8000].")] = None,
    workers: Annotated[int | None, typer.Option(help="API processes [default: 1].")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Run the API and a worker."""
    allow_open_files()
    embedded: list[Embedded] = []
    with started(data_dir, host=host, port=port, workers=workers, use=embedded.append) as settings:
        check(settings)
        run(
            f"{api.__module__}:{api.__name__}",  # imported here, once: the API processes are forks
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            drain_seconds=settings.drain_seconds,
            live_sandbox=settings.live_sandbox,
            as_json=as_json,
            supervisions=[partial(one.supervise, end_process) for one in embedded],
        )
    check_supervision(embedded)
