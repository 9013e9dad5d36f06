"""Repair: content whose object is gone, torn or changed is fetched again, while its provider still has it.

A disk may lose what it said it had written, or give back other bytes; the row then names an object that is not there,
not whole, or not what was put there.
"""

import time

import structlog

from seedance_api.catalog.order import Mode
from seedance_api.delivery.check import check
from seedance_api.delivery.repair_queries import note_lost, replace_assets
from seedance_api.delivery.rows import Suspect
from seedance_api.delivery.store import Unstored, discard
from seedance_api.foundation import objects
from seedance_api.generations.engine import Engine
from seedance_api.generations.queries import reads
from seedance_api.generations.rows import Repairable
from seedance_api.notifications.outbox import put
from seedance_api.notifications.rows import Message

LOST_SECONDS = 86_400.0
"""What nobody has any more is looked for again after a day: a disk may be back, or an upstream."""
_log = structlog.get_logger()


async def repair(generation_id: str, engine: Engine) -> bool:
    """Fetch a completed video anew if an object of it is damaged; True when it is whole now."""
    found = await reads.repairable(engine.db, generation_id)
    if found is None or await _is_whole(found, engine):
        return found is not None
    provider = engine.providers.get(found.provider)
    if provider is None:
        _log.error("mend.impossible", generation_id=generation_id, provider=found.provider)
        await _note_lost(found, engine)
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
        if outcome.gone:
            await _note_lost(found, engine)
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


async def _is_whole(found: Repairable, engine: Engine) -> bool:
    """All of it is looked at, so that what is whole again counts as whole, and what is damaged as damaged."""
    whole = bool(found.assets)
    for asset in found.assets:
        suspect = Suspect(generation_id=found.id, object_key=asset.object_key, bytes=asset.bytes, sha256=asset.sha256)
        whole = await check(suspect, engine.db, engine.storage.objects) and whole
    return whole


async def _note_lost(found: Repairable, engine: Engine) -> None:
    """Nobody has the video any more: the operator hears of it, for its customer may have paid and not have it."""
    async with engine.db.transaction() as connection:
        if await note_lost(connection, found.id, LOST_SECONDS):
            _log.error("content.lost", generation_id=found.id, provider=found.provider)
            detail = {"video_id": found.id, "provider": found.provider, "delivered": found.delivered}
            await put(connection, [Message(kind="content_lost", account_id=found.account_id, detail=detail)])
