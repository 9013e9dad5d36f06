"""SQL of attempts: reads, and the guarded moves between states."""

from collections.abc import Sequence

from seedance_api.foundation.db import Connection, Database, row, rows
from seedance_api.generations.attempt_rows import Called, Opened, Tried
from seedance_api.providers.provider import Operation


async def under_way(db: Database, ids: Sequence[str]) -> dict[str, Opened]:
    """The attempts under way, by their generations."""
    found = await db.fetch(
        """
        SELECT a.*, extract(epoch FROM now() - a.sent_at)::float8 AS seconds_since, 1 + (
            SELECT count(*) FROM attempt b WHERE b.generation_id = a.generation_id AND b.state = 'lost'
        ) AS number
        FROM attempt a
        WHERE generation_id = ANY ($1) AND state IN ('planned', 'sent', 'acknowledged', 'unknown')
        """,
        ids,
    )
    return {one.generation_id: one for one in rows(Opened, found)}


async def of_generation(db: Database, generation_id: str) -> list[Tried]:
    """Every attempt at a generation, the first first."""
    return rows(
        Tried, await db.fetch("SELECT * FROM attempt WHERE generation_id = $1 ORDER BY created_at, id", generation_id)
    )


async def other_operations(db: Database, attempt: Opened) -> frozenset[str]:
    """Ids of the operations of other attempts at the same provider that may have been made since it was sent."""
    found = await db.fetch(
        """
        SELECT operation ->> 'id' AS id FROM attempt
        WHERE provider = $1 AND id <> $2 AND operation IS NOT NULL AND sent_at >= $3::timestamptz - interval '1 hour'
        """,
        attempt.provider,
        attempt.id,
        attempt.sent_at,
    )
    return frozenset(record["id"] for record in found)


async def has_rival(db: Database, attempt: Opened) -> bool:
    """Whether another attempt without an operation may have been sent with the same nonce in the same time.

    No two are; but of one that an older version sent the nonce may not be known.
    """
    return await db.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM attempt
            WHERE provider = $1 AND id <> $2 AND (nonce IS NULL OR nonce = $4) AND operation IS NULL
              AND (state IN ('sent', 'unknown') OR state = 'lost')
              AND sent_at >= $3::timestamptz - interval '1 hour'
        )
        """,
        attempt.provider,
        attempt.id,
        attempt.sent_at,
        attempt.nonce,
    )


async def draft_operation(db: Database, generation_id: str) -> Operation | None:
    """The operation that made the draft that this is the final take of; None when there is no draft."""
    return await db.fetchval(
        """
        SELECT a.operation FROM generation g JOIN attempt a ON a.generation_id = g.draft_id
        WHERE g.id = $1 AND a.state = 'succeeded'
        """,
        generation_id,
    )


async def last_operation(db: Database, generation_id: str) -> Operation | None:
    """The operation of the newest attempt that has one."""
    return await db.fetchval(
        "SELECT operation FROM attempt WHERE generation_id = $1 AND operation IS NOT NULL "
        "ORDER BY created_at DESC, id DESC LIMIT 1",  # an id has the time of the worker that made it
        generation_id,
    )


async def is_acknowledged(db: Database, attempt_id: str) -> bool:
    """Whether it is known that the provider has it."""
    return await db.fetchval("SELECT state = 'acknowledged' FROM attempt WHERE id = $1", attempt_id) or False


async def note_callback(connection: Connection, attempt_id: str, told: str | None) -> Called | None:
    """Note what a callback said, and that the attempt is due before all; None when it is over or none of ours."""
    # the generation first, as everybody locks them
    await connection.execute(
        """
        SELECT FROM generation WHERE id = (SELECT generation_id FROM attempt WHERE id = $1) FOR NO KEY UPDATE
        """,
        attempt_id,
    )
    found = await connection.fetchrow(
        """
        WITH called AS (
            UPDATE attempt SET told = coalesce(told, $2), check_at = to_timestamp(0)
            WHERE id = $1 AND state IN ('sent', 'unknown', 'acknowledged')
            RETURNING generation_id, provider, state = 'acknowledged' AS acknowledged
        ), due AS (
            UPDATE generation g SET due_at = now() FROM called
            WHERE g.id = called.generation_id AND NOT called.acknowledged AND g.state = 'submitting'
        )
        SELECT * FROM called
        """,
        attempt_id,
        told,
    )
    return row(Called, found) if found else None
