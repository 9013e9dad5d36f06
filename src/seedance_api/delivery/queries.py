"""SQL of delivered content: stored, served, delivered."""

from collections.abc import Sequence

from seedance_api.delivery.rows import Asset, Delivered, Held, Life, Suspect
from seedance_api.foundation.db import Connection, Database, affected, row
from seedance_api.providers.provider import is_sandbox

_FRAGMENTS = 256
"""Ranges that are remembered of one file. Who reads it in more pieces, none beside another, says so himself."""


async def insert_content(connection: Connection, generation_id: str, keep_seconds: int, assets: list[Asset]) -> None:
    """Write what was stored, with the time of its end, its grace, and when its owner is warned of the end."""
    await connection.execute(
        """
        INSERT INTO content (generation_id, purge_at, grace_seconds, warn_at)
        SELECT id, now() + $2 * interval '1 second', grace_seconds,
               now() + ($2 - least($2 / 4, 21600)) * interval '1 second'
        FROM generation WHERE id = $1
        """,
        generation_id,
        keep_seconds,
    )
    await insert_assets(connection, generation_id, assets)


async def insert_assets(connection: Connection, generation_id: str, assets: Sequence[Asset]) -> None:
    """Name the objects of a generation."""
    await connection.executemany(
        """
        INSERT INTO asset (generation_id, variant, object_key, media_type, bytes, sha256)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        [
            (generation_id, asset.variant, asset.object_key, asset.media_type, asset.bytes, asset.sha256)
            for asset in assets
        ],
    )


async def asset_of(db: Database, generation_id: str, variant: str) -> Held | None:
    """The asset while it may still be served."""
    record = await db.fetchrow(
        """
        SELECT a.variant, a.object_key, a.media_type, a.bytes, a.sha256, a.generation_id, g.account_id, g.livemode,
               g.finished_at, c.purge_at, c.delivered_at IS NOT NULL AS delivered, a.damaged_at IS NOT NULL AS damaged,
               c.lost_at IS NOT NULL AS lost
        FROM asset a
        JOIN content c USING (generation_id)
        JOIN generation g ON g.id = a.generation_id
        WHERE a.generation_id = $1 AND a.variant = $2
          AND c.state <> 'purged' AND c.purge_at > now() AND g.deleted_at IS NULL
        """,
        generation_id,
        variant,
    )
    return row(Held, record) if record else None


async def digest_of(db: Database, generation_id: str, variant: str) -> str | None:
    """The digest of a file that is withdrawn, or deleted already."""
    return await db.fetchval(
        """
        SELECT sha256 FROM asset WHERE generation_id = $1 AND variant = $2
        UNION ALL
        SELECT digest FROM deletion WHERE generation_id = $1 AND what = $2 AND name = ''
        LIMIT 1
        """,
        generation_id,
        variant,
    )


async def owner_of(db: Database, generation_id: str) -> tuple[str, bool] | None:
    """The account and mode of a generation, also of a deleted one."""
    record = await db.fetchrow("SELECT account_id, livemode FROM generation WHERE id = $1", generation_id)
    return (record["account_id"], record["livemode"]) if record else None


async def life_of(db: Database, account_id: str, livemode: bool, generation_id: str) -> Life | None:
    """How far the content of a generation of the account and mode is; None where there is no such generation."""
    record = await db.fetchrow(
        """
        SELECT g.deleted_at IS NOT NULL AS deleted, c.state,
               ARRAY(SELECT variant FROM asset a WHERE a.generation_id = g.id) AS variants
        FROM generation g LEFT JOIN content c ON c.generation_id = g.id
        WHERE g.id = $1 AND g.account_id = $2 AND g.livemode = $3
        """,
        generation_id,
        account_id,
        livemode,
    )
    return row(Life, record) if record else None


async def note_served(db: Database, generation_id: str, sha256: str, start: int, end: int) -> Suspect | None:
    """Add a range to what was served of the video; the video when now nothing is missing, though it is not delivered.

    None for one that is delivered, damaged, or another by now.
    """
    record = await db.fetchrow(
        """
        WITH kept AS MATERIALIZED (  -- its row first, as everybody does who changes both
            SELECT generation_id FROM content WHERE generation_id = $1 AND state = 'stored' FOR NO KEY UPDATE
        ), before AS (
            SELECT a.*, served + int8multirange(int8range($3, $4)) AS now_served
            FROM asset a JOIN kept USING (generation_id)
            WHERE variant = 'video' AND sha256 = $2 AND damaged_at IS NULL
            FOR NO KEY UPDATE OF a  -- so that it is read as another piece, noted meanwhile, has left it
        ), noted AS (
            UPDATE asset SET served = now_served FROM before
            WHERE asset.generation_id = before.generation_id AND asset.variant = 'video'
              AND asset.served <> now_served
              AND (SELECT count(*) FROM unnest(now_served)) <= $5
        )
        SELECT generation_id, object_key, bytes, sha256 FROM before WHERE now_served @> int8range(0, bytes)
        """,
        generation_id,
        sha256,
        start,
        end,
        _FRAGMENTS,
    )
    return row(Suspect, record) if record else None


async def deliver(db: Database, whole: Suspect) -> bool:
    """Every byte of it was served, and each was right: it is delivered. False when that was known, or it is damaged."""
    tag = await db.execute(
        """
        WITH kept AS MATERIALIZED (
            SELECT generation_id FROM content WHERE generation_id = $1 AND state = 'stored' FOR NO KEY UPDATE
        ), a AS (
            UPDATE asset SET verified_at = now() FROM kept
            WHERE asset.generation_id = kept.generation_id AND object_key = $2 AND damaged_at IS NULL
            RETURNING asset.generation_id
        )
        UPDATE content SET state = 'delivered', delivered_at = now(), delivered_by = 'served', warn_at = NULL,
            purge_at = least(purge_at, now() + grace_seconds * interval '1 second')
        FROM a WHERE content.generation_id = a.generation_id AND state = 'stored'
        """,
        whole.generation_id,
        whole.object_key,
    )
    return affected(tag) == 1


async def confirm(connection: Connection, generation_id: str) -> bool:
    """The owner says that he has it; False when that was known."""
    tag = await connection.execute(
        """
        UPDATE content SET state = 'delivered', delivered_at = now(), delivered_by = 'confirmed', warn_at = NULL,
            purge_at = least(purge_at, now() + grace_seconds * interval '1 second')
        WHERE generation_id = $1 AND state = 'stored'
        """,
        generation_id,
    )
    return affected(tag) == 1


async def take_warnings(connection: Connection, limit: int) -> list[str]:
    """Content that nobody has fetched and that goes soon, each once."""
    records = await connection.fetch(
        """
        UPDATE content SET warn_at = NULL WHERE generation_id IN (
            SELECT generation_id FROM content
            WHERE warn_at <= now() AND state = 'stored' AND purge_at > now()
            ORDER BY warn_at LIMIT $1 FOR UPDATE SKIP LOCKED
        ) RETURNING generation_id
        """,
        limit,
    )
    return sorted(record["generation_id"] for record in records)


async def delivered_as(db: Database, sha256: str) -> Delivered | None:
    """What we know of a file by its digest; of purged videos too."""
    record = await db.fetchrow(
        """
        SELECT g.model, g.provider FROM generation g WHERE g.id = (
            SELECT generation_id FROM asset WHERE sha256 = $1
            UNION ALL SELECT generation_id FROM deletion WHERE digest = $1 AND what = 'video'
            LIMIT 1
        )
        """,
        sha256,
    )
    return Delivered(model=record["model"], sandbox=is_sandbox(record["provider"])) if record else None
