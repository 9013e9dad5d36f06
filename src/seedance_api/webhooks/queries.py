"""SQL of webhooks.

Who changes how an endpoint stands locks its row first. What follows the lock is a statement of its own, so that it sees
what others committed while it waited.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from seedance_api.foundation.db import Connection, Database, affected, row, rows
from seedance_api.foundation.partitions import Parent
from seedance_api.webhooks.decide import Attempt, Standing, Verdict
from seedance_api.webhooks.rows import Claimed, DeliveryState, DisabledBy, Lane

PARTITIONED = (
    Parent(table="event", key="id", prefix="evt"),
    Parent(table="delivery", key="event_id", prefix="evt"),
)
"""The tables that have a partition for each day."""

# Events. Their moment is taken after the first write of the transaction, and their id is made of it: `read.py` relies
# on that. One statement, for most accounts have no endpoint and creates are many.


async def insert_events(
    connection: Connection, kind: str, generation_ids: Sequence[str], *, is_final: bool
) -> list[Lane]:
    """Write an event for each generation, and a delivery for each endpoint that is told of it; returns those."""
    return rows(Lane, await connection.fetch(
        """
        WITH told AS MATERIALIZED (
            SELECT g.account_id, g.livemode, g.webhook_endpoint_id, m.moment, event_id(m.moment) AS id,
                   jsonb_strip_nulls(jsonb_build_object(
                       'id', g.id,
                       'status', CASE WHEN g.state IN ('submitting', 'running', 'storing') THEN 'in_progress'
                                      ELSE g.state END,
                       'expires_at', extract(epoch FROM c.purge_at)::bigint,
                       'error', CASE WHEN g.error_code IS NOT NULL THEN jsonb_build_object('code', g.error_code) END
                   )) AS data
            FROM generation g LEFT JOIN content c ON c.generation_id = g.id
            CROSS JOIN LATERAL (SELECT clock_timestamp() AS moment WHERE g.id IS NOT NULL) m
            WHERE g.id = ANY ($2)
        ), written AS (
            INSERT INTO event (id, account_id, livemode, type, data, created_at)
            SELECT id, account_id, livemode, $1, data, moment FROM told
        ), sent AS (
            INSERT INTO delivery (endpoint_id, event_id, account_id, livemode)
            SELECT e.id, t.id, t.account_id, t.livemode
            FROM told t JOIN webhook_endpoint e ON e.account_id = t.account_id AND e.livemode = t.livemode
            WHERE NOT e.hidden AND e.disabled_at IS NULL AND $1 = ANY (e.event_types)
            UNION ALL
            SELECT e.id, t.id, t.account_id, t.livemode
            FROM told t JOIN webhook_endpoint e ON e.id = t.webhook_endpoint_id
            WHERE $3 AND e.disabled_at IS NULL
            RETURNING endpoint_id
        )
        SELECT id AS endpoint_id, slow FROM webhook_endpoint WHERE id IN (SELECT endpoint_id FROM sent)
        """,
        kind,
        generation_ids,
        is_final,
    ))  # fmt: skip


async def insert_account_events(
    connection: Connection, kinds: Sequence[str], account_ids: Sequence[str], data: Sequence[dict[str, Any]]
) -> list[Lane]:
    """The same for accounts; what costs money is live."""
    return rows(Lane, await connection.fetch(
        """
        WITH told AS MATERIALIZED (
            SELECT n.kind, n.account_id, n.data, m.moment, event_id(m.moment) AS id
            FROM unnest($1::text[], $2::text[], $3::jsonb[]) AS n (kind, account_id, data)
            CROSS JOIN LATERAL (SELECT clock_timestamp() AS moment WHERE n.kind IS NOT NULL) m
        ), written AS (
            INSERT INTO event (id, account_id, livemode, type, data, created_at)
            SELECT id, account_id, true, kind, data, moment FROM told
        ), sent AS (
            INSERT INTO delivery (endpoint_id, event_id, account_id, livemode)
            SELECT e.id, t.id, t.account_id, true
            FROM told t JOIN webhook_endpoint e ON e.account_id = t.account_id AND e.livemode
            WHERE NOT e.hidden AND e.disabled_at IS NULL AND t.kind = ANY (e.event_types)
            RETURNING endpoint_id
        )
        SELECT id AS endpoint_id, slow FROM webhook_endpoint WHERE id IN (SELECT endpoint_id FROM sent)
        """,
        kinds,
        account_ids,
        data,
    ))  # fmt: skip


# Deliveries


async def lock_endpoints(connection: Connection, ids: Sequence[str]) -> None:
    """Lock several in the order of their ids, so that two that lock several cannot wait for each other."""
    await connection.execute("SELECT FROM webhook_endpoint WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE", ids)


async def claim(
    connection: Connection,
    wanted: Mapping[str, int],
    *,
    at_once: int,
    opens_at: int,
    lease_seconds: float,
) -> list[Claimed]:
    """Own what is due at these endpoints, longest due first: no more than each has room for. They are locked by now."""
    found = await connection.fetch(
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
                SELECT event_id FROM delivery w
                WHERE w.endpoint_id = open.id AND w.state = 'pending' AND w.due_at <= now()
                  AND (w.claimed_until IS NULL OR w.claimed_until <= now())
                ORDER BY w.due_at LIMIT greatest(open.room, 0)
            ) due
            WHERE d.endpoint_id = open.id AND d.event_id = due.event_id
            RETURNING d.endpoint_id, d.event_id, d.account_id, d.livemode, d.tries, d.claimed_until
        )
        SELECT t.*, v.type, v.data, v.created_at, o.url, o.hidden, o.signs, o.failures, o.slow,
               coalesce(s.version, 1) AS version, coalesce(s.previous_until > now(), false) AS also_previous
        FROM taken t JOIN open o ON o.id = t.endpoint_id
        JOIN event v ON v.account_id = t.account_id AND v.livemode = t.livemode AND v.id = t.event_id
        LEFT JOIN webhook_secret s ON s.subject = CASE
            WHEN o.hidden THEN o.account_id || CASE WHEN o.livemode THEN ' live' ELSE ' test' END ELSE o.id END
        ORDER BY t.event_id
        """,
        list(wanted),
        list(wanted.values()),
        at_once,
        opens_at,
        lease_seconds,
    )
    return rows(Claimed, found)


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


