"""SQL of the checks of running attempts: which are due, and when they are again."""

from collections.abc import Sequence

from seedance_api.foundation.db import Database, row, rows
from seedance_api.generations.rows import Running


async def claim_checks(db: Database, provider: str, limit: int, seconds: float) -> list[Running]:
    """Take the running generations whose check is due longest, so that no other asks about them for a while.

    Those that somebody is cancelling now are left alone.
    """
    return rows(Running, await db.fetch(
        """
        WITH due AS (
            SELECT id FROM attempt WHERE provider = $1 AND state = 'acknowledged' AND check_at <= now()
            ORDER BY check_at LIMIT $2 FOR UPDATE SKIP LOCKED
        ), taken AS (
            UPDATE attempt a SET check_at = now() + $3 * interval '1 second' FROM due WHERE a.id = due.id
            RETURNING a.*
        )
        SELECT g.id, g.version, g.progress, g.model, g.params, a.id AS attempt_id, a.operation,
               a.begun_at IS NOT NULL AS begun,
               extract(epoch FROM now() - coalesce(a.begun_at, a.sent_at))::float8 AS seconds
        FROM taken a JOIN generation g ON g.id = a.generation_id
        WHERE g.state = 'running' AND (g.claimed_until IS NULL OR g.claimed_until <= now())
        """,
        provider,
        limit,
        seconds,
    ))  # fmt: skip


async def running_attempt(db: Database, attempt_id: str) -> tuple[str, Running] | None:
    """The provider and the running generation of an attempt, unless it is over or somebody is cancelling it."""
    found = await db.fetchrow(
        """
        SELECT g.id, g.version, g.progress, g.model, g.params, a.id AS attempt_id, a.operation,
               a.begun_at IS NOT NULL AS begun,
               extract(epoch FROM now() - coalesce(a.begun_at, a.sent_at))::float8 AS seconds, a.provider
        FROM attempt a JOIN generation g ON g.id = a.generation_id
        WHERE a.id = $1 AND a.state = 'acknowledged' AND g.state = 'running'
          AND (g.claimed_until IS NULL OR g.claimed_until <= now())
        """,
        attempt_id,
    )
    return (found["provider"], row(Running, found)) if found else None


async def put_off_checks(db: Database, ids: Sequence[str], seconds: Sequence[float], begun: Sequence[bool]) -> None:
    """When to ask about these attempts next, and which have begun. One called about meanwhile stays in front."""
    await db.execute(
        """
        UPDATE attempt a SET check_at = now() + n.seconds * interval '1 second',
            begun_at = CASE WHEN n.begun THEN coalesce(a.begun_at, now()) END
        FROM (
            -- in one order, so that a lap that was slow and the next one cannot wait for each other
            SELECT b.id, n.seconds, n.begun FROM attempt b
            JOIN unnest($1::text[], $2::float8[], $3::bool[]) AS n (id, seconds, begun) USING (id)
            WHERE b.state = 'acknowledged' AND b.check_at > to_timestamp(0) ORDER BY b.id FOR NO KEY UPDATE OF b
        ) n
        WHERE a.id = n.id
        """,
        ids,
        seconds,
        begun,
    )


async def seconds_to_check(db: Database, provider: str) -> float | None:
    """Seconds until the next check is due; None when nothing runs."""
    return await db.fetchval(
        """
        SELECT extract(epoch FROM min(check_at) - now())::float8 FROM attempt
        WHERE provider = $1 AND state = 'acknowledged'
        """,
        provider,
    )
