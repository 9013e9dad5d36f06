"""Mend: content whose object is gone or torn is fetched again, while its provider still has it.

A disk may lose what it said it had written; the row then names an object that is not there, or not whole.
"""

import time

import structlog

from seedance_api.catalog.order import Mode
from seedance_api.delivery.queries import replace_assets
from seedance_api.delivery.store import Unstored, discard
from seedance_api.foundation import objects
from seedance_api.generations import queries
from seedance_api.generations.advance import Engine
from seedance_api.generations.rows import Mendable

_log = structlog.get_logger()


async def mend(generation_id: str, engine: Engine) -> bool:
    """Fetch a completed video anew if an object of it is damaged; True when it is whole now."""
    found = await queries.mendable(engine.db, generation_id)
    if found is None or await _is_whole(found, engine):
        return found is not None
    provider = engine.providers.get(found.provider)
    if provider is None:
        _log.error("mend.impossible", generation_id=generation_id, provider=found.provider)
        return False
    # under a name that nobody has used: whoever is late must not write over what a row names
    outcome = await engine.storage.store(
        generation_id,
        time.time_ns(),
        found.params,
        found.output,
        provider,
        found.operation,
        composite=found.params.mode is not Mode.TEXT,
    )
    if isinstance(outcome, Unstored):
        _log.error("mend.failed", generation_id=generation_id, reason=outcome.ours or outcome.code, gone=outcome.gone)
        return False
    async with engine.db.transaction() as connection:
        before = await replace_assets(connection, generation_id, outcome.assets)
    if before is None:
        await discard(outcome, engine.storage)
        return False
    kept = {asset.object_key for asset in outcome.assets}
    await objects.delete(engine.storage.objects, [key for key in before if key not in kept])
    _log.info("mend.done", generation_id=generation_id)
    return True


async def _is_whole(found: Mendable, engine: Engine) -> bool:
    for asset in found.assets:
        if not await objects.is_whole(engine.storage.objects, asset.object_key, asset.bytes):
            return False
    return bool(found.assets)
