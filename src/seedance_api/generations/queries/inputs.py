"""SQL of what a generation is made from: prompt, media and assets."""

from collections.abc import Sequence

from seedance_api.foundation.db import Connection, Database, rows
from seedance_api.generations.rows import Inputs


async def inputs_of(db: Database, ids: Sequence[str]) -> dict[str, Inputs]:
    """What each of these generations is made from, its media in the order they were given."""
    found = await db.fetch(
        """
        SELECT g.id AS generation_id, i.prompt, coalesce(m.media, '[]') AS media
        FROM unnest($1::text[]) AS g (id)
        LEFT JOIN generation_input i ON i.generation_id = g.id
        LEFT JOIN LATERAL (
            SELECT jsonb_agg(jsonb_build_object(
                'role', m.role, 'kind', coalesce(m.kind, f.kind), 'object_key', f.object_key, 'asset', m.asset,
                'media_type', f.facts -> 'media_type', 'width', f.facts -> 'width', 'height', f.facts -> 'height',
                'seconds', f.facts -> 'seconds'
            ) ORDER BY m.position) AS media
            FROM generation_media m LEFT JOIN file f ON f.id = m.file_id WHERE m.generation_id = g.id
        ) m ON true
        """,
        ids,
    )
    return {one.generation_id: one for one in rows(Inputs, found)}


async def assets_of(db: Database, generation_id: str) -> list[str]:
    """The `asset://` addresses that a generation is made from."""
    found = await db.fetch(
        "SELECT asset FROM generation_media WHERE generation_id = $1 AND asset IS NOT NULL", generation_id
    )
    return [record["asset"] for record in found]


async def is_composite(db: Database, generation_id: str) -> bool:
    """Whether pictures or videos of the customer go into it, or into the draft that it is the final take of."""
    return await db.fetchval(
        """
        SELECT EXISTS (
            SELECT 1 FROM generation g JOIN generation made ON made.id IN (g.id, g.draft_id)
            WHERE g.id = $1 AND (made.params ->> 'mode' IN ('i2v', 'flf2v') OR EXISTS (
                SELECT 1 FROM generation_media m LEFT JOIN file f ON f.id = m.file_id
                WHERE m.generation_id = made.id AND coalesce(m.kind, f.kind) IS DISTINCT FROM 'audio'
            ))
        )
        """,
        generation_id,
    )


async def delete_prompt(db: Database, generation_id: str) -> None:
    """Forget the prompt and the metadata of a generation, the assets it names, and what its upstream said of them."""
    await db.execute(
        """
        WITH prompts AS (DELETE FROM generation_input WHERE generation_id = $1 RETURNING generation_id),
            labels AS (
                UPDATE generation SET metadata = '{}' WHERE id = $1 AND metadata <> '{}' RETURNING id
            ),
            receipt AS (
                INSERT INTO deletion (generation_id, what, place, reason)
                SELECT generation_id, 'prompt', 'database', 'requested' FROM prompts
                UNION ALL SELECT id, 'metadata', 'database', 'requested' FROM labels
                ON CONFLICT DO NOTHING
            ),
            words AS (UPDATE attempt SET original = NULL WHERE generation_id = $1 AND original IS NOT NULL)
        DELETE FROM generation_media WHERE generation_id = $1 AND asset IS NOT NULL
        """,
        generation_id,
    )


async def delete_old_prompts(db: Database, limit: int) -> int:
    """Forget the prompts of generations that have been finished for a day, as `delete_prompt`; returns how many."""
    return await db.fetchval(
        """
        WITH prompts AS (
            DELETE FROM generation_input WHERE generation_id IN (
                SELECT i.generation_id FROM generation_input i JOIN generation g ON g.id = i.generation_id
                WHERE g.finished_at < now() - interval '24 hours' LIMIT $1
            ) RETURNING generation_id
        ), labels AS (  -- a completed one keeps them as long as its content
            UPDATE generation g SET metadata = '{}' FROM prompts p
            WHERE g.id = p.generation_id AND g.state <> 'completed' AND g.metadata <> '{}' RETURNING g.id
        ), receipt AS (
            INSERT INTO deletion (generation_id, what, place, reason)
            SELECT generation_id, 'prompt', 'database', 'retention' FROM prompts
            UNION ALL SELECT id, 'metadata', 'database', 'retention' FROM labels
            ON CONFLICT DO NOTHING
        ), assets AS (
            DELETE FROM generation_media m USING prompts p
            WHERE m.generation_id = p.generation_id AND m.asset IS NOT NULL
        ), words AS (
            UPDATE attempt a SET original = NULL FROM prompts p
            WHERE a.generation_id = p.generation_id AND a.original IS NOT NULL
        )
        SELECT count(*) FROM prompts
        """,
        limit,
    )


async def shorten_inline_files(connection: Connection, generation_id: str) -> None:
    """Let the files that came inside this request go a day after its end."""
    await connection.execute(
        """
        UPDATE file SET expires_at = least(expires_at, now() + interval '24 hours')
        WHERE inline AND id IN (SELECT file_id FROM generation_media WHERE generation_id = $1)
        """,
        generation_id,
    )
