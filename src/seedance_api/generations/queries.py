"""SQL of generations: reads, and the guarded moves between states.

Each move says which state and version it expects. When it touches no row the claim was lost to another worker: the
caller then writes nothing at all.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from seedance_api.billing.rows import Sale
from seedance_api.catalog.order import Order
from seedance_api.catalog.tokens import nominal_seconds
from seedance_api.foundation.db import Connection, Database, affected, row, rows
from seedance_api.generations.rows import (
    Called,
    Claimed,
    Generation,
    Inputs,
    Leftover,
    Leftovers,
    Mendable,
    Opened,
    Running,
    Seen,
    Step,
    Tried,
    Unsent,
)
from seedance_api.providers.provider import Operation, Original, Output

DRAFT_SECONDS = 86_400
"""How long after its end a final take can be made of a draft: as long as its prompt is kept."""


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


async def claim(db: Database, ids: Sequence[str], lease_seconds: float) -> dict[str, Claimed]:
    """Own the next steps of those of these generations that one is due of and that nobody else owns."""
    found = await db.fetch(
        """
        WITH due AS (
            SELECT id AS own_id FROM generation
            WHERE id = ANY ($1) AND state IN ('submitting', 'running', 'storing') AND due_at <= now()
              AND (claimed_until IS NULL OR claimed_until <= now())
            ORDER BY id FOR NO KEY UPDATE SKIP LOCKED  -- one that is locked must not hold up the rest; it is swept
        )
        UPDATE generation
        SET version = version + 1, claimed_until = now() + $2 * interval '1 second'
        FROM due WHERE id = due.own_id
        RETURNING generation.*, deadline_at <= now() AS past_deadline,
            extract(epoch FROM deadline_at - now())::float8 AS seconds_left,
            (SELECT regions FROM account WHERE account.id = account_id) AS regions,
            draft_id IS NOT NULL OR EXISTS (
                SELECT 1 FROM generation_media m WHERE m.generation_id = generation.id AND m.asset IS NOT NULL
            ) AS pinned
        """,
        ids,
        lease_seconds,
    )
    return {one.id: one for one in rows(Claimed, found)}


async def keep_claim(db: Database, generation_id: str, version: int, lease_seconds: float) -> bool:
    """Own the step for longer; False when it was lost."""
    tag = await db.execute(
        "UPDATE generation SET claimed_until = now() + $3 * interval '1 second' WHERE id = $1 AND version = $2",
        generation_id,
        version,
        lease_seconds,
    )
    return affected(tag) == 1


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


async def attempts_under_way(db: Database, ids: Sequence[str]) -> dict[str, Opened]:
    """The attempts under way, by their generations."""
    found = await db.fetch(
        """
        SELECT a.*, extract(epoch FROM now() - a.sent_at)::float8 AS seconds_since, 1 + (
            SELECT count(*) FROM attempt b WHERE b.generation_id = a.generation_id AND b.state = 'lost'
        ) AS number
        FROM attempt a
        WHERE generation_id = ANY ($1) AND state IN ('planned', 'sent', 'acknowledged', 'unknown')
        """,
        ids,
    )
    return {one.generation_id: one for one in rows(Opened, found)}


async def attempts_of(db: Database, generation_id: str) -> list[Tried]:
    """Every attempt at a generation, the first first."""
    return rows(
        Tried, await db.fetch("SELECT * FROM attempt WHERE generation_id = $1 ORDER BY created_at, id", generation_id)
    )


async def count_unserved(db: Database, providers: Sequence[str]) -> dict[str, int]:
    """How many unfinished generations each provider has that is none of these: nobody looks after them."""
    found = await db.fetch(
        """
        SELECT provider, count(*) AS number FROM generation
        WHERE finished_at IS NULL AND state <> 'queued' AND provider <> ALL ($1) GROUP BY provider ORDER BY provider
        """,
        providers,
    )
    return {record["provider"]: record["number"] for record in found}


async def other_operations(db: Database, attempt: Opened) -> frozenset[str]:
    """Ids of the operations of other attempts at the same provider that may have been made since it was sent."""
    found = await db.fetch(
        """
        SELECT operation ->> 'id' AS id FROM attempt
        WHERE provider = $1 AND id <> $2 AND operation IS NOT NULL AND sent_at >= $3::timestamptz - interval '1 hour'
        """,
        attempt.provider,
        attempt.id,
        attempt.sent_at,
    )
    return frozenset(record["id"] for record in found)


async def has_rival(db: Database, attempt: Opened) -> bool:
    """Whether another attempt without an operation may have been sent with the same nonce in the same time.

    No two are; but of one that an older version sent the nonce may not be known.
    """
    return await db.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM attempt
            WHERE provider = $1 AND id <> $2 AND (nonce IS NULL OR nonce = $4) AND operation IS NULL
              AND (state IN ('sent', 'unknown') OR state = 'lost')
              AND sent_at >= $3::timestamptz - interval '1 hour'
        )
        """,
        attempt.provider,
        attempt.id,
        attempt.sent_at,
        attempt.nonce,
    )


