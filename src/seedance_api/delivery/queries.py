"""SQL of delivered content."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from seedance_api.foundation.db import Connection, Database, affected, row, rows

_FRAGMENTS = 256
"""Ranges that are remembered of one file. Who reads it in more pieces, none beside another, says so himself."""


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """A stored file of a generation: `video`, `last_frame` or `thumbnail`. `sha256` is in hexadecimal."""

    variant: str
    object_key: str
    media_type: str
    bytes: int
    sha256: str


class Held(Asset, frozen=True, kw_only=True):
    """An asset with whom it belongs to and how long it stays."""

    generation_id: str
    account_id: str
    livemode: bool
    finished_at: datetime
    purge_at: datetime
    delivered: bool
    damaged: bool
    """Its object is known not to be what was put there."""
    lost: bool
    """It is damaged, and nobody has another copy."""

    @property
    def may_become_delivered(self) -> bool:
        """Whether serving all of it makes the content delivered."""
        return self.variant == "video" and not self.delivered


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """How far the content of a generation is. `state` is None while there is none."""

    deleted: bool
    """Its owner has deleted it."""
    state: str | None
    variants: list[str]


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """An object that is to be compared with its digest."""

    generation_id: str
    object_key: str
    bytes: int
    sha256: str


class Deletion(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was deleted of a generation: what, which, from where, why, when. A row of `deletion`."""

    what: str
    place: str
    name: str
    reason: str
    digest: str | None
    bytes: int | None
    deleted_at: datetime


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of a generation that is still there, and when it goes; None where that is not known yet."""

    what: str
    place: str
    name: str
    goes_at: datetime | None


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """Whose work a file is that we delivered; its content may be purged since."""

    model: str
    sandbox: bool


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
        [(generation_id, one.variant, one.object_key, one.media_type, one.bytes, one.sha256) for one in assets],
    )


async def asset_of(db: Database, generation_id: str, variant: str) -> Held | None:
    """The asset while it may still be served."""
    found = await db.fetchrow(
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
    return row(Held, found) if found else None


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
    found = await db.fetchrow("SELECT account_id, livemode FROM generation WHERE id = $1", generation_id)
    return (found["account_id"], found["livemode"]) if found else None


async def life_of(db: Database, account_id: str, livemode: bool, generation_id: str) -> Life | None:
    """How far the content of a generation of the account and mode is; None where there is no such generation."""
    found = await db.fetchrow(
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
    return row(Life, found) if found else None


async def note_served(db: Database, generation_id: str, sha256: str, start: int, end: int) -> Suspect | None:
    """Add a range to what was served of the video; the video when now nothing is missing, though it is not delivered.

    None for one that is delivered, damaged, or another by now.
    """
    found = await db.fetchrow(
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
    return row(Suspect, found) if found else None


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
    found = await connection.fetch(
        """
        UPDATE content SET mend_at = now() + $2 * interval '1 second' WHERE generation_id IN (
            SELECT generation_id FROM content WHERE mend_at <= now() AND state <> 'purged'
            ORDER BY mend_at LIMIT $1 FOR UPDATE SKIP LOCKED
        ) RETURNING generation_id
        """,
        limit,
        seconds,
    )
    return [record["generation_id"] for record in found]


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
    found = await connection.fetch(
        """
        UPDATE content SET warn_at = NULL WHERE generation_id IN (
            SELECT generation_id FROM content
            WHERE warn_at <= now() AND state = 'stored' AND purge_at > now()
            ORDER BY warn_at LIMIT $1 FOR UPDATE SKIP LOCKED
        ) RETURNING generation_id
        """,
        limit,
    )
    return sorted(record["generation_id"] for record in found)


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
    found = await db.fetch(
        """
        SELECT generation_id FROM content
        WHERE state = 'purged' AND cleared_at IS NULL AND clear_at <= now() ORDER BY clear_at LIMIT $1
        """,
        limit,
    )
    return [record["generation_id"] for record in found]


async def clear_later(db: Database, ids: Sequence[str], seconds: float) -> None:
    """Try these again in a while, so that they keep nobody else's content."""
    await db.execute(
        "UPDATE content SET clear_at = now() + $2 * interval '1 second' WHERE generation_id = ANY ($1)", ids, seconds
    )


async def objects_of(db: Database, ids: Sequence[str]) -> list[str]:
    """Every object that these generations' content may still have."""
    found = await db.fetch("SELECT object_key FROM asset WHERE generation_id = ANY ($1)", ids)
    return [record["object_key"] for record in found]


async def clear(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Forget withdrawn content whose objects are gone, and write its receipt; returns those cleared now."""
    found = await connection.fetch(
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
        ), labels AS (
            UPDATE generation g SET metadata = '{}' FROM mine
            WHERE g.id = mine.generation_id AND g.metadata <> '{}' RETURNING g.id AS generation_id
        ), receipt AS (
            INSERT INTO deletion (generation_id, what, place, reason, digest, bytes)
            SELECT gone.generation_id, gone.variant, 'object_store', cleared.reason, gone.sha256, gone.bytes
            FROM gone JOIN cleared USING (generation_id)
            UNION ALL
            SELECT generation_id, 'metadata', 'database', cleared.reason, NULL, NULL
            FROM labels JOIN cleared USING (generation_id)
            ON CONFLICT DO NOTHING
        )
        SELECT generation_id FROM cleared ORDER BY generation_id
        """,
        ids,
    )
    return [record["generation_id"] for record in found]


