"""SQL of discrepancies: what an upstream and we do not agree on."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from seedance_api.foundation.db import Connection, Database, row, rows
from seedance_api.generations.states import AttemptState


class Discrepancy(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `discrepancy`."""

    id: str
    provider: str
    kind: str
    operation_id: str
    attempt_id: str | None
    detail: dict[str, Any]
    owner: str = "operator"
    found_at: datetime | None = None
    seen_at: datetime | None = None
    resolved_at: datetime | None = None
    resolution: str | None = None


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that was given up without ever having had an operation, and the account that it was made for."""

    id: str
    account_id: str
    sent_at: datetime
    costed: bool
    nonce: int | None = None


class Ours(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt as reconciliation sees it. `tokens` are those that we believe in; `costed`: its bill is booked."""

    id: str
    operation_id: str | None
    state: AttemptState
    sent_at: datetime | None
    tokens: int | None
    costed: bool


async def now(db: Database) -> datetime:
    """The database's clock."""
    return await db.fetchval("SELECT now()")


async def ours_since(db: Database, provider: str, since: datetime, operation_ids: Sequence[str]) -> list[Ours]:
    """Attempts that were sent since then, and those that have one of these operations, whenever that was."""
    return rows(Ours, await db.fetch(
        """
        SELECT a.id, a.operation ->> 'id' AS operation_id, a.state, a.sent_at,
               (g.output ->> 'tokens')::bigint AS tokens,
               EXISTS (
                   SELECT 1 FROM transfer t
                   WHERE t.account_id = g.account_id AND t.kind = 'upstream' AND t.reference = a.id
               ) OR NOT g.livemode AS costed
        FROM attempt a JOIN generation g ON g.id = a.generation_id
        WHERE a.provider = $1 AND (a.sent_at >= $2 OR a.operation ->> 'id' = ANY ($3))
        """,
        provider,
        since,
        list(operation_ids),
    ))  # fmt: skip


async def lost_since(db: Database, provider: str, since: datetime) -> list[Lost]:
    """Attempts that were given up without an operation: their work may turn up."""
    return rows(Lost, await db.fetch(
        """
        SELECT a.id, g.account_id, a.sent_at, a.nonce, EXISTS (
                   SELECT 1 FROM transfer t
                   WHERE t.account_id = g.account_id AND t.kind = 'upstream' AND t.reference = a.id
               ) OR NOT g.livemode AS costed
        FROM attempt a JOIN generation g ON g.id = a.generation_id
        WHERE a.provider = $1 AND a.state = 'lost' AND a.operation IS NULL AND a.sent_at >= $2
          AND NOT EXISTS (  -- while another is being looked for, what turns up may be its work
              SELECT 1 FROM attempt b JOIN generation h ON h.id = b.generation_id
              WHERE b.provider = $1 AND b.state IN ('sent', 'unknown') AND h.account_id = g.account_id
          )
        """,
        provider,
        since,
    ))  # fmt: skip


async def store(db: Database, found: Sequence[Discrepancy], known: Sequence[str], provider: str) -> None:
    """Write what is new, note that the rest is still so, and close what adds up by now."""
    async with db.transaction() as connection:
        await connection.execute(
            """
            INSERT INTO discrepancy AS d (id, provider, kind, operation_id, attempt_id, detail)
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[])
            ON CONFLICT (provider, operation_id, kind) DO UPDATE SET seen_at = now(), detail = excluded.detail
            """,
            [one.id for one in found],
            [one.provider for one in found],
            [one.kind for one in found],
            [one.operation_id for one in found],
            [one.attempt_id for one in found],
            [one.detail for one in found],
        )
        await connection.execute(
            """
            UPDATE discrepancy SET resolved_at = now(), resolution = 'it adds up now'
            WHERE provider = $1 AND resolved_at IS NULL AND seen_at < now() AND operation_id = ANY ($2)
            """,
            provider,
            list(known),
        )
        await connection.execute(
            """
            UPDATE discrepancy d SET resolved_at = now(), resolution = 'the attempt is over'
            FROM attempt a
            WHERE d.provider = $1 AND d.kind = 'missing' AND d.resolved_at IS NULL AND d.seen_at < now()
              AND a.id = d.attempt_id AND a.resolved_at IS NOT NULL
            """,
            provider,
        )


async def resolve(connection: Connection, one: Discrepancy, resolution: str) -> None:
    """Close the matter."""
    await connection.execute(
        """
        UPDATE discrepancy SET resolved_at = coalesce(resolved_at, now()), resolution = coalesce(resolution, $4)
        WHERE provider = $1 AND operation_id = $2 AND kind = $3
        """,
        one.provider,
        one.operation_id,
        one.kind,
        resolution,
    )


async def resolve_by_id(db: Database, discrepancy_id: str, resolution: str) -> bool:
    """Close the matter by hand; False when it is closed or none."""
    return bool(
        await db.fetchval(
            """
            UPDATE discrepancy SET resolved_at = now(), resolution = $2
            WHERE id = $1 AND resolved_at IS NULL RETURNING true
            """,
            discrepancy_id,
            resolution,
        )
    )


async def generation_of(connection: Connection, attempt_id: str) -> str:
    """Whose attempt it is."""
    return await connection.fetchval("SELECT generation_id FROM attempt WHERE id = $1", attempt_id)


async def count_open(db: Database) -> tuple[int, float]:
    """How many matters are open, and how many hours the oldest has been."""
    found = await db.fetchrow(
        """
        SELECT count(*) AS count, coalesce(extract(epoch FROM now() - min(found_at)) / 3600, 0)::float8 AS hours
        FROM discrepancy WHERE resolved_at IS NULL
        """
    )
    assert found is not None, "a count is always there"
    return found["count"], found["hours"]


async def open_ones(db: Database) -> list[Discrepancy]:
    """Every matter that is open, the oldest first."""
    found = await db.fetch("SELECT * FROM discrepancy WHERE resolved_at IS NULL ORDER BY found_at LIMIT 1000")
    return [row(Discrepancy, record) for record in found]
