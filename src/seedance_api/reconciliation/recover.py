"""Recover: make a database that was restored from a backup safe to work from, before anything does.

Since the backup was taken, what waited then was handed to upstreams, and content was deleted. The restored rows know of
neither: sending again would be billed twice, and what was deleted must not come back.
"""

import asyncio

import msgspec
import structlog
from obstore.store import ObjectStore

from seedance_api.billing.books import Books
from seedance_api.delivery.repair_queries import videos_behind
from seedance_api.foundation import objects
from seedance_api.foundation.db import Database
from seedance_api.generations import steps
from seedance_api.generations.purge import purge
from seedance_api.generations.queries import queue
from seedance_api.generations.record import record
from seedance_api.generations.states import FAILURES, AttemptState

_MAX_BATCH = 500
"""Rows that are in memory at once."""
_CONCURRENCY = 16
_CODE = "service_restored"
_log = structlog.get_logger()


class Recovered(msgspec.Struct, frozen=True):
    """What was done, or with `dry_run` what would be: generations failed, and contents purged."""

    failed: int
    purged: int


async def recover(db: Database, store: ObjectStore, *, dry_run: bool = False) -> Recovered:
    """Fail what may have been sent since the backup, and purge the content whose files are gone.

    What was sent before the backup is looked for as ever. Again, it changes nothing.
    """
    failed = await _fail_unsent(db, dry_run=dry_run)
    purged = await _purge_gone(db, store, dry_run=dry_run)
    if not dry_run:
        _log.warning("recover.done", failed=failed, purged=purged)
    return Recovered(failed, purged)


async def _fail_unsent(db: Database, *, dry_run: bool) -> int:
    books, count, behind = Books(db), 0, ""
    while page := await queue.unsent_behind(db, behind, _MAX_BATCH):
        behind = page[-1].id
        for one in page:
            if dry_run:
                count += 1
                continue
            step = steps.Fail(_CODE, FAILURES[_CODE].meaning, one.attempt_id, AttemptState.REJECTED)
            async with db.transaction() as connection:
                count += await record(
                    connection, step, generation_id=one.id, version=one.version, provider=one.provider, books=books
                )
    return count


async def _purge_gone(db: Database, store: ObjectStore, *, dry_run: bool) -> int:
    count, behind, room = 0, "", asyncio.Semaphore(_CONCURRENCY)

    async def is_there(key: str) -> bool:
        async with room:
            return await objects.exists(store, key)

    while page := await videos_behind(db, behind, _MAX_BATCH):
        behind = page[-1][0]
        there = await asyncio.gather(*(is_there(key) for _, key in page))
        for (generation_id, _), found in zip(page, there, strict=True):
            if not found:
                count += 1
                if not dry_run:
                    await purge(db, store, generation_id)
    return count
