"""SQL of deliveries: each event on its way to each endpoint that is told of it."""

from collections.abc import Mapping, Sequence

from seedance_api.foundation.db import Connection, Database, affected, rows
from seedance_api.foundation.partitions import Parent
from seedance_api.webhooks.decide import Attempt
from seedance_api.webhooks.rows import Claimed, DeliveryState

PARTITIONED = (
    Parent(table="delivery", key="event_id", prefix="evt"),
    Parent(table="event", key="id", prefix="evt"),
)
"""The tables that have a partition for each day. A delivery goes before its event: without it, it could not be sent."""


async def claim(
    connection: Connection,
    wanted: Mapping[str, int],
    *,
    concurrency: int,
    opens_at: int,
    lease_seconds: float,
) -> list[Claimed]:
    """Own what is due at these endpoints, longest due first: no more than each has room for. They are locked by now."""
    records = await connection.fetch(
        """
        WITH open AS MATERIALIZED (
            SELECT e.*, least(n.wanted, CASE WHEN e.failures >= $4 THEN 1 ELSE $3 END - (
                SELECT count(*) FROM delivery d
                WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.claimed_until > now()
            )) AS room
            FROM unnest($1::text[], $2::int[]) AS n (own_id, wanted) JOIN webhook_endpoint e ON e.id = n.own_id
            WHERE e.disabled_at IS NULL AND (e.closed_until IS NULL OR e.closed_until <= now())
        ), taken AS (
            UPDATE delivery d SET claimed_until = now() + $5 * interval '1 second'
            FROM open CROSS JOIN LATERAL (
                SELECT event_id FROM (
                    SELECT event_id FROM delivery w
                    WHERE w.endpoint_id = open.id AND w.state = 'pending' AND w.due_at <= now()
                      AND (w.claimed_until IS NULL OR w.claimed_until <= now())
                    ORDER BY w.due_at LIMIT 16  -- so that the planner knows that they are few
                ) few LIMIT greatest(open.room, 0)
            ) due
            WHERE d.endpoint_id = open.id AND d.event_id = due.event_id
            RETURNING d.endpoint_id, d.event_id, d.account_id, d.livemode, d.tries, d.claimed_until
        )
        SELECT t.*, v.type, v.data, v.created_at, o.url, o.hidden, o.signs, o.failures, o.slow,
               coalesce(s.version, 1) AS version, cardinality(array(
                   SELECT u FROM unnest(array_prepend(s.previous_until, s.older_until)) u WHERE u > now()
               )) AS earlier
        FROM taken t JOIN open o ON o.id = t.endpoint_id
        JOIN event v ON v.account_id = t.account_id AND v.livemode = t.livemode AND v.id = t.event_id
        LEFT JOIN webhook_secret s ON s.subject = CASE
            WHEN o.hidden THEN o.account_id || CASE WHEN o.livemode THEN ' live' ELSE ' test' END ELSE o.id END
        ORDER BY t.event_id
        """,
        list(wanted),
        list(wanted.values()),
        concurrency,
        opens_at,
        lease_seconds,
    )
    return rows(Claimed, records)


async def deliveries_arrived(db: Database, claimed: Sequence[Claimed], attempts: Sequence[Attempt]) -> None:
    """pending → delivered, of endpoints that stand well. One whose claim was lost is another's to write."""
    await db.execute(
        """
        UPDATE delivery d SET state = 'delivered', tries = d.tries + 1, claimed_until = NULL, ended_at = now(),
            attempts = CASE WHEN jsonb_array_length(attempts) >= 20 THEN attempts - 0 ELSE attempts END || n.new
        FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::jsonb[]) AS n (endpoint_id, event_id, until, new)
        WHERE d.endpoint_id = n.endpoint_id AND d.event_id = n.event_id AND d.state = 'pending'
          AND d.claimed_until = n.until
        """,
        [one.endpoint_id for one in claimed],
        [one.event_id for one in claimed],
        [one.claimed_until for one in claimed],
        attempts,
    )


async def end_try(
    connection: Connection, claimed: Claimed, attempt: Attempt, state: DeliveryState, again_seconds: float
) -> bool:
    """Note a try, and what follows; False when the claim was lost."""
    tag = await connection.execute(
        """
        UPDATE delivery d SET state = $5, tries = tries + 1, claimed_until = NULL,
            ended_at = CASE WHEN $5 <> 'pending' THEN now() END, due_at = now() + $6 * interval '1 second',
            attempts = CASE WHEN jsonb_array_length(attempts) >= 20 THEN attempts - 0 ELSE attempts END || $4::jsonb
        WHERE endpoint_id = $1 AND event_id = $2 AND claimed_until = $3 AND state = 'pending'
        """,
        claimed.endpoint_id,
        claimed.event_id,
        claimed.claimed_until,
        attempt,
        state,
        again_seconds,
    )
    return affected(tag) == 1


async def give_back(connection: Connection, claimed: Claimed) -> None:
    """It is due again, as if it had not been tried; unless the claim was lost."""
    await connection.execute(
        """
        UPDATE delivery SET claimed_until = NULL, due_at = now()
        WHERE endpoint_id = $1 AND event_id = $2 AND claimed_until = $3 AND state = 'pending'
        """,
        claimed.endpoint_id,
        claimed.event_id,
        claimed.claimed_until,
    )


async def drop_waiting(connection: Connection, endpoint_id: str, limit: int) -> int:
    """pending → dropped, for some of what waits for an endpoint that is disabled or gone; returns how many."""
    tag = await connection.execute(
        """
        UPDATE delivery d SET state = 'dropped', ended_at = now(), claimed_until = NULL
        FROM (
            SELECT event_id FROM delivery WHERE endpoint_id = $1 AND state = 'pending'
            ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
        ) few
        WHERE d.endpoint_id = $1 AND d.event_id = few.event_id
        """,
        endpoint_id,
        limit,
    )
    return affected(tag)


async def let_go(connection: Connection, ids: Sequence[str], limit: int) -> None:
    """Some of what waits for these endpoints since before they reopened is due now. They are locked by now.

    What was tried since then keeps its time. It is the soonest due, so that the others are found from the other end.
    """
    await connection.execute(
        """
        WITH few AS MATERIALIZED (
            SELECT e.id, w.event_id FROM webhook_endpoint e CROSS JOIN LATERAL (
                SELECT event_id FROM delivery d
                WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.due_at > now()
                  AND coalesce((d.attempts -> -1 ->> 'at')::bigint, 0) <= extract(epoch FROM e.reopened_at)
                ORDER BY d.due_at DESC LIMIT $2
            ) w
            WHERE e.id = ANY ($1)
        ), due AS (
            UPDATE delivery d SET due_at = now() FROM few
            WHERE d.endpoint_id = few.id AND d.event_id = few.event_id AND d.state = 'pending'
        )
        UPDATE webhook_endpoint e SET reopened_at = NULL
        WHERE e.id = ANY ($1) AND NOT EXISTS (SELECT FROM few WHERE few.id = e.id)
        """,
        ids,
        limit,
    )


async def delete_deliveries(db: Database, endpoint_id: str, limit: int) -> int:
    """Delete some of what an endpoint had that is no more; returns how many. What is being written just now is left."""
    tag = await db.execute(
        """
        DELETE FROM delivery d USING (
            SELECT event_id FROM delivery WHERE endpoint_id = $1 ORDER BY event_id LIMIT $2 FOR UPDATE SKIP LOCKED
        ) few
        WHERE d.endpoint_id = $1 AND d.event_id = few.event_id
        """,
        endpoint_id,
        limit,
    )
    return affected(tag)
