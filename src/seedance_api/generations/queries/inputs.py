"""SQL of what a generation is made from: prompt, media and assets."""

from collections.abc import Sequence

from seedance_api.foundation.db import Database, rows
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