async def draft_operation(db: Database, generation_id: str) -> Operation | None:
    """The operation that made the draft that this is the final take of; None when there is no draft."""
    return await db.fetchval(
        """
        SELECT a.operation FROM generation g JOIN attempt a ON a.generation_id = g.draft_id
        WHERE g.id = $1 AND a.state = 'succeeded'
        """,
        generation_id,
    )


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


async def last_operation(db: Database, generation_id: str) -> Operation | None:
    """The operation of the newest attempt that has one."""
    return await db.fetchval(
        "SELECT operation FROM attempt WHERE generation_id = $1 AND operation IS NOT NULL "
        "ORDER BY created_at DESC, id DESC LIMIT 1",  # an id has the time of the worker that made it
        generation_id,
    )


async def claim_checks(db: Database, provider: str, limit: int, seconds: float) -> list[Running]:
    """Take the running generations whose check is due longest, so that no other asks about them for a while.

    Those that somebody is cancelling now are left alone.
    """
    return rows(Running, await db.fetch(
        """
        WITH due AS (
            SELECT id FROM attempt WHERE provider = $1 AND state = 'acknowledged' AND check_at <= now()
            ORDER BY check_at LIMIT $2 FOR UPDATE SKIP LOCKED
        ), taken AS (
            UPDATE attempt a SET check_at = now() + $3 * interval '1 second' FROM due WHERE a.id = due.id
            RETURNING a.*
        )
        SELECT g.id, g.version, g.progress, g.model, g.params, a.id AS attempt_id, a.operation,
               a.begun_at IS NOT NULL AS begun,
               extract(epoch FROM now() - coalesce(a.begun_at, a.sent_at))::float8 AS seconds
        FROM taken a JOIN generation g ON g.id = a.generation_id
        WHERE g.state = 'running' AND (g.claimed_until IS NULL OR g.claimed_until <= now())
        """,
        provider,
        limit,
        seconds,
    ))  # fmt: skip


async def running_attempt(db: Database, attempt_id: str) -> tuple[str, Running] | None:
    """The provider and the running generation of an attempt, unless it is over or somebody is cancelling it."""
    found = await db.fetchrow(
        """
        SELECT g.id, g.version, g.progress, g.model, g.params, a.id AS attempt_id, a.operation,
               a.begun_at IS NOT NULL AS begun,
               extract(epoch FROM now() - coalesce(a.begun_at, a.sent_at))::float8 AS seconds, a.provider
        FROM attempt a JOIN generation g ON g.id = a.generation_id
        WHERE a.id = $1 AND a.state = 'acknowledged' AND g.state = 'running'
          AND (g.claimed_until IS NULL OR g.claimed_until <= now())
        """,
        attempt_id,
    )
    return (found["provider"], row(Running, found)) if found else None


async def put_off_checks(db: Database, ids: Sequence[str], seconds: Sequence[float], begun: Sequence[bool]) -> None:
    """When to ask about these attempts next, and which have begun. One called about meanwhile stays in front."""
    await db.execute(
        """
        UPDATE attempt a SET check_at = now() + n.seconds * interval '1 second',
            begun_at = CASE WHEN n.begun THEN coalesce(a.begun_at, now()) END
        FROM (
            -- in one order, so that a lap that was slow and the next one cannot wait for each other
            SELECT b.id, n.seconds, n.begun FROM attempt b
            JOIN unnest($1::text[], $2::float8[], $3::bool[]) AS n (id, seconds, begun) USING (id)
            WHERE b.state = 'acknowledged' AND b.check_at > to_timestamp(0) ORDER BY b.id FOR NO KEY UPDATE OF b
        ) n
        WHERE a.id = n.id
        """,
        ids,
        seconds,
        begun,
    )


