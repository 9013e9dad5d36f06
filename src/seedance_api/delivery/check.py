"""Check: whether a stored file is still what was put there. What is not is served no more, and is to be mended."""

from collections.abc import Sequence

import structlog
from obstore.store import ObjectStore

from seedance_api.delivery import repair_queries
from seedance_api.delivery.rows import Suspect
from seedance_api.foundation import jobs
from seedance_api.foundation.db import Connection, Database
from seedance_api.foundation.read_object import is_intact

_log = structlog.get_logger()


async def check(suspect: Suspect, db: Database, store: ObjectStore) -> bool:
    """Compare an object with its digest, and note what was found.

    Raises whatever the store does when it cannot be read: that says nothing of the object.
    """
    key, generation_id = suspect.object_key, suspect.generation_id
    if await is_intact(store, key, suspect.bytes, suspect.sha256):
        await repair_queries.note_verified(db, key, generation_id)
        return True
    await report_damaged(db, key, generation_id)
    return False


async def report_damaged(db: Database, object_key: str, generation_id: str) -> None:
    """Stop serving an object that is not what was put there, have it fetched again, and alarm. Again, it only asks for
    the mending."""
    async with db.transaction() as connection:
        if await repair_queries.note_damaged(connection, object_key, generation_id):
            _log.error("content.damaged", generation_id=generation_id)
        await ask_to_repair(connection, [generation_id])


async def ask_to_repair(connection: Connection, ids: Sequence[str]) -> None:
    """Have these videos fetched again, each with its provider's own jobs."""
    for provider, some in (await repair_queries.providers_of(connection, ids)).items():
        await jobs.enqueue(
            connection, "mend", some, keys=[f"mend {generation_id}" for generation_id in some], group=provider
        )
