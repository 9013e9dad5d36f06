"""Erase: prompt, metadata and inputs of generations go; what went stands on their receipts, in the same transaction."""

from collections.abc import Sequence

from seedance_api.delivery.receipt_queries import insert_deletions
from seedance_api.delivery.rows import Cleared, Line
from seedance_api.foundation.db import Connection, Database, rows


async def delete_prompt(db: Database, generation_id: str) -> None:
    """Forget the prompt and the metadata of a generation, the assets it names, and what its upstream said of them."""
    async with db.transaction() as connection:
        gone = await connection.fetch(
            """
            WITH prompts AS (DELETE FROM generation_input WHERE generation_id = $1 RETURNING generation_id),
                labels AS (
                    UPDATE generation SET metadata = '{}' WHERE id = $1 AND metadata <> '{}' RETURNING id
                ),
                words AS (UPDATE attempt SET original = NULL WHERE generation_id = $1 AND original IS NOT NULL),
                assets AS (DELETE FROM generation_media WHERE generation_id = $1 AND asset IS NOT NULL)
            SELECT generation_id, 'prompt' AS what, 'database' AS place, 'requested' AS reason FROM prompts
            UNION ALL SELECT id, 'metadata', 'database', 'requested' FROM labels
            """,
            generation_id,
        )
        await insert_deletions(connection, rows(Line, gone))


async def delete_old_prompts(db: Database, limit: int) -> int:
    """Forget the prompts of generations that have been finished for a day, as `delete_prompt`; returns how many."""
    async with db.transaction() as connection:
        gone = await connection.fetch(
            """
            WITH prompts AS (
                DELETE FROM generation_input WHERE generation_id IN (
                    SELECT i.generation_id FROM generation_input i JOIN generation g ON g.id = i.generation_id
                    WHERE g.finished_at < now() - interval '24 hours' LIMIT $1
                ) RETURNING generation_id
            ), labels AS (  -- a completed one keeps them as long as its content
                UPDATE generation g SET metadata = '{}' FROM prompts p
                WHERE g.id = p.generation_id AND g.state <> 'completed' AND g.metadata <> '{}' RETURNING g.id
            ), assets AS (
                DELETE FROM generation_media m USING prompts p
                WHERE m.generation_id = p.generation_id AND m.asset IS NOT NULL
            ), words AS (
                UPDATE attempt a SET original = NULL FROM prompts p
                WHERE a.generation_id = p.generation_id AND a.original IS NOT NULL
            )
            SELECT generation_id, 'prompt' AS what, 'database' AS place, 'retention' AS reason FROM prompts
            UNION ALL SELECT id, 'metadata', 'database', 'retention' FROM labels
            """,
            limit,
        )
        lines = rows(Line, gone)
        await insert_deletions(connection, lines)
    return sum(one.what == "prompt" for one in lines)


async def delete_metadata(connection: Connection, cleared: Sequence[Cleared]) -> None:
    """Forget the metadata of generations whose content has just gone."""
    found = await connection.fetch(
        """
        UPDATE generation SET metadata = '{}' WHERE id = ANY ($1) AND metadata <> '{}' RETURNING id
        """,
        [one.generation_id for one in cleared],
    )
    reasons = {one.generation_id: one.reason for one in cleared}
    lines = [
        Line(generation_id=record["id"], what="metadata", place="database", reason=reasons[record["id"]])
        for record in found
    ]
    await insert_deletions(connection, lines)


async def end_drafts_of(connection: Connection, file_ids: Sequence[str]) -> list[str]:
    """A draft without all its inputs is no draft any more: its prompt goes. Returns those that lose one."""
    found = await connection.fetch(
        """
        WITH drafts AS MATERIALIZED (
            SELECT g.id, bool_or(f.expires_at > now()) AS requested
            FROM generation_media m JOIN file f ON f.id = m.file_id JOIN generation g ON g.id = m.generation_id
            WHERE m.file_id = ANY ($1) AND (g.params ->> 'draft')::bool GROUP BY g.id
        ), prompts AS (
            DELETE FROM generation_input i USING drafts d WHERE i.generation_id = d.id RETURNING i.generation_id
        ), assets AS (
            DELETE FROM generation_media m USING prompts p
            WHERE m.generation_id = p.generation_id AND m.asset IS NOT NULL
        )
        SELECT d.id, p.generation_id IS NOT NULL AS had_prompt,
               CASE WHEN d.requested THEN 'requested' ELSE 'retention' END AS reason
        FROM drafts d LEFT JOIN prompts p ON p.generation_id = d.id ORDER BY d.id
        """,
        file_ids,
    )
    lines = [
        Line(generation_id=record["id"], what="prompt", place="database", reason=record["reason"])
        for record in found
        if record["had_prompt"]
    ]
    await insert_deletions(connection, lines)
    return [record["id"] for record in found]


async def end_uses(connection: Connection, file_ids: Sequence[str]) -> None:
    """No generation names these files any more; the receipt of each says so."""
    found = await connection.fetch(
        """
        WITH uses AS (DELETE FROM generation_media WHERE file_id = ANY ($1) RETURNING generation_id, file_id)
        -- where another file of the account has the same object, only the name of it goes
        SELECT DISTINCT u.generation_id, 'input' AS what, f.id AS name,
               CASE WHEN s.shared THEN 'database' ELSE 'object_store' END AS place,
               CASE WHEN f.expires_at > now() THEN 'requested' ELSE 'retention' END AS reason,
               CASE WHEN NOT s.shared THEN f.sha256 END AS digest,
               CASE WHEN NOT s.shared THEN (f.facts ->> 'bytes')::bigint END AS bytes
        FROM uses u JOIN file f ON f.id = u.file_id CROSS JOIN LATERAL (
            SELECT EXISTS (SELECT 1 FROM file o WHERE o.object_key = f.object_key AND o.id <> ALL ($1)) AS shared
        ) s
        """,
        file_ids,
    )
    await insert_deletions(connection, rows(Line, found))
