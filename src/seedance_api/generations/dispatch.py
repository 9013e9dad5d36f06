"""Dispatch: give a provider's free slots to the queue, fairly among accounts."""

from seedance_api.foundation import jobs, kill
from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import new_id
from seedance_api.generations import queries


async def dispatch(provider: str, *, slots: int, db: Database) -> int:
    """Move queued generations to `submitting`, each with a planned attempt and a job; returns how many moved."""
    async with db.transaction() as connection:
        await queries.lock_dispatch(connection, provider)
        ids = await queries.to_submitting(connection, await queries.next_in_queue(connection, provider, slots))
        if ids:
            await queries.plan_attempts(connection, [new_id("att") for _ in ids], ids)
            await queries.announce(connection, ids)
            await jobs.enqueue(connection, "advance", ids)
            kill.reach("dispatch.planned")
    kill.reach("dispatch.committed")
    return len(ids)
