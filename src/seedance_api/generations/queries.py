"""SQL of generations: reads, and the guarded moves between states.

Each move says which state and version it expects. When it touches no row the claim was lost to another worker: the
caller then writes nothing at all.
"""

from collections.abc import Sequence
from datetime import datetime

from seedance_api.billing.rows import Sale
from seedance_api.catalog.order import Order
from seedance_api.catalog.tokens import nominal_seconds
from seedance_api.foundation.db import Connection, Database, affected, row, rows
from seedance_api.generations.rows import Attempt, Claimed, Generation, Leftovers, Medium, Running, Seen, Step
from seedance_api.providers.provider import Operation, Output


async def seen_by_ids(db: Database, ids: list[str]) -> list[Seen]:
    """The generations with these ids, of any account: the caller compares the owner."""
    return rows(Seen, await db.fetch(
        """
        SELECT g.id, g.account_id, g.livemode, g.provider, g.model, g.params, g.metadata, g.state, g.progress, g.output,
               g.error_code, g.error_message, g.created_at, g.started_at, g.finished_at,
               i.prompt, c.purge_at, c.state AS content_state,
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
    SELECT g.*, i.prompt, c.purge_at, c.state AS content_state,
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
    SELECT g.*, i.prompt, c.purge_at, c.state AS content_state,
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


async def claim(db: Database, generation_id: str, lease_seconds: float) -> Claimed | None:
    """Own the next step of a generation; None when none is due or somebody else owns it."""
    found = await db.fetchrow(
        """
        UPDATE generation
        SET version = version + 1, claimed_until = now() + $2 * interval '1 second'
        WHERE id = $1 AND state IN ('submitting', 'running', 'storing')
          AND due_at <= now()
          AND (claimed_until IS NULL OR claimed_until <= now())
        RETURNING *, deadline_at <= now() AS past_deadline
        """,
        generation_id,
        lease_seconds,
    )
    return row(Claimed, found) if found else None


async def keep_claim(db: Database, generation_id: str, version: int, lease_seconds: float) -> bool:
    """Own the step for longer; False when it was lost."""
    tag = await db.execute(
        "UPDATE generation SET claimed_until = now() + $3 * interval '1 second' WHERE id = $1 AND version = $2",
        generation_id,
        version,
        lease_seconds,
    )
    return affected(tag) == 1


async def prompt_of(db: Database, generation_id: str) -> str | None:
    """The prompt; None once it is purged."""
    return await db.fetchval("SELECT prompt FROM generation_input WHERE generation_id = $1", generation_id)


async def media_of(db: Database, generation_id: str) -> list[Medium]:
    """The inputs in the order they were given."""
    return rows(Medium, await db.fetch(
        """
        SELECT m.role, f.kind, f.object_key, f.facts ->> 'media_type' AS media_type,
               (f.facts ->> 'width')::int AS width, (f.facts ->> 'height')::int AS height,
               (f.facts ->> 'seconds')::float8 AS seconds
        FROM generation_media m JOIN file f ON f.id = m.file_id
        WHERE m.generation_id = $1 ORDER BY m.position
        """,
        generation_id,
    ))  # fmt: skip


async def open_attempt(db: Database, generation_id: str) -> Attempt | None:
    """The attempt under way."""
    found = await db.fetchrow(
        """
        SELECT * FROM attempt
        WHERE generation_id = $1 AND state IN ('planned', 'sent', 'acknowledged', 'unknown')
        """,
        generation_id,
    )
    return row(Attempt, found) if found else None


async def last_operation(db: Database, generation_id: str) -> Operation | None:
    """The operation of the newest attempt that has one."""
    return await db.fetchval(
        "SELECT operation FROM attempt WHERE generation_id = $1 AND operation IS NOT NULL ORDER BY id DESC LIMIT 1",
        generation_id,
    )


async def running_of(db: Database, provider: str, behind: str, limit: int) -> list[Running]:
    """Running generations of a provider that nobody is cancelling now, by id, behind the given one."""
    return rows(Running, await db.fetch(
        """
        SELECT g.id, g.version, g.progress, a.id AS attempt_id, a.operation
        FROM generation g JOIN attempt a ON a.generation_id = g.id AND a.state = 'acknowledged'
        WHERE g.provider = $1 AND g.state = 'running' AND g.id > $2
          AND (g.claimed_until IS NULL OR g.claimed_until <= now())
        ORDER BY g.id LIMIT $3
        """,
        provider,
        behind,
        limit,
    ))  # fmt: skip


async def lock_dispatch(connection: Connection, provider: str) -> None:
    """One dispatch for a provider at a time, so that its slots are counted exactly."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('dispatch ' || $1, 0))", provider)


async def next_in_queue(connection: Connection, provider: str, slots: int) -> list[str]:
    """The queued generations to start now: fair among accounts, oldest first within one."""
    found = await connection.fetch(
        """
        WITH busy AS (
            SELECT account_id, count(*) AS under_way FROM generation
            WHERE provider = $1 AND state IN ('submitting', 'running') GROUP BY account_id
        ),
        free AS (SELECT greatest(0, $2 - coalesce(sum(under_way), 0))::bigint AS slots FROM busy)
        SELECT next.id
        FROM (SELECT DISTINCT account_id FROM generation WHERE provider = $1 AND state = 'queued') waiting
        CROSS JOIN LATERAL (
            SELECT id, row_number() OVER (ORDER BY id) AS turn FROM (
                SELECT id FROM generation
                WHERE provider = $1 AND state = 'queued' AND account_id = waiting.account_id
                ORDER BY id LIMIT (SELECT slots FROM free)
            ) oldest
        ) next
        LEFT JOIN busy ON busy.account_id = waiting.account_id
        ORDER BY next.turn + coalesce(busy.under_way, 0), next.id
        LIMIT (SELECT slots FROM free)
        """,
        provider,
        slots,
    )
    return [record["id"] for record in found]


async def to_submitting(connection: Connection, ids: list[str]) -> list[str]:
    """queued → submitting; returns those that moved."""
    found = await connection.fetch(
        """
        UPDATE generation SET state = 'submitting', version = version + 1, tries = 0, due_at = now()
        WHERE id = ANY ($1) AND state = 'queued' RETURNING id
        """,
        ids,
    )
    return [record["id"] for record in found]


async def to_running(connection: Connection, generation_id: str, version: int) -> bool:
    """submitting → running."""
    tag = await connection.execute(
        """
        UPDATE generation SET state = 'running', version = version + 1, tries = 0, claimed_until = NULL,
            due_at = CASE WHEN cancel_requested_at IS NULL THEN deadline_at ELSE now() END,
            started_at = coalesce(started_at, now())
        WHERE id = $1 AND version = $2 AND state = 'submitting'
        """,
        generation_id,
        version,
    )
    return affected(tag) == 1


async def to_storing(connection: Connection, generation_id: str, version: int, output: Output) -> bool:
    """running → storing."""
    tag = await connection.execute(
        """
        UPDATE generation SET state = 'storing', version = version + 1, tries = 0, claimed_until = NULL,
            due_at = now(), output = $3, progress = 99
        WHERE id = $1 AND version = $2 AND state = 'running'
        """,
        generation_id,
        version,
        output,
    )
    return affected(tag) == 1


async def to_completed(connection: Connection, generation_id: str, version: int, output: Output) -> bool:
    """storing → completed, with what was measured on the file."""
    tag = await connection.execute(
        """
        UPDATE generation SET state = 'completed', version = version + 1, claimed_until = NULL,
            output = $3, progress = 100, finished_at = now()
        WHERE id = $1 AND version = $2 AND state = 'storing'
        """,
        generation_id,
        version,
        output,
    )
    return affected(tag) == 1


async def to_failed(connection: Connection, generation_id: str, version: int, code: str, message: str) -> bool:
    """Any unfinished state → failed."""
    tag = await connection.execute(
        """
        UPDATE generation SET state = 'failed', version = version + 1, claimed_until = NULL,
            error_code = $3, error_message = $4, finished_at = now()
        WHERE id = $1 AND version = $2 AND state IN ('queued', 'submitting', 'running', 'storing')
        """,
        generation_id,
        version,
        code,
        message,
    )
    return affected(tag) == 1


async def to_canceled(connection: Connection, generation_id: str, version: int) -> bool:
    """queued, submitting or running → canceled."""
    tag = await connection.execute(
        """
        UPDATE generation SET state = 'canceled', version = version + 1, claimed_until = NULL, finished_at = now()
        WHERE id = $1 AND version = $2 AND state IN ('queued', 'submitting', 'running')
        """,
        generation_id,
        version,
    )
    return affected(tag) == 1


async def put_off(connection: Connection, generation_id: str, version: int, seconds: float) -> bool:
    """Stay in the state and give the step back, to be tried again in a while."""
    tag = await connection.execute(
        """
        UPDATE generation SET version = version + 1, tries = least(tries + 1, 1000), claimed_until = NULL,
            due_at = least(now() + $3 * interval '1 second', deadline_at)
        WHERE id = $1 AND version = $2
        """,
        generation_id,
        version,
        seconds,
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
    """Hide a finished generation from its owner; False while it is unfinished."""
    tag = await connection.execute(
        "UPDATE generation SET deleted_at = coalesce(deleted_at, now()) WHERE id = $1 AND finished_at IS NOT NULL",
        generation_id,
    )
    return affected(tag) == 1


async def announce(connection: Connection, ids: Sequence[str]) -> None:
    """Tell every process, on commit, that these generations changed."""
    await connection.execute("SELECT pg_notify('generation', id) FROM unnest($1::text[]) AS id", ids)


async def plan_attempts(connection: Connection, ids: list[str], generation_ids: list[str]) -> None:
    """New attempts, planned."""
    await connection.execute(
        "INSERT INTO attempt (id, generation_id) SELECT * FROM unnest($1::text[], $2::text[])",
        ids,
        generation_ids,
    )


async def attempt_sent(connection: Connection, attempt_id: str) -> bool:
    """planned → sent, before a byte leaves."""
    tag = await connection.execute(
        "UPDATE attempt SET state = 'sent', sent_at = now() WHERE id = $1 AND state = 'planned'", attempt_id
    )
    return affected(tag) == 1


async def attempt_acknowledged(connection: Connection, attempt_id: str, operation: Operation) -> None:
    """sent or unknown → acknowledged."""
    await connection.execute(
        "UPDATE attempt SET state = 'acknowledged', operation = $2 WHERE id = $1 AND state IN ('sent', 'unknown')",
        attempt_id,
        operation,
    )


async def attempt_unknown(connection: Connection, attempt_id: str, reason: str) -> None:
    """sent → unknown."""
    await connection.execute(
        "UPDATE attempt SET state = 'unknown', reason = $2 WHERE id = $1 AND state = 'sent'",
        attempt_id,
        reason,
    )


async def attempt_rejected(connection: Connection, attempt_id: str, reason: str) -> None:
    """planned or sent → rejected."""
    await connection.execute(
        """
        UPDATE attempt SET state = 'rejected', reason = $2, resolved_at = now()
        WHERE id = $1 AND state IN ('planned', 'sent')
        """,
        attempt_id,
        reason,
    )


async def attempt_succeeded(connection: Connection, attempt_id: str) -> None:
    """acknowledged → succeeded."""
    await connection.execute(
        "UPDATE attempt SET state = 'succeeded', resolved_at = now() WHERE id = $1 AND state = 'acknowledged'",
        attempt_id,
    )


async def attempt_failed(connection: Connection, attempt_id: str, reason: str) -> None:
    """acknowledged → failed."""
    await connection.execute(
        """
        UPDATE attempt SET state = 'failed', reason = $2, resolved_at = now()
        WHERE id = $1 AND state = 'acknowledged'
        """,
        attempt_id,
        reason,
    )


async def attempt_lost(connection: Connection, attempt_id: str, reason: str) -> None:
    """sent, unknown or acknowledged → lost."""
    await connection.execute(
        """
        UPDATE attempt SET state = 'lost', reason = $2, resolved_at = now()
        WHERE id = $1 AND state IN ('sent', 'unknown', 'acknowledged')
        """,
        attempt_id,
        reason,
    )


async def sale_of(connection: Connection, generation_id: str) -> tuple[Sale, Order]:
    """A generation that its provider has finished, as billing counts it, with its order."""
    found = await connection.fetchrow("SELECT * FROM generation WHERE id = $1", generation_id)
    assert found is not None, "the caller has just moved it"
    made = row(Generation, found)
    output = made.output or Output()
    sale = Sale(
        generation_id=made.id,
        account_id=made.account_id,
        key_id=made.key_id,
        livemode=made.livemode,
        model=made.model,
        resolution=output.resolution or made.params.resolution,
        seconds=made.params.seconds if output.frames is None else nominal_seconds(output.frames),
        tokens=output.tokens,
        quoted_tokens=made.quoted_tokens,
    )
    return sale, made.params


async def leftovers(db: Database, generation_id: str) -> Leftovers | None:
    """What a finished generation may have left at its provider; None while it is unfinished."""
    found = await db.fetchrow(
        """
        SELECT provider, deleted_at IS NOT NULL AS deleted,
               ARRAY(
                   SELECT operation FROM attempt a WHERE a.generation_id = g.id AND operation IS NOT NULL
               ) AS operations
        FROM generation g WHERE id = $1 AND finished_at IS NOT NULL
        """,
        generation_id,
    )
    return row(Leftovers, found) if found else None


async def delete_prompt(db: Database, generation_id: str) -> None:
    """Forget the prompt of a generation."""
    await db.execute("DELETE FROM generation_input WHERE generation_id = $1", generation_id)


async def shorten_inline_files(db: Database, generation_id: str) -> None:
    """Let the files that came inside this request go a day after its end."""
    await db.execute(
        """
        UPDATE file SET expires_at = least(expires_at, now() + interval '24 hours')
        WHERE inline AND id IN (SELECT file_id FROM generation_media WHERE generation_id = $1)
        """,
        generation_id,
    )


async def delete_old_prompts(db: Database) -> int:
    """Forget the prompts of generations that have been finished for a day; returns how many."""
    tag = await db.execute(
        """
        DELETE FROM generation_input WHERE generation_id IN (
            SELECT i.generation_id FROM generation_input i JOIN generation g ON g.id = i.generation_id
            WHERE g.finished_at < now() - interval '24 hours' LIMIT 1000
        )
        """
    )
    return affected(tag)


async def uncovered_steps(connection: Connection, limit: int) -> list[Step]:
    """Unfinished generations whose step is due and that nobody owns."""
    return rows(Step, await connection.fetch(
        """
        SELECT id, version, provider FROM generation
        WHERE finished_at IS NULL AND state <> 'queued' AND due_at <= now()
          AND (claimed_until IS NULL OR claimed_until <= now())
        ORDER BY due_at LIMIT $1
        """,
        limit,
    ))  # fmt: skip


async def overdue_in_queue(db: Database, limit: int) -> list[Step]:
    """Queued generations past their deadline."""
    return rows(Step, await db.fetch(
        """
        SELECT id, version, provider FROM generation WHERE state = 'queued' AND deadline_at <= now()
        ORDER BY deadline_at LIMIT $1
        """,
        limit,
    ))  # fmt: skip


async def providers_with_queue(connection: Connection) -> list[str]:
    """The providers that something waits for."""
    found = await connection.fetch(
        """
        SELECT DISTINCT provider FROM generation WHERE state = 'queued'
        """
    )
    return [record["provider"] for record in found]


async def providers_at_work(connection: Connection) -> list[str]:
    """The providers that something runs at."""
    found = await connection.fetch(
        """
        SELECT DISTINCT provider FROM generation WHERE state = 'running'
        """
    )
    return [record["provider"] for record in found]


async def keys_with_rows(db: Database, keys: list[str]) -> set[str]:
    """Those of the object keys that a row names."""
    found = await db.fetch(
        """
        SELECT object_key FROM asset WHERE object_key = ANY ($1)
        UNION ALL SELECT object_key FROM file WHERE object_key = ANY ($1)
        """,
        keys,
    )
    return {record["object_key"] for record in found}


async def open_attempts(db: Database, ids: list[str]) -> set[str]:
    """Those of these attempts that are under way, or whose file is still to be stored."""
    found = await db.fetch(
        """
        SELECT a.id FROM attempt a JOIN generation g ON g.id = a.generation_id
        WHERE a.id = ANY ($1) AND g.finished_at IS NULL
          AND a.state IN ('planned', 'sent', 'acknowledged', 'unknown', 'succeeded')
        """,
        ids,
    )
    return {record["id"] for record in found}
