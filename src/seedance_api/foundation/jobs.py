"""Enqueueing on the connection of the change that needs the job: both commit, or neither does.

A job carries an id at most. It may run twice or vanish; the row it names is the truth.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import cast

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries

from seedance_api.foundation.db import Connection, Database


async def prune_log(db: Database) -> None:
    """Delete what PgQueuer notes about its jobs after a week; the engine never does."""
    await db.execute("DELETE FROM pgqueuer_log WHERE aggregated AND created < now() - interval '7 days'")


async def enqueue(
    connection: Connection,
    job: str,
    payloads: Sequence[str],
    *,
    after_seconds: float = 0.0,
    keys: Sequence[str] | None = None,
) -> None:
    """Enqueue one job for each payload. A key that a waiting or running job already has makes it a no-op."""
    if not payloads:
        return
    queries = Queries(AsyncpgDriver(cast("asyncpg.Connection[asyncpg.Record]", connection)))
    count = len(payloads)
    delays: list[timedelta | None] = [timedelta(seconds=after_seconds)] * count
    dedupe: list[str | None] = list(keys) if keys is not None else [None] * count
    await queries.enqueue(
        [job] * count,
        [payload.encode() for payload in payloads],
        [0] * count,
        delays,
        dedupe,
        on_conflict="skip",
    )
