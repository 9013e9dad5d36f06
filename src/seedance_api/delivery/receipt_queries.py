"""SQL of receipts: what was deleted of a generation, and what is still kept."""

from collections.abc import Sequence

from seedance_api.delivery.rows import Deletion, Kept, Line
from seedance_api.foundation.db import Connection, Database, rows


async def insert_deletions(connection: Connection, lines: Sequence[Line]) -> None:
    """Write lines of receipts. One that is there stays as it is."""
    if not lines:
        return
    await connection.execute(
        """
        INSERT INTO deletion (generation_id, what, place, name, reason, digest, bytes)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])
        ON CONFLICT DO NOTHING
        """,
        [line.generation_id for line in lines],
        [line.what for line in lines],
        [line.place for line in lines],
        [line.name for line in lines],
        [line.reason for line in lines],
        [line.digest for line in lines],
        [line.bytes for line in lines],
    )


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
