"""Enqueue: the jobs that follow from a step, in its transaction."""

import time

from seedance_api.foundation import jobs
from seedance_api.foundation.db import Connection

_DISPATCH_TICK = 0.1

_WATCH_TICK = 0.5


async def dispatch_soon(connection: Connection, provider: str) -> None:
    """A slot is free: let the queue move."""
    await _in_a_tick(connection, "dispatch", provider, _DISPATCH_TICK)


async def watch_soon(connection: Connection, provider: str, seconds: float = 0.0) -> None:
    """Have a lap of `watch`, in so many seconds or a little later."""
    await _in_a_tick(connection, "watch", provider, _WATCH_TICK, seconds)


async def _in_a_tick(connection: Connection, job: str, provider: str, tick: float, seconds: float = 0.0) -> None:
    """Enqueue a job for the end of a tick of the clock. All that ask in one tick share it, so a rush costs no more."""
    now = time.time()
    number = int((now + seconds) / tick) + 1
    await jobs.enqueue(
        connection,
        job,
        [provider],
        after_seconds=number * tick - now,
        keys=[f"{job} {provider} {number}"],
        group=provider,
    )


async def advance_later(
    connection: Connection, generation_id: str, version: int, seconds: float, provider: str, job: str = "advance"
) -> None:
    """Enqueue the next step, once for this version of the row."""
    await jobs.enqueue(
        connection,
        job,
        [generation_id],
        after_seconds=seconds,
        keys=[advance_key(generation_id, version)],
        group=provider,
    )


def advance_key(generation_id: str, version: int) -> str:
    """What keeps a version of a row from having its next step enqueued twice."""
    return f"advance {generation_id} {version + 1}"
