"""SQL of the hidden endpoints that stand for the `webhook_url` of requests."""

from collections.abc import Sequence
from datetime import datetime

from seedance_api.foundation.address import host_of
from seedance_api.foundation.db import Connection


async def hidden_endpoints(
    connection: Connection, keys: Sequence[tuple[str, bool, str]]
) -> dict[tuple[str, bool, str], str]:
    """Those of these hidden endpoints that there are, by account, mode and address; locked against being deleted."""
    records = await connection.fetch(
        """
        SELECT e.id, e.account_id, e.livemode, e.url
        FROM unnest($1::text[], $2::bool[], $3::text[]) AS n (account_id, livemode, url)
        JOIN webhook_endpoint e USING (account_id, livemode, url) WHERE e.hidden FOR KEY SHARE OF e
        """,
        *_columns(keys),
    )
    return {(record["account_id"], record["livemode"], record["url"]): record["id"] for record in records}


async def insert_hidden_endpoints(
    connection: Connection, ids: Sequence[str], keys: Sequence[tuple[str, bool, str]]
) -> None:
    """Hidden endpoints, unless another has just made them.

    There may be one for each video: whether its host is slow is known from the one before it.
    """
    await connection.execute(
        """
        INSERT INTO webhook_endpoint (id, account_id, livemode, hidden, url, event_types, host, slow)
        SELECT id, account_id, livemode, true, url, '{}', host, coalesce((
            SELECT e.slow FROM webhook_endpoint e
            WHERE e.hidden AND e.account_id = n.account_id AND e.host = n.host ORDER BY e.id DESC LIMIT 1
        ), false)
        FROM unnest($1::text[], $2::text[], $3::bool[], $4::text[], $5::text[])
            AS n (id, account_id, livemode, url, host)
        ON CONFLICT (account_id, livemode, url) WHERE hidden DO NOTHING
        """,
        ids,
        *_columns(keys),
        [host_of(url) for _, _, url in keys],
    )


async def enable_hidden(connection: Connection, ids: Sequence[str]) -> None:
    """A request that names an address again has it tried again."""
    await connection.execute(
        """
        UPDATE webhook_endpoint SET disabled_at = NULL, disabled_by = NULL, failures = 0, failing_since = NULL,
            closed_until = NULL, warned = false
        WHERE id IN (
            SELECT id FROM webhook_endpoint WHERE id = ANY ($1) AND disabled_at IS NOT NULL
            ORDER BY id FOR NO KEY UPDATE
        )
        """,
        ids,
    )


async def lock_unused_hidden(
    connection: Connection, keep_days: int, after: tuple[datetime, str], limit: int
) -> list[tuple[datetime, str]]:
    """Old hidden endpoints behind one that nothing seems to need, the oldest first, by age and id.

    Those that a create uses now are skipped.
    """
    records = await connection.fetch(
        """
        SELECT e.created_at, e.id FROM webhook_endpoint e
        WHERE e.hidden AND e.created_at < now() - $1 * interval '1 day' AND (e.created_at, e.id) > ($2, $3)
          AND NOT EXISTS (SELECT FROM delivery d WHERE d.endpoint_id = e.id)
        ORDER BY e.created_at, e.id LIMIT $4 FOR UPDATE SKIP LOCKED
        """,
        keep_days,
        *after,
        limit,
    )
    return [(record["created_at"], record["id"]) for record in records]


async def still_unused(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Those of these endpoints that no unfinished generation names and that have no deliveries."""
    records = await connection.fetch(
        """
        SELECT n.id FROM unnest($1::text[]) AS n (id)
        WHERE NOT EXISTS (SELECT FROM delivery d WHERE d.endpoint_id = n.id)
          AND NOT EXISTS (
              SELECT FROM generation g WHERE g.webhook_endpoint_id = n.id AND g.finished_at IS NULL)
        """,
        ids,
    )
    return [record["id"] for record in records]


def _columns(keys: Sequence[tuple[str, bool, str]]) -> tuple[list[str], list[bool], list[str]]:
    return [one for one, _, _ in keys], [one for _, one, _ in keys], [one for _, _, one in keys]
