"""Purge: what is due goes, and its receipt, its announcement and the order to tidy up are written together."""

from collections.abc import Sequence

import structlog
from obstore.store import ObjectStore

from seedance_api.delivery import purge_queries
from seedance_api.delivery import queries as content
from seedance_api.delivery.purge import BATCH, emptied, empty
from seedance_api.foundation import jobs, kill_points
from seedance_api.foundation.db import Database
from seedance_api.generations.engine import Engine
from seedance_api.generations.queries import moves
from seedance_api.generations.queries.erase import delete_metadata
from seedance_api.traffic.metrics import PURGED
from seedance_api.webhooks.announce import announce

_log = structlog.get_logger()


async def purge_due(engine: Engine) -> int:
    """Delete all content whose time has come, however much it is; returns how many."""
    count = 0
    async for ids in emptied(engine.db, engine.storage.objects):
        await _clear(engine.db, ids)
        count += len(ids)
        PURGED.add(count=len(ids))
    if count:
        _log.info("purge.done", count=count)
    return count


async def purge(db: Database, store: ObjectStore, generation_id: str) -> None:
    """Delete a generation's content now. Doing it again changes nothing."""
    await empty(db, store, generation_id)
    await _clear(db, [generation_id])


async def warn_due(engine: Engine) -> int:
    """Tell the owners of content that nobody has fetched and that goes soon; returns how many."""
    count = 0
    while True:
        async with engine.db.transaction() as connection:
            ids = await content.take_warnings(connection, BATCH)
            await announce(connection, "video.expiring", ids)
        count += len(ids)
        if len(ids) < BATCH:
            return count


async def _clear(db: Database, ids: Sequence[str]) -> None:
    async with db.transaction() as connection:
        gone = await purge_queries.clear(connection, ids)
        await delete_metadata(connection, gone)
        cleared = [one.generation_id for one in gone]
        await announce(connection, "video.purged", cleared)
        await moves.notify(connection, cleared)
        await jobs.enqueue(connection, "tidy", cleared)
    kill_points.reach("purge.cleared")
