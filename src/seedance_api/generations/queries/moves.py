"""SQL of generations: the guarded moves between states.

Each move says which state and version it expects. When it touches no row the claim was lost to another worker: the
caller then writes nothing at all. Moves that start or end one tell how long that took since it was ordered.
"""

from collections.abc import Sequence

from seedance_api.foundation.db import Connection, Database, affected, row
from seedance_api.generations.rows import Generation, Span
from seedance_api.providers.provider import Output

DRAFT_SECONDS = 86_400
"""How long after its end a final take can be made of a draft: as long as its prompt is kept."""


async def lock(connection: Connection, ids: Sequence[str]) -> None:
    """Lock several in the order of their ids, so that two that lock several cannot wait for each other."""
    await connection.execute("SELECT FROM generation WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE", ids)


async def to_submitting(connection: Connection, ids: list[str]) -> dict[str, bool]:
    """queued → submitting; returns those that moved, each with whether it leaves the queue for the first time."""
    found = await connection.fetch(
        """
        UPDATE generation SET state = 'submitting', version = version + 1, tries = 0, due_at = now()
        WHERE id = ANY ($1) AND state = 'queued'
        RETURNING id, NOT EXISTS (SELECT FROM attempt a WHERE a.generation_id = generation.id) AS first
        """,
        ids,
    )
    return {record["id"]: record["first"] for record in found}


async def to_queued(connection: Connection, generation_id: str, version: int, provider: str) -> bool:
    """submitting → queued, at another provider."""
    tag = await connection.execute(
        """
        UPDATE generation SET state = 'queued', version = version + 1, tries = 0, claimed_until = NULL,
            due_at = now(), provider = $3
        WHERE id = $1 AND version = $2 AND state = 'submitting'
        """,
        generation_id,
        version,
        provider,
    )
    return affected(tag) == 1


async def to_running(connection: Connection, ids: Sequence[str], versions: Sequence[int]) -> dict[str, Span | None]:
    """submitting → running; returns those that moved, each with its time until its first start."""
    found = await connection.fetch(
        """
        UPDATE generation SET state = 'running', version = generation.version + 1, tries = 0, claimed_until = NULL,
            due_at = CASE WHEN cancel_requested_at IS NULL THEN deadline_at ELSE now() END,
            started_at = coalesce(started_at, now())
        FROM unnest($1::text[], $2::int[]) AS n (own_id, expected)
        WHERE id = n.own_id AND version = n.expected AND state = 'submitting'
        RETURNING id, model, extract(epoch FROM now() - created_at)::float8 AS seconds, started_at = now() AS first
        """,
        ids,
        versions,
    )
    return {record["id"]: Span(record["model"], record["seconds"]) if record["first"] else None for record in found}


async def to_storing(
    connection: Connection, ids: Sequence[str], versions: Sequence[int], outputs: Sequence[Output]
) -> set[str]:
    """running → storing; returns those that moved."""
    found = await connection.fetch(
        """
        UPDATE generation SET state = 'storing', version = generation.version + 1, tries = 0, claimed_until = NULL,
            due_at = now(), output = n.made, progress = 99
        FROM unnest($1::text[], $2::int[], $3::jsonb[]) AS n (own_id, expected, made)
        WHERE id = n.own_id AND version = n.expected AND state = 'running' RETURNING id
        """,
        ids,
        versions,
        outputs,
    )
    return {record["id"] for record in found}


async def to_completed(connection: Connection, generation_id: str, version: int, output: Output) -> Span | None:
    """storing → completed, with what was measured on the file. Of a draft, a final take can be made from now on."""
    found = await connection.fetchrow(
        """
        UPDATE generation SET state = 'completed', version = version + 1, claimed_until = NULL,
            output = $3, progress = 100, finished_at = now(),
            draft_until = CASE WHEN (params ->> 'draft')::bool THEN least(now() + $4 * interval '1 second', (
                SELECT min(f.expires_at) FROM generation_media m JOIN file f ON f.id = m.file_id
                WHERE m.generation_id = generation.id
            )) END
        WHERE id = $1 AND version = $2 AND state = 'storing'
        RETURNING model, extract(epoch FROM now() - created_at)::float8 AS seconds
        """,
        generation_id,
        version,
        output,
        DRAFT_SECONDS,
    )
    return row(Span, found) if found else None


async def to_failed(connection: Connection, generation_id: str, version: int, code: str, message: str) -> Span | None:
    """Any unfinished state → failed."""
    found = await connection.fetchrow(
        """
        UPDATE generation SET state = 'failed', version = version + 1, claimed_until = NULL,
            error_code = $3, error_message = $4, finished_at = now()
        WHERE id = $1 AND version = $2 AND state IN ('queued', 'submitting', 'running', 'storing')
        RETURNING model, extract(epoch FROM now() - created_at)::float8 AS seconds
        """,
        generation_id,
        version,
        code,
        message,
    )
    return row(Span, found) if found else None


