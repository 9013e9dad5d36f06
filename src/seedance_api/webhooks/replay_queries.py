"""SQL of what an endpoint was sent, and of what it is to be sent again."""

from collections.abc import Sequence
from datetime import timedelta

from seedance_api.foundation.db import Connection, Database, rows
from seedance_api.foundation.ids import id_at
from seedance_api.webhooks.rows import Delivery, Endpoint, Range

A_SECOND = 20
"""Events that are sent again to one endpoint."""
AT_ONCE = 20
_GAP = timedelta(seconds=1 / A_SECOND)


async def deliveries_page(
    db: Database, endpoint: Endpoint, *, after: str | None, state: str | None, limit: int
) -> list[Delivery]:
    """A page of an endpoint's deliveries, newest first."""
    return rows(Delivery, await db.fetch(
        """
        SELECT d.event_id, v.type, d.state, d.tries, d.due_at, d.attempts, d.created_at, d.ended_at
        FROM (
            SELECT * FROM delivery
            WHERE endpoint_id = $1 AND event_id < coalesce($2, '~') AND ($3::text IS NULL OR state = $3)
            ORDER BY event_id DESC LIMIT $4
        ) d JOIN event v ON v.account_id = d.account_id AND v.livemode = d.livemode AND v.id = d.event_id
        ORDER BY d.event_id DESC
        """,
        endpoint.id,
        after,
        state,
        limit,
    ))  # fmt: skip


async def replayable(connection: Connection, endpoint: Endpoint, wanted: Range, limit: int) -> list[str]:
    """The ids of the events that are to be sent again, the oldest first; those in line anyway are left out."""
    found = await connection.fetch(
        """
        SELECT v.id FROM event v LEFT JOIN delivery d ON d.endpoint_id = $1 AND d.event_id = v.id
        WHERE v.account_id = $2 AND v.livemode = $3 AND v.id > coalesce($4, '') AND v.id >= $5 AND v.id < $6
          AND ($7::text IS NULL AND v.type = ANY ($8) OR v.id = $7)
          AND (d.state IS DISTINCT FROM 'pending' OR $7 IS NOT NULL)
          AND (NOT $9 OR d.state IS DISTINCT FROM 'delivered')
        ORDER BY v.id LIMIT $10
        """,
        endpoint.id,
        endpoint.account_id,
        endpoint.livemode,
        wanted.after,
        id_at("evt", wanted.since) if wanted.since else "",
        id_at("evt", wanted.until) if wanted.until else "~",
        wanted.event_id,
        endpoint.event_types,
        wanted.only_failed,
        limit,
    )
    return [record["id"] for record in found]


async def put_in_line(connection: Connection, endpoint: Endpoint, event_ids: Sequence[str]) -> None:
    """Deliver these, whatever became of them before; what waits for a later try is due now, that being its next.

    One alone goes now; of several the first twenty, and the others twenty a second, behind those that wait already.
    """
    await connection.execute(
        """
        INSERT INTO delivery AS old (endpoint_id, event_id, account_id, livemode, due_at)
        SELECT $1, id, $3, $4, CASE WHEN cardinality($2::text[]) = 1 THEN now() ELSE
            greatest(now(), last_due + place * $5::interval, now() + (place - $6) * $5::interval) END
        FROM unnest($2::text[]) WITH ORDINALITY AS n (id, place), (
            SELECT coalesce(max(due_at), '-infinity') AS last_due FROM delivery
            WHERE endpoint_id = $1 AND state = 'pending' AND tries = 0 AND due_at > now()
        ) waiting
        ORDER BY id
        ON CONFLICT (endpoint_id, event_id) DO UPDATE SET state = 'pending', due_at = excluded.due_at, ended_at = NULL,
            tries = CASE WHEN old.state = 'pending' THEN old.tries ELSE 0 END,
            claimed_until = CASE WHEN old.state = 'pending' THEN old.claimed_until END
        """,
        endpoint.id,
        event_ids,
        endpoint.account_id,
        endpoint.livemode,
        _GAP,
        AT_ONCE,
    )


async def count_waiting(connection: Connection, endpoint: Endpoint) -> int:
    """How many of its deliveries wait for their turn; until the transaction ends nobody puts more in line."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('replay ' || $1, 0))", endpoint.id)
    return await connection.fetchval(
        """
        SELECT count(*) FROM delivery WHERE endpoint_id = $1 AND state = 'pending' AND tries = 0 AND due_at > now()
        """,
        endpoint.id,
    )