async def seconds_to_check(db: Database, provider: str) -> float | None:
    """Seconds until the next check is due; None when nothing runs."""
    return await db.fetchval(
        """
        SELECT extract(epoch FROM min(check_at) - now())::float8 FROM attempt
        WHERE provider = $1 AND state = 'acknowledged'
        """,
        provider,
    )


async def lock_dispatch(connection: Connection, provider: str) -> bool:
    """One dispatch for a provider at a time, so that its slots are counted exactly. False while there is another."""
    return await connection.fetchval(
        "SELECT pg_try_advisory_xact_lock(hashtextextended('dispatch ' || $1, 0))", provider
    )


async def next_in_queue(
    connection: Connection, provider: str, slots: Mapping[str, int], at_once: int, an_account: int
) -> list[str]:
    """The queued generations to start now: fair among accounts, oldest first within one.

    `slots` by model, `at_once` of all models, and `an_account` bound what is under way at the provider.
    """
    found = await connection.fetch(
        """
        WITH busy AS (
            SELECT account_id, model, count(*) AS under_way FROM generation
            WHERE provider = $1 AND state IN ('submitting', 'running') GROUP BY account_id, model
        ), by_account AS (
            SELECT account_id, sum(under_way)::bigint AS under_way FROM busy GROUP BY account_id
        ), free AS (
            SELECT s.model, least(
                s.slots - coalesce((SELECT sum(under_way) FROM busy WHERE busy.model = s.model), 0),
                $4 - coalesce((SELECT sum(under_way) FROM busy), 0)
            )::bigint AS slots
            FROM unnest($2::text[], $3::int[]) AS s (model, slots)
        ), oldest AS (
            SELECT next.id, waiting.account_id, waiting.model
            FROM (SELECT DISTINCT account_id, model FROM generation WHERE provider = $1 AND state = 'queued') waiting
            JOIN free ON free.model = waiting.model AND free.slots > 0
            CROSS JOIN LATERAL (
                SELECT id FROM generation
                WHERE provider = $1 AND state = 'queued' AND account_id = waiting.account_id
                  AND model = waiting.model
                ORDER BY id LIMIT free.slots
            ) next
        ), turns AS (
            SELECT o.id, o.model, coalesce(b.under_way, 0) + row_number() OVER (PARTITION BY o.account_id ORDER BY o.id)
                AS turn
            FROM oldest o LEFT JOIN by_account b ON b.account_id = o.account_id
        ), places AS (
            SELECT id, model, turn, row_number() OVER (PARTITION BY model ORDER BY turn, id) AS place
            FROM turns WHERE turn <= $5
        )
        SELECT id FROM places JOIN free USING (model) WHERE place <= slots
        ORDER BY turn, id
        LIMIT greatest(0, $4 - coalesce((SELECT sum(under_way) FROM busy), 0)::bigint)
        """,
        provider,
        list(slots),
        list(slots.values()),
        at_once,
        an_account,
    )
    return [record["id"] for record in found]


async def reroute(connection: Connection, name: str, other: str, models: Sequence[str], region: str | None) -> int:
    """Move queued generations to another provider, where their accounts' data may go; returns how many.

    Drafts and assets are known to their own provider only, so what needs one of those stays.
    """
    tag = await connection.execute(
        """
        UPDATE generation g SET provider = $2, version = g.version + 1
        FROM account a
        WHERE g.provider = $1 AND g.state = 'queued' AND g.livemode AND g.model = ANY ($3) AND g.draft_id IS NULL
          AND NOT EXISTS (SELECT 1 FROM generation_media m WHERE m.generation_id = g.id AND m.asset IS NOT NULL)
          AND a.id = g.account_id AND ($4::text IS NULL OR a.regions IS NULL OR $4 = ANY (a.regions))
        """,
        name,
        other,
        models,
        region,
    )
    return affected(tag)


