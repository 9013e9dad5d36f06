"""Purge: content is withdrawn, then its objects are deleted, then its rows; a crash between is taken up again."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import structlog
from obstore.store import ObjectStore

from seedance_api.delivery import purge_queries
from seedance_api.foundation import kill_points, objects
from seedance_api.foundation.barrier import pass_barrier
from seedance_api.foundation.db import Database

BATCH = 500
"""Contents that are dealt with at once: the bound of what a purge of any number has in memory."""
_AGAIN_SECONDS = 300.0
"""Before objects that could not be deleted are tried again."""
_log = structlog.get_logger()


async def emptied(db: Database, store: ObjectStore) -> AsyncIterator[list[str]]:
    """Withdraw what is due and delete its objects; yields the generations whose objects are gone, batch by batch.

    The rows are the caller's to clear before it asks for more. Objects that cannot be deleted now are left for the
    next time and keep nobody else's.
    """
    while await purge_queries.withdraw_due(db, BATCH) == BATCH:
        pass
    while batch := await purge_queries.withdrawn(db, BATCH):
        await pass_barrier(db)  # nobody is told of objects that are gone
        kill_points.reach("purge.withdrawn")
        gone = await _delete(db, store, batch)
        if left := [one for one in batch if one not in gone]:
            await purge_queries.clear_later(db, left, _AGAIN_SECONDS)
            _log.error("purge.put_off", count=len(left))
        if gone:
            kill_points.reach("purge.deleted")
            yield sorted(gone)


async def empty(db: Database, store: ObjectStore, generation_id: str) -> None:
    """Withdraw the content of one generation and delete its objects, due or not. Again, it changes nothing.

    What a killed worker left beside them goes as well.
    """
    await purge_queries.withdraw(db, generation_id)
    keys = set(await purge_queries.objects_of(db, [generation_id]))
    async for page in objects.keys_before(store, f"content/{generation_id}/", datetime.max.replace(tzinfo=UTC)):
        keys |= set(page)
    await objects.delete(store, sorted(keys))


async def _delete(db: Database, store: ObjectStore, ids: Sequence[str]) -> set[str]:
    """Those of these generations whose objects are all gone: together, or one by one where one makes trouble."""
    try:
        await objects.delete(store, await purge_queries.objects_of(db, ids))
    except Exception:  # noqa: BLE001 a store says in many ways that it cannot
        if len(ids) == 1:
            _log.warning("purge.failed", generation_id=ids[0], exc_info=True)
            return set()
    else:
        return set(ids)
    middle = len(ids) // 2
    return await _delete(db, store, ids[:middle]) | await _delete(db, store, ids[middle:])
