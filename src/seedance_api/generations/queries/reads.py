"""SQL of generations: what is read of them."""

from collections.abc import Sequence
from datetime import datetime

from seedance_api.billing.rows import Sale
from seedance_api.catalog.order import Order
from seedance_api.catalog.tokens import nominal_seconds
from seedance_api.foundation.db import Connection, Database, row, rows
from seedance_api.generations.rows import Generation, Leftover, Leftovers, Repairable, Seen
from seedance_api.providers.provider import Output


async def seen_by_ids(db: Database, ids: list[str]) -> list[Seen]:
    """The generations with these ids, of any account: the caller compares the owner."""
    return rows(Seen, await db.fetch(
        """
        SELECT g.id, g.account_id, g.livemode, g.provider, g.model, g.params, g.metadata, g.state, g.progress, g.output,
               g.error_code, g.error_message, g.created_at, g.started_at, g.finished_at,
               g.draft_until, g.draft_ended_at, i.prompt, c.purge_at, c.delivered_at, c.state AS content_state,
               ARRAY(SELECT variant FROM asset a WHERE a.generation_id = g.id) AS variants,
               CASE WHEN g.livemode THEN (SELECT to_jsonb(h) FROM hold h WHERE h.generation_id = g.id) END AS hold
        FROM generation g
        LEFT JOIN generation_input i ON i.generation_id = g.id
        LEFT JOIN content c ON c.generation_id = g.id
        WHERE g.id = ANY ($1) AND g.deleted_at IS NULL
        """,
        ids,
    ))  # fmt: skip


async def page(
    db: Database,
    account_id: str,
    livemode: bool,
    *,
    after: str | None,
    ascending: bool,
    limit: int,
    states: Sequence[str] | None,
    model: str | None,
    since: datetime | None,
    before: datetime | None,
) -> list[Seen]:
    """A page of an account's generations, newest first unless `ascending`, starting behind `after`."""
    found = await db.fetch(
        _PAGE_UP if ascending else _PAGE_DOWN,
        account_id,
        livemode,
        after,
        states,
        model,
        since,
        before,
        limit,
    )
    return rows(Seen, found)


# written out twice, so that each direction walks the index and stops at the limit
_PAGE_DOWN = """
    SELECT g.*, i.prompt, c.purge_at, c.delivered_at, c.state AS content_state,
           ARRAY(SELECT variant FROM asset a WHERE a.generation_id = g.id) AS variants,
           CASE WHEN g.livemode THEN (SELECT to_jsonb(h) FROM hold h WHERE h.generation_id = g.id) END AS hold
    FROM (
        SELECT * FROM generation
        WHERE account_id = $1 AND livemode = $2 AND deleted_at IS NULL AND id < coalesce($3, '~')
          AND ($4::text[] IS NULL OR state = ANY ($4)) AND ($5::text IS NULL OR model = $5)
          AND ($6::timestamptz IS NULL OR created_at >= $6) AND ($7::timestamptz IS NULL OR created_at < $7)
        ORDER BY id DESC LIMIT $8
    ) g
    LEFT JOIN generation_input i ON i.generation_id = g.id
    LEFT JOIN content c ON c.generation_id = g.id
    ORDER BY g.id DESC
"""


_PAGE_UP = """
    SELECT g.*, i.prompt, c.purge_at, c.delivered_at, c.state AS content_state,
           ARRAY(SELECT variant FROM asset a WHERE a.generation_id = g.id) AS variants,
           CASE WHEN g.livemode THEN (SELECT to_jsonb(h) FROM hold h WHERE h.generation_id = g.id) END AS hold
    FROM (
        SELECT * FROM generation
        WHERE account_id = $1 AND livemode = $2 AND deleted_at IS NULL AND id > coalesce($3, '')
          AND ($4::text[] IS NULL OR state = ANY ($4)) AND ($5::text IS NULL OR model = $5)
          AND ($6::timestamptz IS NULL OR created_at >= $6) AND ($7::timestamptz IS NULL OR created_at < $7)
        ORDER BY id LIMIT $8
    ) g
    LEFT JOIN generation_input i ON i.generation_id = g.id
    LEFT JOIN content c ON c.generation_id = g.id
    ORDER BY g.id
"""


