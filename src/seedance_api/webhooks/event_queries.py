"""SQL of events: what happened, written once and read in its order.

The moment of an event is taken once the transaction has an id, and its id is made of it: `read.py` relies on that.
Deliveries are written by the same statement, for most accounts have no endpoint and creates are many.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from seedance_api.foundation.db import Connection, Database, row, rows
from seedance_api.webhooks.rows import Event, Lane


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
            CROSS JOIN LATERAL (
                SELECT event_moment() AS moment WHERE g.id IS NOT NULL AND pg_current_xact_id() IS NOT NULL
            ) m
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
            CROSS JOIN LATERAL (
                SELECT event_moment() AS moment WHERE n.kind IS NOT NULL AND pg_current_xact_id() IS NOT NULL
            ) m
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


async def horizon(db: Database) -> datetime:
    """The moment before which every event is visible: that of the oldest transaction that has written anything.

    A transaction that begins to write after this question writes younger events. Of one whose beginning is not known,
    or may not be seen, nothing is supposed: until it has ended no event is before it.
    """
    # first: whoever took a moment up to this one has begun by now
    given: int = await db.fetchval("SELECT last_value FROM event_clock")
    return await db.fetchval(
        """
        SELECT least(
            greatest(now(), timestamptz 'epoch' + ($1::bigint + 1) * interval '1 microsecond'),
            min(coalesce(xact_start, '-infinity'))
        )
        FROM pg_stat_activity
        WHERE backend_xid IS NOT NULL AND datname = current_database() AND pid <> pg_backend_pid()
        """,
        given,
    )


async def events_until(
    db: Database,
    account_id: str,
    livemode: bool,
    until: datetime,
    *,
    after: str | None,
    kind: str | None,
    limit: int,
) -> list[Event]:
    """The oldest events behind one and before a moment."""
    return rows(Event, await db.fetch(
        """
        SELECT id, livemode, type, data, created_at FROM event
        WHERE account_id = $1 AND livemode = $2 AND id > coalesce($3, '') AND created_at < $4
          AND ($5::text IS NULL OR type = $5)
        ORDER BY id LIMIT $6
        """,
        account_id,
        livemode,
        after,
        until,
        kind,
        limit,
    ))  # fmt: skip


async def event(db: Database, account_id: str, livemode: bool, event_id: str) -> Event | None:
    """One event."""
    record = await db.fetchrow(
        """
        SELECT id, livemode, type, data, created_at FROM event WHERE account_id = $1 AND livemode = $2 AND id = $3
        """,
        account_id,
        livemode,
        event_id,
    )
    return row(Event, record) if record else None
