"""`seedance-api serve`."""

import asyncio
from functools import partial
from typing import Annotated

import structlog
import typer

from seedance_api.app.answer import api, listening_url
from seedance_api.app.export import api_ports, worker_ports
from seedance_api.app.install import join
from seedance_api.app.limits import BY_PROCESS, limit_store, why_uncounted
from seedance_api.cli.answer import AsJson, DataDir, fail
from seedance_api.cli.check import check_labels, check_marks, check_upstreams
from seedance_api.cli.database import check_supervision
from seedance_api.cli.init import in_fork, made
from seedance_api.cli.run import configured
from seedance_api.foundation.bind import AddressError, listening_address
from seedance_api.foundation.postgres import Embedded
from seedance_api.foundation.process import allow_open_files, apart, end_process
from seedance_api.serve import serve as run
from seedance_api.settings import Settings

_MAX_PORT = 65_535
_REDIS_SECONDS = 5.0
"""The store's own bounds are shorter; a look-up of its name may hang for longer."""
_log = structlog.get_logger()
command = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@command.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [default: 127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one [default: 8000].")] = None,
    workers: Annotated[int | None, typer.Option(help="API processes [default: 1].")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Run the API and a worker. Where there is no installation yet, one is made."""
    allow_open_files()
    given = configured(data_dir, host=host, port=port, workers=workers)
    check_labels(given)
    check_upstreams(given)
    check_ports(given)
    embedded: list[Embedded] = []
    with made(given, use=embedded.append) as settings:
        in_fork(join(settings, makes=True))
        check_marks(settings)
        if settings.public_url is None and settings.host in ("0.0.0.0", "::"):  # noqa: S104 it is compared
            # nothing tells by which of its addresses customers know the machine
            _log.warning("serve.no_public_url", url=listening_url(settings.host, settings.port))
        check_limits(settings)
        run(
            f"{api.__module__}:{api.__name__}",  # imported here, once: the API processes are forks
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            connections=settings.connections,
            drain_notice_seconds=settings.drain_notice_seconds,
            drain_seconds=settings.drain_seconds,
            live_sandbox=settings.live_sandbox,
            as_json=as_json,
            supervisions=[partial(server.supervise, end_process) for server in embedded],
        )
    check_supervision(embedded)


def check_limits(settings: Settings) -> None:
    """Say how rate limits are counted where that is not exact. A Redis that is away ends nothing: it may come back."""
    if settings.redis_url is not None:
        store = limit_store(settings)  # it says what is wrong, here as when it runs
        apart(lambda: int(asyncio.run(why_uncounted(store)) is not None), _REDIS_SECONDS)
    elif settings.workers > 1:
        _log.warning("serve.limits_by_process", reason=BY_PROCESS.format(workers=settings.workers))


def check_ports(settings: Settings) -> None:
    """End the command where nobody could be answered, before anything is made or started.

    Without its port for probes, the API processes would end again and again.
    """
    beside = {
        "SEEDANCE_HEALTH_PORT": [] if settings.health_port is None else [settings.health_port],
        "SEEDANCE_METRICS_PORT": [*worker_ports(settings), *api_ports(settings)],
    }
    taken = {settings.port: "SEEDANCE_PORT"} if settings.port else {}
    for name, ports in beside.items():
        for port in ports:
            if port > _MAX_PORT:
                fail(f"{name} leaves no port for each of the {settings.workers} API processes: choose a lower one", 2)
            if port in taken:
                fail(f"{name} needs port {port}, and so does {taken[port]}: give each a port of its own", 2)
            taken[port] = name
    try:
        listening_address(settings.host, settings.port)
    except AddressError as error:
        fail(f"{error}. {error.advice}", 1)
    for name, ports in beside.items():
        for port in ports:
            try:
                listening_address(settings.host, port)
            except AddressError as error:
                fail(f"{name}: {error}. Set it to a free port, or end what uses this one", 1)
