"""Purge: content is withdrawn, then its objects are deleted, then its rows; a crash between is taken up again."""

from obstore.store import ObjectStore

from seedance_api.delivery import queries
from seedance_api.foundation import objects
from seedance_api.foundation.db import Database


async def purge(db: Database, store: ObjectStore, generation_id: str) -> None:
    """Delete a generation's content for good. Doing it again changes nothing."""
    await queries.withdraw(db, generation_id)
    await objects.delete(store, [asset.object_key for asset in await queries.assets_of(db, generation_id)])
    await queries.delete_assets(db, generation_id)
