"""Export: the metrics of this process on a port of its own, for Prometheus.

Each process has one: the worker `SEEDANCE_METRICS_PORT`, the API processes one each of those behind it (decision 0033).
"""

import asyncio
import shutil
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from seedance_api.foundation.db import Database
from seedance_api.foundation.side_port import Reply, open_side_port
from seedance_api.settings import Settings
from seedance_api.traffic import metrics
from seedance_api.traffic.expose import MEDIA_TYPE, exposition

_LAG_STEP = 0.25
_DATABASE_SECONDS = 2.0
_AGAIN_SECONDS = 1.0
_log = structlog.get_logger()


def worker_ports(settings: Settings) -> Sequence[int]:
    """The port of a worker, if there are any."""
    return [] if settings.metrics_port is None else [settings.metrics_port]


def api_ports(settings: Settings) -> Sequence[int]:
    """The ports of which each API process takes one, if there are any."""
    first = settings.metrics_port
    return [] if first is None else range(first + 1, first + 1 + settings.workers)


@asynccontextmanager
async def exported(
    ports: Sequence[int], db: Database, settings: Settings, *look: Callable[[], Awaitable[None]]
) -> AsyncGenerator[None, None]:
    """Export on the first of these ports that is free; without any, nothing is. `look` is done before each answer."""
    if not ports:
        yield
        return

    async def answer(_method: str, path: str) -> Reply:
        if path != "/metrics":
            return Reply(404)
        await asyncio.gather(_look(db, settings.data_dir), *(one() for one in look))
        return Reply(200, await asyncio.to_thread(exposition), MEDIA_TYPE)

    async def serve() -> None:
        server = await _first_free(answer, settings.host, ports)
        async with server:
            await server.serve_forever()

    tasks = [asyncio.create_task(serve()), asyncio.create_task(_measure_lag())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _first_free(
    answer: Callable[[str, str], Awaitable[Reply]], host: str, ports: Sequence[int]
) -> asyncio.Server:
    """Open one. A process that is started anew may have to wait until the one before it has let its port go."""
    told = False
    while True:
        for port in ports:
            try:
                return await open_side_port(answer, host, port, shared=False)
            except OSError:
                continue
        if not told:
            _log.warning("metrics.no_port", port=ports[0])
            told = True
        await asyncio.sleep(_AGAIN_SECONDS)


async def _look(db: Database, folder: Path) -> None:
    """What is so in this very moment."""
    pool = db.pool
    idle, size = pool.get_idle_size(), pool.get_size()
    metrics.DATABASE_CONNECTIONS.replace({("used",): float(size - idle), ("idle",): float(idle)})
    metrics.DATABASE_CONNECTIONS_MAX.set(float(pool.get_max_size()))
    metrics.DATABASE_UP.set(float(await db.answers(_DATABASE_SECONDS)))
    try:
        disk = await asyncio.to_thread(shutil.disk_usage, folder)
    except OSError:
        return
    metrics.DISK_FREE_BYTES.set(float(disk.free))
    metrics.DISK_SIZE_BYTES.set(float(disk.total))


async def _measure_lag() -> None:
    while True:
        asleep = time.perf_counter()
        await asyncio.sleep(_LAG_STEP)
        metrics.EVENT_LOOP_LAG_SECONDS.observe(time.perf_counter() - asleep - _LAG_STEP)