async def standing(connection: Connection, endpoint_id: str) -> Standing | None:
    """How an endpoint stands; None when it is gone. It is locked by now."""
    found = await connection.fetchrow(
        """
        SELECT failures, coalesce(extract(epoch FROM now() - failing_since), 0)::float8 AS failing_seconds, warned, slow
        FROM webhook_endpoint WHERE id = $1
        """,
        endpoint_id,
    )
    return row(Standing, found) if found else None


async def set_standing(connection: Connection, endpoint_id: str, verdict: Verdict) -> None:
    """Write how an endpoint stands after a try."""
    await connection.execute(
        """
        UPDATE webhook_endpoint SET failures = $2, slow = $3, warned = $4,
            failing_since = CASE WHEN $2 > 0 THEN coalesce(failing_since, now()) END,
            closed_until = CASE WHEN $2 > 0 THEN greatest(closed_until, now() + $5 * interval '1 second') END
        WHERE id = $1
        """,
        endpoint_id,
        verdict.failures,
        verdict.slow,
        verdict.warned,
        verdict.closed_seconds,
    )


async def disable(connection: Connection, endpoint_id: str, by: DisabledBy) -> bool:
    """Send nothing to an endpoint any more, and drop what waits for it; False when it was disabled before."""
    tag = await connection.execute(
        """
        UPDATE webhook_endpoint SET disabled_at = now(), disabled_by = $2, updated_at = now()
        WHERE id = $1 AND disabled_at IS NULL
        """,
        endpoint_id,
        by,
    )
    if affected(tag) == 0:
        return False
    await connection.execute(
        """
        UPDATE delivery SET state = 'dropped', ended_at = now(), claimed_until = NULL
        WHERE endpoint_id = $1 AND state = 'pending'
        """,
        endpoint_id,
    )
    return True


async def let_go(connection: Connection, endpoint_id: str) -> None:
    """Everything that waits for an endpoint is due now."""
    await connection.execute(
        "UPDATE delivery SET due_at = now() WHERE endpoint_id = $1 AND state = 'pending' AND due_at > now()",
        endpoint_id,
    )


async def mark_slow(db: Database, endpoint_id: str) -> None:
    """Have what follows for this endpoint wait among the slow ones."""
    await db.execute("UPDATE webhook_endpoint SET slow = true WHERE id = $1 AND NOT slow", endpoint_id)


async def waiting_lanes(connection: Connection, limit: int) -> list[Lane]:
    """The open endpoints at which something is due that nobody owns.

    It walks from one endpoint with something pending to the next, however much is pending at each.
    """
    found = await connection.fetch(
        """
        WITH RECURSIVE waiting AS (
            (SELECT endpoint_id FROM delivery WHERE state = 'pending' ORDER BY endpoint_id LIMIT 1)
            UNION ALL
            SELECT (
                SELECT d.endpoint_id FROM delivery d WHERE d.state = 'pending' AND d.endpoint_id > w.endpoint_id
                ORDER BY d.endpoint_id LIMIT 1
            ) FROM waiting w WHERE w.endpoint_id IS NOT NULL
        )
        SELECT e.id AS endpoint_id, e.slow
        FROM waiting w JOIN webhook_endpoint e ON e.id = w.endpoint_id
        WHERE e.disabled_at IS NULL AND (e.closed_until IS NULL OR e.closed_until <= now()) AND EXISTS (
            SELECT FROM delivery d
            WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.due_at <= now()
              AND (d.claimed_until IS NULL OR d.claimed_until <= now())
        )
        LIMIT $1
        """,
        limit,
    )
    return rows(Lane, found)
