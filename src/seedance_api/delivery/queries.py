"""SQL of delivered content."""

from datetime import datetime

import msgspec

from seedance_api.foundation.db import Connection, Database, row, rows


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """A stored file of a generation: `video`, `last_frame` or `thumbnail`. `sha256` is in hexadecimal."""

    variant: str
    object_key: str
    media_type: str
    bytes: int
    sha256: str


class Held(Asset, frozen=True, kw_only=True):
    """An asset with whom it belongs to and how long it stays."""

    account_id: str
    livemode: bool
    finished_at: datetime
    purge_at: datetime


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """Whose work a file is that we delivered; its content may be purged since."""

    model: str
    sandbox: bool


async def insert_content(connection: Connection, generation_id: str, keep_seconds: int, assets: list[Asset]) -> None:
    """Write what was stored, with the time of its end."""
    await connection.execute(
        "INSERT INTO content (generation_id, purge_at) VALUES ($1, now() + $2 * interval '1 second')",
        generation_id,
        keep_seconds,
    )
    await connection.executemany(
        """
        INSERT INTO asset (generation_id, variant, object_key, media_type, bytes, sha256)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        [(generation_id, one.variant, one.object_key, one.media_type, one.bytes, one.sha256) for one in assets],
    )


async def asset_of(db: Database, generation_id: str, variant: str) -> Held | None:
    """The asset while it may still be served."""
    found = await db.fetchrow(
        """
        SELECT a.variant, a.object_key, a.media_type, a.bytes, a.sha256, g.account_id, g.livemode, g.finished_at,
               c.purge_at
        FROM asset a
        JOIN content c USING (generation_id)
        JOIN generation g ON g.id = a.generation_id
        WHERE a.generation_id = $1 AND a.variant = $2
          AND c.state <> 'purged' AND c.purge_at > now() AND g.deleted_at IS NULL
        """,
        generation_id,
        variant,
    )
    return row(Held, found) if found else None


async def withdraw(db: Database, generation_id: str) -> None:
    """Stop serving a generation's content, from this moment on."""
    await db.execute(
        "UPDATE content SET state = 'purged', purged_at = now() WHERE generation_id = $1 AND state <> 'purged'",
        generation_id,
    )


async def assets_of(db: Database, generation_id: str) -> list[Asset]:
    """Every asset whose object may still exist."""
    found = await db.fetch(
        "SELECT variant, object_key, media_type, bytes, sha256 FROM asset WHERE generation_id = $1",
        generation_id,
    )
    return rows(Asset, found)


async def delete_assets(db: Database, generation_id: str) -> None:
    """Forget the assets of withdrawn content, once their objects are gone."""
    await db.execute("DELETE FROM asset WHERE generation_id = $1", generation_id)


async def due_for_purge(db: Database, limit: int) -> list[str]:
    """Content past its time, and withdrawn content whose objects were not deleted yet."""
    found = await db.fetch(
        """
        SELECT generation_id FROM content WHERE state <> 'purged' AND purge_at <= now()
        UNION
        SELECT a.generation_id FROM asset a JOIN content c USING (generation_id) WHERE c.state = 'purged'
        LIMIT $1
        """,
        limit,
    )
    return [record["generation_id"] for record in found]


async def delivered_as(db: Database, sha256: str) -> Delivered | None:
    """What we know of a file by its digest; of purged videos too."""
    found = await db.fetchrow(
        """
        SELECT g.model, g.provider = 'sandbox' AS sandbox FROM generation g WHERE g.id = (
            SELECT generation_id FROM asset WHERE sha256 = $1
            UNION ALL SELECT generation_id FROM deletion WHERE digest = $1 AND what = 'video'
            LIMIT 1
        )
        """,
        sha256,
    )
    return row(Delivered, found) if found else None