async def replace_assets(connection: Connection, generation_id: str, assets: Sequence[Asset]) -> list[str] | None:
    """Name other objects for content that is still kept; returns those named before, None when it is withdrawn."""
    kept = await connection.fetchval(
        "SELECT 1 FROM content WHERE generation_id = $1 AND state <> 'purged' FOR UPDATE", generation_id
    )
    if not kept:
        return None
    found = await connection.fetch("DELETE FROM asset WHERE generation_id = $1 RETURNING object_key", generation_id)
    await insert_assets(connection, generation_id, assets)
    await connection.execute(
        "UPDATE content SET mend_at = NULL, lost_at = NULL WHERE generation_id = $1", generation_id
    )
    return [record["object_key"] for record in found]


async def insert_deletion(connection: Connection, generation_id: str, what: str, place: str, name: str) -> None:
    """A line of the receipt for what is not content. Its reason is its owner's wish, or the end of its time."""
    await connection.execute(
        """
        INSERT INTO deletion (generation_id, what, place, name, reason)
        SELECT id, $2, $3, $4, CASE WHEN deleted_at IS NOT NULL THEN 'requested' ELSE 'retention' END
        FROM generation WHERE id = $1 ON CONFLICT DO NOTHING
        """,
        generation_id,
        what,
        place,
        name,
    )


async def deletions_of(db: Database, generation_id: str) -> list[Deletion]:
    """The lines of a generation's receipt, in the order of time."""
    return rows(
        Deletion,
        await db.fetch(
            "SELECT * FROM deletion WHERE generation_id = $1 ORDER BY deleted_at, what, name", generation_id
        ),
    )


async def kept_of(db: Database, generation_id: str) -> list[Kept]:
    """What is still there of a generation."""
    return rows(Kept, await db.fetch(
        """
        SELECT a.variant AS what, 'object_store' AS place, '' AS name, c.purge_at AS goes_at
        FROM asset a JOIN content c USING (generation_id) WHERE a.generation_id = $1
        UNION ALL
        SELECT 'prompt', 'database', '', g.finished_at + interval '24 hours'
        FROM generation_input i JOIN generation g ON g.id = i.generation_id WHERE g.id = $1
        UNION ALL
        SELECT 'metadata', 'database', '', coalesce(c.purge_at, g.finished_at + interval '24 hours')
        FROM generation g LEFT JOIN content c ON c.generation_id = g.id WHERE g.id = $1 AND g.metadata <> '{}'
        UNION ALL
        SELECT 'input', 'object_store', f.id, f.expires_at
        FROM generation_media m JOIN file f ON f.id = m.file_id WHERE m.generation_id = $1
        UNION ALL
        -- that of a draft stays for final takes; past its time one is still being made, and nobody knows how long
        SELECT 'upstream_copy', a.provider, a.id, CASE
            WHEN g.draft_ended_at IS NOT NULL OR g.draft_until IS NULL THEN c.purge_at
            WHEN g.draft_until > now() THEN greatest(c.purge_at, g.draft_until) END
        FROM attempt a JOIN generation g ON g.id = a.generation_id LEFT JOIN content c USING (generation_id)
        WHERE a.generation_id = $1 AND a.operation IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM deletion d
            WHERE d.generation_id = $1 AND d.what = 'upstream_copy' AND d.name = a.id
        ) AND (  -- an upstream that would not delete it has let it go by itself after that
            c.state <> 'purged' OR (g.draft_until IS NOT NULL AND g.draft_ended_at IS NULL)
            OR greatest(coalesce(g.deleted_at, c.purged_at, g.finished_at, now()), g.draft_ended_at)
                > now() - interval '25 hours'
        )
        ORDER BY 1, 3
        """,
        generation_id,
    ))  # fmt: skip


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


async def videos_behind(db: Database, behind: str, limit: int) -> list[tuple[str, str]]:
    """Generations whose content is not purged, in the order of their ids, each with the key of its video."""
    found = await db.fetch(
        """
        SELECT generation_id, object_key FROM asset JOIN content USING (generation_id)
        WHERE variant = 'video' AND state <> 'purged' AND generation_id > $1 ORDER BY generation_id LIMIT $2
        """,
        behind,
        limit,
    )
    return [(record["generation_id"], record["object_key"]) for record in found]


async def providers_of(connection: Connection, ids: Sequence[str]) -> dict[str, list[str]]:
    """The generations that each provider has made."""
    found = await connection.fetch(
        "SELECT provider, array_agg(id) AS ids FROM generation WHERE id = ANY ($1) GROUP BY provider", list(ids)
    )
    return {record["provider"]: record["ids"] for record in found}