async def sale_of(connection: Connection, generation_id: str) -> tuple[Sale, Order]:
    """A generation that its provider has finished, as billing counts it, with its order."""
    return (await sales_of(connection, [generation_id]))[generation_id]


async def sales_of(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[Sale, Order]]:
    """The same for several, all of which are there, by their ids."""
    found = await connection.fetch("SELECT * FROM generation WHERE id = ANY ($1)", ids)
    return {made.id: (_sale(made), made.params) for made in rows(Generation, found)}


def _sale(made: Generation) -> Sale:
    output = made.output or Output()
    return Sale(
        generation_id=made.id,
        account_id=made.account_id,
        key_id=made.key_id,
        livemode=made.livemode,
        provider=made.provider,
        model=made.model,
        resolution=output.resolution or made.params.resolution,
        seconds=made.params.seconds if output.frames is None else nominal_seconds(output.frames),
        tokens=output.tokens,
        quoted_tokens=made.quoted_tokens,
    )


async def leftovers(db: Database, generation_id: str) -> Leftovers | None:
    """What a finished generation may have left at its provider; None while it is unfinished."""
    found = await db.fetchrow(
        """
        SELECT deleted_at IS NOT NULL AS deleted,
               coalesce(c.state = 'purged', false) AS purged,
               draft_until IS NOT NULL AND draft_ended_at IS NULL AS drafting,
               (
                   SELECT coalesce(jsonb_agg(jsonb_build_array(provider, id, operation) ORDER BY id), '[]')
                   FROM attempt a
                   WHERE a.generation_id = g.id AND operation IS NOT NULL AND NOT EXISTS (
                       SELECT 1 FROM deletion d
                       WHERE d.generation_id = g.id AND d.what = 'upstream_copy' AND d.name = a.id
                   )
               ) AS operations
        FROM generation g LEFT JOIN content c ON c.generation_id = g.id
        WHERE g.id = $1 AND finished_at IS NOT NULL
        """,
        generation_id,
    )
    return row(Leftovers, found) if found else None


async def leftover(db: Database, attempt_id: str) -> Leftover | None:
    """What an attempt of a finished generation left at its provider; None when that is gone or there is none."""
    found = await db.fetchrow(
        """
        SELECT a.generation_id, a.provider, a.operation,
               extract(epoch FROM now() - greatest(
                   coalesce(g.deleted_at, c.purged_at, g.finished_at), g.draft_ended_at
               ))::float8 AS seconds
        FROM attempt a JOIN generation g ON g.id = a.generation_id LEFT JOIN content c ON c.generation_id = g.id
        WHERE a.id = $1 AND a.operation IS NOT NULL AND g.finished_at IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM deletion d
            WHERE d.generation_id = g.id AND d.what = 'upstream_copy' AND d.name = a.id
        )
        """,
        attempt_id,
    )
    return row(Leftover, found) if found else None


async def repairable(db: Database, generation_id: str) -> Repairable | None:
    """A completed generation whose content is kept; None for any other."""
    found = await db.fetchrow(
        """
        SELECT g.id, g.account_id, g.version, g.params, g.output, a.provider, a.operation,
               c.delivered_at IS NOT NULL AS delivered, (
            SELECT coalesce(jsonb_agg(to_jsonb(s) - 'served'), '[]') FROM asset s WHERE s.generation_id = g.id
        ) AS assets
        FROM generation g JOIN content c ON c.generation_id = g.id
        JOIN attempt a ON a.generation_id = g.id AND a.state = 'succeeded'
        WHERE g.id = $1 AND g.deleted_at IS NULL AND c.state <> 'purged' AND c.purge_at > now()
        """,
        generation_id,
    )
    return row(Repairable, found) if found else None
