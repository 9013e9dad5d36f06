"""SQL of work that waits: the queue of a provider, steps that are due, and who owns one."""

from collections.abc import Mapping, Sequence

from seedance_api.foundation.db import Connection, Database, affected, rows
from seedance_api.generations.rows import Claimed, Step, Unsent


async def lock_dispatch(connection: Connection, provider: str) -> bool:
    """One dispatch for a provider at a time, so that its slots are counted exactly. False while there is another."""
    return await connection.fetchval(
        "SELECT pg_try_advisory_xact_lock(hashtextextended('dispatch ' || $1, 0))", provider
    )


async def next_in_queue(
    connection: Connection, provider: str, slots: Mapping[str, int], concurrency: int, account_concurrency: int
) -> list[str]:
    """The queued generations to start now: fair among accounts, oldest first within one.

    `slots` by model, `concurrency` of all models, and `account_concurrency` bound what is under way at the provider.
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
        concurrency,
        account_concurrency,
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
