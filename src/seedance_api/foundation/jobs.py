"""Enqueueing on the connection of the change that needs the job: both commit, or neither does.

A job carries an id at most. It may run twice or vanish; the row it names is the truth.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import cast

import asyncpg
import structlog
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.models import CronExpressionEntrypoint

from seedance_api.foundation.db import Connection, Database, affected

_PRUNED = 10_000
"""Rows in one statement of `prune`."""
_UNSERVED_SECONDS = 60.0
"""How long a job waits for somebody who serves its group before anybody who does its kind of work may have it."""
_UNSERVED = 500
_SILENT_SECONDS = 5.0
_log = structlog.get_logger()


def entrypoint(kind: str, group: str | None) -> str:
    """What PgQueuer calls jobs of a kind in a group; without a group, those of the kind that belong to none."""
    return kind if group is None else f"{kind}:{group}"


async def release_unserved(connection: Connection, groups: Collection[str]) -> None:
    """Take jobs out of groups that this process does not serve, when nobody else has taken them for a minute.

    A group may be gone from everybody's configuration, and its jobs must end somehow.
    """
    tag = await connection.execute(
        """
        UPDATE pgqueuer SET entrypoint = split_part(entrypoint, ':', 1) WHERE id IN (
            SELECT id FROM pgqueuer
            WHERE strpos(entrypoint, ':') > 0 AND split_part(entrypoint, ':', 2) <> ALL ($1)
              AND CASE status WHEN 'queued' THEN execute_after WHEN 'picked' THEN heartbeat END
                  < now() - $2 * interval '1 second'
            ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED
        )
        """,
        list(groups),
        _UNSERVED_SECONDS,
        _UNSERVED,
    )
    if affected(tag):
        _log.warning("jobs.unserved", count=affected(tag))


async def prune(db: Database, *, rows: int = _PRUNED) -> None:
    """Delete what PgQueuer notes about its jobs after a week, some rows at a time; it never does so itself."""
    while affected(await db.execute(
        """
        DELETE FROM pgqueuer_log WHERE id IN (
            SELECT id FROM pgqueuer_log WHERE created < now() - interval '7 days' ORDER BY created LIMIT $1
        )
        """,
        rows,
    )):  # fmt: skip
        pass
    while affected(await db.execute(
        """
        DELETE FROM pgqueuer_statistics WHERE id IN (
            SELECT id FROM pgqueuer_statistics WHERE created < now() - interval '7 days' ORDER BY id LIMIT $1
        )
        """,
        rows,
    )):  # fmt: skip
        pass


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
    group: str | None = None,
) -> None:
    """Enqueue one job for each payload. A key that a waiting or running job already has makes it a no-op.

    Jobs of a kind are bounded in each `group` by itself, so that a slow one holds up no other.
    """
    if not payloads:
        return
    queries = Queries(AsyncpgDriver(cast("asyncpg.Connection[asyncpg.Record]", connection)))
    count = len(payloads)
    delays: list[timedelta | None] = [timedelta(seconds=after_seconds)] * count
    dedupe: list[str | None] = list(keys) if keys is not None else [None] * count
    await queries.enqueue(
        [entrypoint(job, group)] * count,
        [payload.encode() for payload in payloads],
        [0] * count,
        delays,
        dedupe,
        on_conflict="skip",
    )
