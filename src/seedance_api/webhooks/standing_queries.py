"""SQL of how endpoints stand: their locks, failures and pauses.

Who changes how an endpoint stands locks its row first. What follows the lock is a statement of its own, so that it sees
what others committed while it waited. Nothing is done under that lock that takes longer the more deliveries wait.
"""

from collections.abc import Sequence

from seedance_api.foundation.db import Connection, Database, affected, row, rows
from seedance_api.webhooks.decide import OPENS_AT, Standing, Verdict
from seedance_api.webhooks.rows import Claimed, DisabledBy, Free, Waiting


async def lock_endpoints(connection: Connection, ids: Sequence[str]) -> None:
    """Lock several in the order of their ids, so that two that lock several cannot wait for each other."""
    await connection.execute("SELECT FROM webhook_endpoint WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE", ids)


async def lock_free(connection: Connection, ids: Sequence[str]) -> dict[str, Free]:
    """Lock those of these endpoints that nobody has locked; returns them."""
    records = await connection.fetch(
        """
        SELECT id, account_id, reopened_at IS NOT NULL AS reopened FROM webhook_endpoint WHERE id = ANY ($1)
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
        """,
        ids,
    )
    return {free.id: free for free in rows(Free, records)}


async def existing(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of these endpoints that there are."""
    records = await connection.fetch("SELECT id FROM webhook_endpoint WHERE id = ANY ($1)", ids)
    return {record["id"] for record in records}


async def standing(connection: Connection, claimed: Claimed) -> Standing | None:
    """How an endpoint stands; None when it is gone. It is locked by now."""
    record = await connection.fetchrow(
        """
        SELECT failures, coalesce(extract(epoch FROM now() - failing_since), 0)::float8 AS failing_seconds, warned,
               slow, url <> $2 AS moved
        FROM webhook_endpoint WHERE id = $1
        """,
        claimed.endpoint_id,
        claimed.url,
    )
    return row(Standing, record) if record else None


async def set_standing(connection: Connection, endpoint_id: str, verdict: Verdict) -> None:
    """Write how an endpoint stands after a try.

    A pause that lasts was begun while this try was under way: that it arrived does not end it.
    """
    await connection.execute(
        """
        UPDATE webhook_endpoint SET failures = $2, slow = $3, warned = $4,
            failing_since = CASE WHEN $2 > 0 THEN coalesce(failing_since, now()) END,
            closed_until = CASE WHEN $2 > 0 THEN greatest(closed_until, now() + $5 * interval '1 second')
                ELSE closed_until END,
            reopened_at = CASE WHEN $6 THEN now() WHEN $2 < $7 THEN reopened_at END
        WHERE id = $1
        """,
        endpoint_id,
        verdict.failures,
        verdict.slow,
        verdict.warned,
        verdict.closed_seconds,
        verdict.reopened,
        OPENS_AT,
    )


async def disable(connection: Connection, endpoint_id: str, by: DisabledBy) -> bool:
    """Send nothing to an endpoint any more; False when it was disabled before. What waits is dropped by and by."""
    tag = await connection.execute(
        """
        UPDATE webhook_endpoint SET disabled_at = now(), disabled_by = $2, updated_at = now()
        WHERE id = $1 AND disabled_at IS NULL
        """,
        endpoint_id,
        by,
    )
    return affected(tag) == 1


async def lock_ended(connection: Connection, endpoint_id: str) -> bool:
    """Whether an endpoint is disabled or gone; until the transaction ends nobody enables it."""
    sql = "SELECT disabled_at IS NOT NULL FROM webhook_endpoint WHERE id = $1 FOR SHARE"
    return await connection.fetchval(sql, endpoint_id) is not False


async def mark_slow(db: Database, claimed: Claimed) -> None:
    """Have what follows for this endpoint wait among the slow ones, unless it has another address by now."""
    await db.execute(
        "UPDATE webhook_endpoint SET slow = true WHERE id = $1 AND url = $2 AND NOT slow",
        claimed.endpoint_id,
        claimed.url,
    )


async def enable(connection: Connection, endpoint_id: str) -> None:
    """Send to an endpoint again, with its failures forgotten; one that is enabled stays as it is."""
    await connection.execute(
        """
        UPDATE webhook_endpoint SET disabled_at = NULL, disabled_by = NULL, failures = 0, failing_since = NULL,
            closed_until = NULL, warned = false, slow = false, updated_at = now()
        WHERE id = $1 AND disabled_at IS NOT NULL
        """,
        endpoint_id,
    )


async def waiting(db: Database, after: str, limit: int) -> list[Waiting]:
    """The next endpoints behind one for which something waits.

    It walks from one endpoint with something pending to the next, however much is pending at each.
    """
    records = await db.fetch(
        """
        WITH RECURSIVE waiting AS (
            (
                SELECT endpoint_id, 1 AS place FROM delivery WHERE state = 'pending' AND endpoint_id > $1
                ORDER BY endpoint_id LIMIT 1
            )
            UNION ALL
            SELECT (
                SELECT d.endpoint_id FROM delivery d WHERE d.state = 'pending' AND d.endpoint_id > w.endpoint_id
                ORDER BY d.endpoint_id LIMIT 1
            ), w.place + 1 FROM waiting w WHERE w.endpoint_id IS NOT NULL AND w.place < $2
        )
        SELECT w.endpoint_id, e.id IS NULL OR e.disabled_at IS NOT NULL AS ended, coalesce(e.slow, false) AS slow,
               (e.closed_until IS NULL OR e.closed_until <= now()) AND (
                   e.reopened_at IS NOT NULL OR coalesce((
                       SELECT true FROM delivery d
                       WHERE d.endpoint_id = w.endpoint_id AND d.state = 'pending' AND d.due_at <= now()
                         AND (d.claimed_until IS NULL OR d.claimed_until <= now())
                       ORDER BY d.due_at LIMIT 1
                   ), false)
               ) AS due
        FROM waiting w LEFT JOIN webhook_endpoint e ON e.id = w.endpoint_id
        WHERE w.endpoint_id IS NOT NULL ORDER BY w.endpoint_id
        """,
        after,
        limit,
    )
    return rows(Waiting, records)
