"""SQL of endpoints and their secrets."""

from collections.abc import Mapping, Sequence
from typing import Any

from seedance_api.foundation.db import Connection, Database, row, rows
from seedance_api.webhooks.rows import Endpoint, Secret


async def endpoint(db: Database, endpoint_id: str) -> Endpoint | None:
    """An endpoint, of any account: the caller compares the owner."""
    record = await db.fetchrow(
        """
        SELECT e.*, coalesce(extract(epoch FROM now() - e.failing_since), 0)::float8 AS failing_seconds,
               coalesce(s.version, 1) AS version, s.previous_until,
               coalesce(s.previous_until > now(), false) AS also_previous,
               cardinality(array(
                   SELECT t FROM unnest(array_prepend(s.previous_until, s.older_until)) t WHERE t > now()
               )) AS earlier
        FROM webhook_endpoint e LEFT JOIN webhook_secret s ON s.subject = e.id WHERE e.id = $1
        """,
        endpoint_id,
    )
    return row(Endpoint, record) if record else None


async def endpoints_page(
    db: Database, account_id: str, livemode: bool, *, after: str | None, limit: int
) -> list[Endpoint]:
    """A page of an account's endpoints, newest first."""
    return rows(Endpoint, await db.fetch(
        """
        SELECT e.*, coalesce(extract(epoch FROM now() - e.failing_since), 0)::float8 AS failing_seconds,
               coalesce(s.version, 1) AS version, s.previous_until,
               coalesce(s.previous_until > now(), false) AS also_previous,
               cardinality(array(
                   SELECT t FROM unnest(array_prepend(s.previous_until, s.older_until)) t WHERE t > now()
               )) AS earlier
        FROM webhook_endpoint e LEFT JOIN webhook_secret s ON s.subject = e.id
        WHERE e.account_id = $1 AND e.livemode = $2 AND NOT e.hidden AND e.id < coalesce($3, '~')
        ORDER BY e.id DESC LIMIT $4
        """,
        account_id,
        livemode,
        after,
        limit,
    ))  # fmt: skip


async def count_endpoints(connection: Connection, account_id: str, livemode: bool) -> int:
    """How many an account has; until the transaction ends nobody adds one."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('endpoints ' || $1, 0))", account_id)
    return await connection.fetchval(
        "SELECT count(*) FROM webhook_endpoint WHERE account_id = $1 AND livemode = $2 AND NOT hidden",
        account_id,
        livemode,
    )


async def insert_endpoint(
    connection: Connection, endpoint_id: str, account_id: str, livemode: bool, wanted: Mapping[str, Any]
) -> None:
    """A new endpoint."""
    await connection.execute(
        """
        INSERT INTO webhook_endpoint (id, account_id, livemode, url, event_types, name, description, signs)
        VALUES ($1, $2, $3, $4, $5, coalesce($6, ''), coalesce($7, ''), coalesce($8, '{v1}'::text[]))
        """,
        endpoint_id,
        account_id,
        livemode,
        wanted["url"],
        wanted["event_types"],
        wanted["name"],
        wanted["description"],
        wanted["signs"],
    )


async def update_endpoint(connection: Connection, endpoint_id: str, wanted: Mapping[str, Any]) -> None:
    """Change what is not None; a new address begins without the old one's failures."""
    await connection.execute(
        """
        UPDATE webhook_endpoint e SET url = n.url, event_types = n.event_types, name = n.name,
            description = n.description, signs = n.signs,
            failures = CASE WHEN e.url = n.url THEN failures ELSE 0 END,
            failing_since = CASE WHEN e.url = n.url THEN failing_since END,
            closed_until = CASE WHEN e.url = n.url THEN closed_until END,
            warned = warned AND e.url = n.url, slow = slow AND e.url = n.url,
            updated_at = CASE WHEN (e.url, e.event_types, e.name, e.description, e.signs)
                IS DISTINCT FROM (n.url, n.event_types, n.name, n.description, n.signs) THEN now() ELSE updated_at END
        FROM (
            SELECT coalesce($2, url) AS url, coalesce($3, event_types) AS event_types, coalesce($4, name) AS name,
                   coalesce($5, description) AS description, coalesce($6, signs) AS signs
            FROM webhook_endpoint WHERE id = $1
        ) n
        WHERE e.id = $1
        """,
        endpoint_id,
        wanted["url"],
        wanted["event_types"],
        wanted["name"],
        wanted["description"],
        wanted["signs"],
    )


async def delete_endpoints(connection: Connection, ids: Sequence[str]) -> None:
    """Delete endpoints with their secrets. They are locked by now; `delete_deliveries` follows when it is committed."""
    await connection.execute(
        """
        WITH gone AS (DELETE FROM webhook_endpoint WHERE id = ANY ($1))
        DELETE FROM webhook_secret WHERE subject = ANY ($1)
        """,
        ids,
    )


async def rotate_secret(connection: Connection, subject: str, keep_seconds: float) -> int:
    """The next version signs; the one before as well, for so long, and those before it that did. Returns the version.

    If none is kept, all of them end.
    """
    return await connection.fetchval(
        """
        WITH touched AS (UPDATE webhook_endpoint SET updated_at = now() WHERE id = $1)
        INSERT INTO webhook_secret AS old (subject, version, previous_until, rotated_at)
        VALUES ($1, 2, now() + $2 * interval '1 second', now())
        ON CONFLICT (subject) DO UPDATE SET version = old.version + 1, previous_until = excluded.previous_until,
            rotated_at = now(),
            older_until = CASE WHEN $2 > 0 THEN (array_prepend(old.previous_until, old.older_until))[1:3]
                ELSE '{}'::timestamptz[] END
        RETURNING version
        """,
        subject,
        keep_seconds,
    )


async def secret_of(db: Database, subject: str) -> Secret:
    """A subject's secret; one that was never rotated has the first version."""
    record = await db.fetchrow(
        """
        SELECT version, rotated_at, previous_until, coalesce(previous_until > now(), false) AS also_previous
        FROM webhook_secret WHERE subject = $1
        """,
        subject,
    )
    return (
        row(Secret, record) if record else Secret(version=1, rotated_at=None, previous_until=None, also_previous=False)
    )