async def is_acknowledged(db: Database, attempt_id: str) -> bool:
    """Whether it is known that the provider has it."""
    return await db.fetchval("SELECT state = 'acknowledged' FROM attempt WHERE id = $1", attempt_id) or False


async def note_callback(connection: Connection, attempt_id: str, told: str | None) -> Called | None:
    """Note what a callback said, and that the attempt is due before all; None when it is over or none of ours."""
    # the generation first, as everybody locks them
    await connection.execute(
        """
        SELECT FROM generation WHERE id = (SELECT generation_id FROM attempt WHERE id = $1) FOR NO KEY UPDATE
        """,
        attempt_id,
    )
    found = await connection.fetchrow(
        """
        WITH called AS (
            UPDATE attempt SET told = coalesce(told, $2), check_at = to_timestamp(0)
            WHERE id = $1 AND state IN ('sent', 'unknown', 'acknowledged')
            RETURNING generation_id, provider, state = 'acknowledged' AS acknowledged
        ), due AS (
            UPDATE generation g SET due_at = now() FROM called
            WHERE g.id = called.generation_id AND NOT called.acknowledged AND g.state = 'submitting'
        )
        SELECT * FROM called
        """,
        attempt_id,
        told,
    )
    return row(Called, found) if found else None


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


async def lock_generations(connection: Connection, ids: Sequence[str]) -> None:
    """Lock several in the order of their ids, so that two that lock several cannot wait for each other."""
    await connection.execute("SELECT FROM generation WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE", ids)


async def to_running(connection: Connection, ids: Sequence[str], versions: Sequence[int]) -> set[str]:
    """submitting → running; returns those that moved."""
    found = await connection.fetch(
        """
        UPDATE generation SET state = 'running', version = generation.version + 1, tries = 0, claimed_until = NULL,
            due_at = CASE WHEN cancel_requested_at IS NULL THEN deadline_at ELSE now() END,
            started_at = coalesce(started_at, now())
        FROM unnest($1::text[], $2::int[]) AS n (own_id, expected)
        WHERE id = n.own_id AND version = n.expected AND state = 'submitting' RETURNING id
        """,
        ids,
        versions,
    )
    return {record["id"] for record in found}


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


