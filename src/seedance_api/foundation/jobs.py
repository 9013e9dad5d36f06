"""Enqueueing on the connection of the change that needs the job: both commit, or neither does.

A job carries an id at most. It may run twice or vanish; the row it names is the truth.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

import structlog

from seedance_api.foundation.db import Connection, Database, affected

_PRUNED = 10_000
"""Rows in one statement of `prune`."""
_UNSERVED_SECONDS = 60.0
"""How long a job waits for somebody who serves its group before anybody who does its kind of work may have it."""
_UNSERVED = 500
_SILENT_SECONDS = 5.0
_ENQUEUE = """
    WITH enqueued AS (
        INSERT INTO pgqueuer (priority, entrypoint, payload, execute_after, dedupe_key, status)
        SELECT 0, $1, payload, now() + $4, dedupe_key, 'queued'
        FROM unnest($2::bytea[], $3::text[]) AS given (payload, dedupe_key)
        ON CONFLICT (dedupe_key) WHERE status IN ('queued', 'picked') AND dedupe_key IS NOT NULL DO NOTHING
        RETURNING id
    )
    INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority) SELECT id, 'queued', $1, 0 FROM enqueued
"""
"""What PgQueuer's own `enqueue` does, whose import takes an API process and a command a third of a second."""
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


async def release_schedules(db: Database, next_in: Mapping[tuple[str, str], timedelta]) -> None:
    """Have a schedule run again whose worker is gone, or which a clock that was set back would keep waiting.

    A worker tells each second of the schedules it runs; the engine itself would wait for 30 s. `next_in` says when each
    of ours, an entrypoint and its expression, is to run: what waits a minute longer waits for a time that was.
    """
    await db.execute(
        """
        UPDATE pgqueuer_schedules s SET status = 'queued', next_run = least(next_run, now() + n.delay)
        FROM unnest($1::text[], $2::text[], $3::interval[]) AS n (entrypoint, expression, delay)
        WHERE s.entrypoint = n.entrypoint AND s.expression = n.expression
          AND (status = 'picked' AND abs(extract(epoch FROM now() - heartbeat)) > $4
               OR next_run > now() + n.delay + interval '1 minute')
        """,
        [entrypoint for entrypoint, _ in next_in],
        [expression for _, expression in next_in],
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
    await connection.execute(
        _ENQUEUE,
        entrypoint(job, group),
        [payload.encode() for payload in payloads],
        keys,
        timedelta(seconds=after_seconds),
    )
