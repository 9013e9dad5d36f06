"""Sweep: what no job covers gets one. Jobs are nudges and may be lost; rows are not."""

from collections.abc import Sequence

import structlog

from seedance_api.foundation import jobs
from seedance_api.generations import steps
from seedance_api.generations.engine import Engine
from seedance_api.generations.enqueue import dispatch_soon, watch_soon
from seedance_api.generations.queries import queue
from seedance_api.generations.record import record
from seedance_api.generations.rows import Step
from seedance_api.generations.states import FAILURES, State

_MAX_BATCH = 500
_log = structlog.get_logger()


async def sweep(engine: Engine) -> None:
    """Enqueue a job for each due step, each provider with a queue and each with something running."""
    async with engine.db.transaction() as connection:
        steps = await queue.uncovered_steps(connection, _MAX_BATCH)
        for (job, group), due in _alike(steps).items():
            keys = [f"advance {one.id} {one.version}" for one in due]
            await jobs.enqueue(connection, job, [one.id for one in due], keys=keys, group=group)
        for provider in await queue.providers_with_queue(connection):
            await dispatch_soon(connection, provider)
        for provider in await queue.providers_at_work(connection):
            await watch_soon(connection, provider)
        await jobs.release_unserved(connection, engine.providers)
    await _fail_overdue(engine)
    if steps:
        _log.info("sweep.found", count=len(steps))


def _alike(steps: Sequence[Step]) -> dict[tuple[str, str], list[Step]]:
    """By the kind of job and the provider."""
    found: dict[tuple[str, str], list[Step]] = {}
    for one in steps:
        job = "store" if one.state is State.STORING else "advance"
        found.setdefault((job, one.provider), []).append(one)
    return found


async def _fail_overdue(engine: Engine) -> None:
    # only queued ones: of the others the provider is asked first. Each by itself: together they would lock wallets
    # in another order than creates do
    for one in await queue.overdue_in_queue(engine.db, _MAX_BATCH):
        step = steps.Fail("deadline_exceeded", FAILURES["deadline_exceeded"].meaning)
        async with engine.db.transaction() as connection:
            await record(
                connection, step, generation_id=one.id, version=one.version, provider=one.provider, books=engine.books
            )
