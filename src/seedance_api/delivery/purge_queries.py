"""SQL of content that goes: withdrawn, emptied, cleared."""

from collections.abc import Sequence

from seedance_api.delivery.rows import Cleared
from seedance_api.foundation.db import Connection, Database, affected, rows


async def withdraw(db: Database, generation_id: str) -> None:
    """Stop serving a generation's content, from this moment on."""
    await db.execute(
        "UPDATE content SET state = 'purged', purged_at = now() WHERE generation_id = $1 AND state <> 'purged'",
        generation_id,
    )


async def withdraw_due(db: Database, limit: int) -> int:
    """Stop serving the content whose time has come, the longest due first; returns how many."""
    tag = await db.execute(
        """
        UPDATE content SET state = 'purged', purged_at = now() WHERE generation_id IN (
            SELECT generation_id FROM content WHERE state <> 'purged' AND purge_at <= now()
            ORDER BY purge_at LIMIT $1 FOR UPDATE SKIP LOCKED
        )
        """,
        limit,
    )
    return affected(tag)


async def withdrawn(db: Database, limit: int) -> list[str]:
    """Withdrawn content that is to be cleared now, the longest due first."""
    records = await db.fetch(
        """
        SELECT generation_id FROM content
        WHERE state = 'purged' AND cleared_at IS NULL AND clear_at <= now() ORDER BY clear_at LIMIT $1
        """,
        limit,
    )
    return [record["generation_id"] for record in records]


async def clear_later(db: Database, ids: Sequence[str], seconds: float) -> None:
    """Try these again in a while, so that they keep nobody else's content."""
    await db.execute(
        "UPDATE content SET clear_at = now() + $2 * interval '1 second' WHERE generation_id = ANY ($1)", ids, seconds
    )


async def objects_of(db: Database, ids: Sequence[str]) -> list[str]:
    """Every object that these generations' content may still have."""
    records = await db.fetch("SELECT object_key FROM asset WHERE generation_id = ANY ($1)", ids)
    return [record["object_key"] for record in records]


async def clear(connection: Connection, ids: Sequence[str]) -> list[Cleared]:
    """Forget withdrawn content whose objects are gone, and write its receipt; returns those cleared now."""
    records = await connection.fetch(
        """
        WITH mine AS (
            SELECT generation_id FROM content
            WHERE generation_id = ANY ($1) AND state = 'purged' AND cleared_at IS NULL
            ORDER BY generation_id FOR UPDATE SKIP LOCKED
        ), gone AS (
            DELETE FROM asset a USING mine WHERE a.generation_id = mine.generation_id
            RETURNING a.generation_id, a.variant, a.sha256, a.bytes
        ), cleared AS (
            UPDATE content c SET cleared_at = now() FROM mine, generation g
            WHERE c.generation_id = mine.generation_id AND g.id = c.generation_id
            RETURNING c.generation_id, CASE
                WHEN g.deleted_at IS NOT NULL THEN 'requested' WHEN c.delivered_at IS NOT NULL THEN 'delivered'
                ELSE 'expired' END AS reason
        ), receipt AS (
            INSERT INTO deletion (generation_id, what, place, reason, digest, bytes)
            SELECT gone.generation_id, gone.variant, 'object_store', cleared.reason, gone.sha256, gone.bytes
            FROM gone JOIN cleared USING (generation_id)
            ON CONFLICT DO NOTHING
        )
        SELECT generation_id, reason FROM cleared ORDER BY generation_id
        """,
        ids,
    )
    return rows(Cleared, records)
