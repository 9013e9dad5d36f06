"""Check: whether a stored reference is still what was put there. What is not is neither used nor shared."""

import structlog
from obstore.store import ObjectStore

from seedance_api.foundation.db import Database
from seedance_api.foundation.read_object import is_intact
from seedance_api.references import object_queries
from seedance_api.references.object_queries import Kept

_log = structlog.get_logger()


async def check_file(kept: Kept, db: Database, store: ObjectStore) -> bool:
    """Compare an object with its digest, and note what was found on every file that has it.

    Raises whatever the store does when it cannot be read: that says nothing of the object.
    """
    if await is_intact(store, kept.object_key, kept.bytes, kept.sha256):
        await object_queries.note_verified(db, kept.object_key)
        return True
    if ids := await object_queries.note_damaged(db, kept.object_key):
        _log.error("file.damaged", file_id=ids[0], count=len(ids))
    return False
