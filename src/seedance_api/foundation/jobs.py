"""Enqueueing on the connection of the change that needs the job: both commit, or neither does.

A job carries an id at most. It may run twice or vanish; the row it names is the truth.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import cast

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.models import CronExpressionEntrypoint

from seedance_api.foundation.db import Connection, Database

_SILENT_SECONDS = 5.0


async def prune_log(db: Database) -> None:
    """Delete what PgQueuer notes about its jobs after a week; the engine never does."""
    await db.execute("DELETE FROM pgqueuer_log WHERE aggregated AND created < now() - interval '7 days'")


async def release_schedules(db: Database, next_in: Mapping[CronExpressionEntrypoint, timedelta]) -> None:
    """Have a schedule run again whose worker is gone, or which a clock that was set back would keep waiting.

    A worker tells each second of the schedules it runs; the engine itself would wait for 30 s. `next_in` says when each
    of ours is to run: what waits a minute longer than that waits for a time that was.
    """
    await db.execute(
        """
        UPDATE pgqueuer_schedules s SET status = 'queued', next_run = least(next_run, now() + n.delay)
        FROM unnest($1::text[], $2::text[], $3::interval[]) AS n (entrypoint, expression, delay)
        WHERE s.entrypoint = n.entrypoint AND s.expression = n.expression
          AND (status = 'picked' AND abs(extract(epoch FROM now() - heartbeat)) > $4
               OR next_run > now() + n.delay + interval '1 minute')
        """,
        [key.entrypoint for key in next_in],
        [key.expression for key in next_in],
        list(next_in.values()),
        _SILENT_SECONDS,
    )


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