async def to_completed(connection: Connection, generation_id: str, version: int, output: Output) -> bool:
    """storing → completed, with what was measured on the file. Of a draft, a final take can be made from now on."""
    tag = await connection.execute(
        """
        UPDATE generation SET state = 'completed', version = version + 1, claimed_until = NULL,
            output = $3, progress = 100, finished_at = now(),
            draft_until = CASE WHEN (params ->> 'draft')::bool THEN least(now() + $4 * interval '1 second', (
                SELECT min(f.expires_at) FROM generation_media m JOIN file f ON f.id = m.file_id
                WHERE m.generation_id = generation.id
            )) END
        WHERE id = $1 AND version = $2 AND state = 'storing'
        """,
        generation_id,
        version,
        output,
        DRAFT_SECONDS,
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


async def announce(connection: Connection, ids: Sequence[str]) -> None:
    """Tell every process, on commit, that these generations changed."""
    await connection.execute("SELECT pg_notify('generation', id) FROM unnest($1::text[]) AS id", ids)


async def plan_attempts(connection: Connection, provider: str, ids: list[str], generation_ids: list[str]) -> None:
    """New attempts at a provider, planned."""
    await connection.execute(
        "INSERT INTO attempt (id, generation_id, provider) SELECT n.id, n.g, $3 FROM unnest($1::text[], $2::text[])"
        " AS n (id, g)",
        ids,
        generation_ids,
        provider,
    )


async def attempts_sent(
    connection: Connection, provider: str, ids: Sequence[str], seconds_left: Sequence[float]
) -> dict[str, int]:
    """planned → sent, before a byte leaves; returns those that moved, each with its nonce.

    A nonce is free when no attempt waits for an answer with it, and when what was sent with it and given up was sent
    more than an hour ago: by its time that cannot be taken for this one. When all are taken, no attempt moves.
    """
    found = await connection.fetch(
        """
        WITH taken AS MATERIALIZED (
            SELECT nonce FROM attempt WHERE provider = $3 AND state IN ('sent', 'unknown') AND nonce IS NOT NULL
            UNION
            SELECT nonce FROM attempt
            WHERE provider = $3 AND state = 'lost' AND sent_at > now() - interval '1 hour' AND nonce IS NOT NULL
        ), drawn AS MATERIALIZED (  -- in turn, so that concurrent transactions draw different ones
            SELECT nextval('attempt_nonce_turn')::smallint AS nonce, number
            FROM generate_series(1, cardinality($1::text[]) + (SELECT count(*) FROM taken)) AS number
        ), free AS (
            SELECT nonce, row_number() OVER (ORDER BY min(number)) AS place
            FROM drawn WHERE nonce NOT IN (SELECT nonce FROM taken) GROUP BY nonce
        ), n AS (
            SELECT * FROM unnest($1::text[], $2::float8[]) WITH ORDINALITY AS n (own_id, seconds_left, place)
        )
        UPDATE attempt SET state = 'sent', sent_at = now(), seconds_left = n.seconds_left, nonce = free.nonce
        FROM n JOIN free USING (place)
        WHERE id = n.own_id AND state = 'planned' RETURNING id, attempt.nonce
        """,
        ids,
        seconds_left,
        provider,
    )
    return {record["id"]: record["nonce"] for record in found}


async def attempts_acknowledged(
    connection: Connection, attempt_ids: Sequence[str], operations: Sequence[Operation]
) -> None:
    """sent or unknown → acknowledged."""
    await connection.execute(
        """
        UPDATE attempt SET state = 'acknowledged', operation = n.operation
        FROM unnest($1::text[], $2::jsonb[]) AS n (own_id, operation)
        WHERE id = n.own_id AND state IN ('sent', 'unknown')
        """,
        attempt_ids,
        operations,
    )


async def attempt_unknown(connection: Connection, attempt_id: str, reason: str) -> None:
    """sent → unknown."""
    await connection.execute(
        "UPDATE attempt SET state = 'unknown', reason = $2 WHERE id = $1 AND state = 'sent'",
        attempt_id,
        reason,
    )


async def attempt_rejected(connection: Connection, attempt_id: str, reason: str, original: Original | None) -> None:
    """planned or sent → rejected."""
    await connection.execute(
        """
        UPDATE attempt SET state = 'rejected', reason = $2, original = $3, resolved_at = now()
        WHERE id = $1 AND state IN ('planned', 'sent')
        """,
        attempt_id,
        reason,
        original,
    )


async def attempts_succeeded(connection: Connection, attempt_ids: Sequence[str]) -> None:
    """acknowledged → succeeded."""
    await connection.execute(
        "UPDATE attempt SET state = 'succeeded', resolved_at = now() WHERE id = ANY ($1) AND state = 'acknowledged'",
        attempt_ids,
    )


async def attempt_failed(connection: Connection, attempt_id: str, reason: str, original: Original | None) -> None:
    """acknowledged → failed."""
    await connection.execute(
        """
        UPDATE attempt SET state = 'failed', reason = $2, original = $3, resolved_at = now()
        WHERE id = $1 AND state = 'acknowledged'
        """,
        attempt_id,
        reason,
        original,
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


async def mendable(db: Database, generation_id: str) -> Mendable | None:
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
    return row(Mendable, found) if found else None


async def uncovered_steps(connection: Connection, limit: int) -> list[Step]:
    """Unfinished generations whose step is due and that nobody owns."""
    return rows(Step, await connection.fetch(
        """
        SELECT id, version, provider, state FROM generation
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
        SELECT id, version, provider, state FROM generation WHERE state = 'queued' AND deadline_at <= now()
        ORDER BY deadline_at LIMIT $1
        """,
        limit,
    ))  # fmt: skip


async def unsent_behind(db: Database, behind: str, limit: int) -> list[Unsent]:
    """Live generations that no upstream was sent, as far as is written here, with their planned attempts."""
    return rows(Unsent, await db.fetch(
        """
        SELECT g.id, g.version, g.provider, a.id AS attempt_id
        FROM generation g LEFT JOIN attempt a ON a.generation_id = g.id AND a.resolved_at IS NULL
        WHERE g.livemode AND g.id > $1
          AND (g.state = 'queued' OR (g.state = 'submitting' AND a.state = 'planned'))
        ORDER BY g.id LIMIT $2
        """,
        behind,
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
