"""SQL of webhooks.

Who changes how an endpoint stands locks its row first. What follows the lock is a statement of its own, so that it sees
what others committed while it waited.
"""

from collections.abc import Sequence
from typing import Any

from seedance_api.foundation.db import Connection, rows
from seedance_api.webhooks.rows import Lane

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
