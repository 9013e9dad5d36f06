"""Collect: objects that no row names, left by a process that was killed between the two writes, are deleted."""

from datetime import UTC, datetime, timedelta

import structlog

from seedance_api.foundation import objects
from seedance_api.generations import queries
from seedance_api.generations.advance import Engine

_AGE = timedelta(hours=1)
_log = structlog.get_logger()


async def collect(engine: Engine, *, age: timedelta = _AGE) -> int:
    """Delete objects older than `age` without a row; returns how many. Younger ones may still get their row."""
    before = datetime.now(UTC) - age
    deleted = 0
    for prefix in ("content", "files"):
        async for old in objects.keys_before(engine.storage.objects, f"{prefix}/", before):
            named = await queries.keys_with_rows(engine.db, old)
            orphans = [key for key in old if key not in named]
            await objects.delete(engine.storage.objects, orphans)
            deleted += len(orphans)
    async for old in objects.keys_before(engine.storage.objects, "sandbox/", before):
        # what a frozen worker handed over after its attempt was given up, or a cut-off `forget` left
        alive = await queries.open_attempts(engine.db, [key.split("/")[1] for key in old])
        orphans = [key for key in old if key.split("/")[1] not in alive]
        await objects.delete(engine.storage.objects, orphans)
        deleted += len(orphans)
    if deleted:
        _log.warning("collect.orphans", count=deleted)
    return deleted
