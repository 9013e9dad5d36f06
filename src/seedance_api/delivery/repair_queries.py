"""SQL of content that is compared with its digests, and of what is damaged or lost."""

from collections.abc import Sequence

from seedance_api.delivery.queries import insert_assets
from seedance_api.delivery.rows import Asset, Suspect
from seedance_api.foundation.db import Connection, Database, rows


async def unverified(db: Database, limit: int, hours: float) -> list[Suspect]:
    """Objects of content that were not compared with their digests for so long: those that never were come first."""
    return rows(Suspect, await db.fetch(
        """
        SELECT a.generation_id, a.object_key, a.bytes, a.sha256 FROM asset a JOIN content c USING (generation_id)
        WHERE a.damaged_at IS NULL AND a.verified_at < now() - $2 * interval '1 hour' AND c.state <> 'purged'
        ORDER BY a.verified_at LIMIT $1
        """,
        limit,
        hours,
    ))  # fmt: skip


async def note_verified(db: Database, object_key: str, generation_id: str) -> None:
    """An object is what was put there; one that was taken for damaged, too."""
    await db.execute(
        """
        WITH kept AS MATERIALIZED (
            SELECT generation_id FROM content WHERE generation_id = $1 FOR NO KEY UPDATE
        ), a AS (
            UPDATE asset SET verified_at = now(), damaged_at = NULL FROM kept
            WHERE asset.generation_id = kept.generation_id AND object_key = $2
        )
        UPDATE content SET mend_at = NULL, lost_at = NULL FROM kept
        WHERE content.generation_id = kept.generation_id AND mend_at IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM asset WHERE generation_id = $1 AND object_key <> $2 AND damaged_at IS NOT NULL
        )
        """,
        generation_id,
        object_key,
    )


async def note_damaged(connection: Connection, object_key: str, generation_id: str) -> bool:
    """An object is not what was put there: nothing of it counts as served. False when that was known, or it is gone."""
    found = await connection.fetchval(
        """
        WITH c AS (
            UPDATE content SET mend_at = coalesce(mend_at, now()) WHERE generation_id = $1 AND state <> 'purged'
            RETURNING generation_id
        )
        UPDATE asset SET damaged_at = now(), served = '{}' FROM c
        WHERE asset.generation_id = c.generation_id AND object_key = $2 AND damaged_at IS NULL RETURNING 1
        """,
        generation_id,
        object_key,
    )
    return found is not None


async def take_damaged(connection: Connection, limit: int, seconds: float) -> list[str]:
    """Damaged content that is to be mended now; it is not taken again for so long."""
    records = await connection.fetch(
        """
        UPDATE content SET mend_at = now() + $2 * interval '1 second' WHERE generation_id IN (
            SELECT generation_id FROM content WHERE mend_at <= now() AND state <> 'purged'
            ORDER BY mend_at LIMIT $1 FOR UPDATE SKIP LOCKED
        ) RETURNING generation_id
        """,
        limit,
        seconds,
    )
    return [record["generation_id"] for record in records]


async def note_lost(connection: Connection, generation_id: str, seconds: float) -> bool:
    """Nobody has the content any more, as it seems: it is looked for again in a while. False when that was known."""
    found = await connection.fetchval(
        """
        UPDATE content c SET lost_at = coalesce(c.lost_at, now()), mend_at = now() + $2 * interval '1 second'
        FROM content before WHERE before.generation_id = c.generation_id AND c.generation_id = $1
          AND c.state <> 'purged' RETURNING before.lost_at IS NULL
        """,
        generation_id,
        seconds,
    )
    return found is True


async def replace_assets(connection: Connection, generation_id: str, assets: Sequence[Asset]) -> list[str] | None:
    """Name other objects for content that is still kept; returns those named before, None when it is withdrawn."""
    kept = await connection.fetchval(
        "SELECT 1 FROM content WHERE generation_id = $1 AND state <> 'purged' FOR UPDATE", generation_id
    )
    if not kept:
        return None
    records = await connection.fetch("DELETE FROM asset WHERE generation_id = $1 RETURNING object_key", generation_id)
    await insert_assets(connection, generation_id, assets)
    await connection.execute(
        "UPDATE content SET mend_at = NULL, lost_at = NULL WHERE generation_id = $1", generation_id
    )
    return [record["object_key"] for record in records]


async def videos_behind(db: Database, behind: str, limit: int) -> list[tuple[str, str]]:
    """Generations whose content is not purged, in the order of their ids, each with the key of its video."""
    records = await db.fetch(
        """
        SELECT generation_id, object_key FROM asset JOIN content USING (generation_id)
        WHERE variant = 'video' AND state <> 'purged' AND generation_id > $1 ORDER BY generation_id LIMIT $2
        """,
        behind,
        limit,
    )
    return [(record["generation_id"], record["object_key"]) for record in records]


async def providers_of(connection: Connection, ids: Sequence[str]) -> dict[str, list[str]]:
    """The generations that each provider has made."""
    records = await connection.fetch(
        "SELECT provider, array_agg(id) AS ids FROM generation WHERE id = ANY ($1) GROUP BY provider", list(ids)
    )
    return {record["provider"]: record["ids"] for record in records}