async def to_canceled(connection: Connection, generation_id: str, version: int) -> Span | None:
    """queued, submitting or running → canceled."""
    found = await connection.fetchrow(
        """
        UPDATE generation SET state = 'canceled', version = version + 1, claimed_until = NULL, finished_at = now()
        WHERE id = $1 AND version = $2 AND state IN ('queued', 'submitting', 'running')
        RETURNING model, extract(epoch FROM now() - created_at)::float8 AS seconds
        """,
        generation_id,
        version,
    )
    return row(Span, found) if found else None


async def put_off(
    connection: Connection,
    generation_id: str,
    version: int,
    seconds: float,
    *,
    wrong: bool = False,
    waits_for: str | None = None,
) -> bool:
    """Stay in the state and give the step back, to be tried again in a while. It may wait for something of ours."""
    tag = await connection.execute(
        """
        UPDATE generation SET version = version + 1, tries = least(tries + 1, 1000), claimed_until = NULL,
            due_at = least(now() + $3 * interval '1 second', deadline_at),
            wrong_tries = least(wrong_tries + $4::int, 1000), waiting_for = $5,
            waiting_since = CASE WHEN $5::text IS NOT NULL THEN coalesce(waiting_since, now()) END
        WHERE id = $1 AND version = $2
        """,
        generation_id,
        version,
        seconds,
        int(wrong),
        waits_for,
    )
    return affected(tag) == 1


async def wait_for_watch(connection: Connection, generation_id: str, version: int) -> bool:
    """Stay running and give the step back: the provider would not stop, so `watch` has the next word."""
    tag = await connection.execute(
        """
        UPDATE generation SET version = version + 1, claimed_until = NULL, due_at = deadline_at
        WHERE id = $1 AND version = $2 AND state = 'running'
        """,
        generation_id,
        version,
    )
    return affected(tag) == 1


async def set_progress(db: Database, ids: list[str], progress: list[int]) -> None:
    """Raise the progress of running generations and tell the listeners."""
    await db.execute(
        """
        WITH changed AS (
            UPDATE generation g SET progress = n.progress
            FROM unnest($1::text[], $2::int[]) AS n (id, progress)
            WHERE g.id = n.id AND g.state = 'running' AND g.progress < n.progress
            RETURNING g.id
        )
        SELECT count(pg_notify('generation', id)) FROM changed
        """,
        ids,
        progress,
    )


async def request_cancel(connection: Connection, generation_id: str) -> Generation | None:
    """Note that the customer wants it to stop; None when it is finished."""
    found = await connection.fetchrow(
        """
        UPDATE generation SET cancel_requested_at = coalesce(cancel_requested_at, now()), due_at = least(due_at, now())
        WHERE id = $1 AND finished_at IS NULL RETURNING *
        """,
        generation_id,
    )
    return row(Generation, found) if found else None


async def mark_deleted(connection: Connection, generation_id: str) -> bool:
    """Hide a finished generation from its owner, of which no final take is made any more; False while unfinished."""
    tag = await connection.execute(
        """
        UPDATE generation SET deleted_at = coalesce(deleted_at, now()),
            draft_until = CASE WHEN draft_until IS NOT NULL THEN least(draft_until, now()) END
        WHERE id = $1 AND finished_at IS NOT NULL
        """,
        generation_id,
    )
    return affected(tag) == 1


async def shorten_drafts(connection: Connection, ids: Sequence[str]) -> None:
    """Of these drafts no final take can be made from now on."""
    await connection.execute(
        """
        UPDATE generation SET draft_until = now() WHERE id IN (
            SELECT id FROM generation WHERE id = ANY ($1) AND draft_until > now() ORDER BY id FOR NO KEY UPDATE
        )
        """,
        ids,
    )


async def end_drafts(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Note that these drafts have ended, unless a final take is unfinished; returns those that have."""
    found = await connection.fetch(
        """
        UPDATE generation g SET draft_ended_at = now()
        WHERE id = ANY ($1)
          AND NOT EXISTS (SELECT FROM generation f WHERE f.draft_id = g.id AND f.finished_at IS NULL)
        RETURNING id
        """,
        ids,
    )
    return [record["id"] for record in found]


async def notify(connection: Connection, ids: Sequence[str]) -> None:
    """Tell every process, on commit, that these generations changed."""
    await connection.execute("SELECT pg_notify('generation', id) FROM unnest($1::text[]) AS id", ids)
