"""SQL of webhooks.

Who changes how an endpoint stands locks its row first. What follows the lock is a statement of its own, so that it sees
what others committed while it waited. Nothing is done under that lock that takes longer the more deliveries wait.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from seedance_api.foundation.address import host_of
from seedance_api.foundation.db import Connection, Database, affected, row, rows
from seedance_api.foundation.ids import id_at
from seedance_api.foundation.partitions import Parent
from seedance_api.webhooks.decide import OPENS_AT, Attempt, Standing, Verdict
from seedance_api.webhooks.rows import (
    Claimed,
    Delivery,
    DeliveryState,
    DisabledBy,
    Endpoint,
    Event,
    Free,
    Lane,
    Range,
    Secret,
    Waiting,
)

PARTITIONED = (
    Parent(table="delivery", key="event_id", prefix="evt"),
    Parent(table="event", key="id", prefix="evt"),
)
"""The tables that have a partition for each day. A delivery goes before its event: without it, it could not be sent."""

# Events. Their moment is taken once the transaction has an id, and theirs is made of it: `read.py` relies on that. One
# statement, for most accounts have no endpoint and creates are many.


async def insert_events(
    connection: Connection, kind: str, generation_ids: Sequence[str], *, is_final: bool
) -> list[Lane]:
    """Write an event for each generation, and a delivery for each endpoint that is told of it; returns those."""
    return rows(Lane, await connection.fetch(
        """
        WITH told AS MATERIALIZED (
            SELECT g.account_id, g.livemode, g.webhook_endpoint_id, m.moment, event_id(m.moment) AS id,
                   jsonb_strip_nulls(jsonb_build_object(
                       'id', g.id,
                       'status', CASE WHEN g.state IN ('submitting', 'running', 'storing') THEN 'in_progress'
                                      ELSE g.state END,
                       'expires_at', extract(epoch FROM c.purge_at)::bigint,
                       'error', CASE WHEN g.error_code IS NOT NULL THEN jsonb_build_object('code', g.error_code) END
                   )) AS data
            FROM generation g LEFT JOIN content c ON c.generation_id = g.id
            CROSS JOIN LATERAL (
                SELECT event_moment() AS moment WHERE g.id IS NOT NULL AND pg_current_xact_id() IS NOT NULL
            ) m
            WHERE g.id = ANY ($2)
        ), written AS (
            INSERT INTO event (id, account_id, livemode, type, data, created_at)
            SELECT id, account_id, livemode, $1, data, moment FROM told
        ), sent AS (
            INSERT INTO delivery (endpoint_id, event_id, account_id, livemode)
            SELECT e.id, t.id, t.account_id, t.livemode
            FROM told t JOIN webhook_endpoint e ON e.account_id = t.account_id AND e.livemode = t.livemode
            WHERE NOT e.hidden AND e.disabled_at IS NULL AND $1 = ANY (e.event_types)
            UNION ALL
            SELECT e.id, t.id, t.account_id, t.livemode
            FROM told t JOIN webhook_endpoint e ON e.id = t.webhook_endpoint_id
            WHERE $3 AND e.disabled_at IS NULL
            RETURNING endpoint_id
        )
        SELECT id AS endpoint_id, slow FROM webhook_endpoint WHERE id IN (SELECT endpoint_id FROM sent)
        """,
        kind,
        generation_ids,
        is_final,
    ))  # fmt: skip


async def insert_account_events(
    connection: Connection, kinds: Sequence[str], account_ids: Sequence[str], data: Sequence[dict[str, Any]]
) -> list[Lane]:
    """The same for accounts; what costs money is live."""
    return rows(Lane, await connection.fetch(
        """
        WITH told AS MATERIALIZED (
            SELECT n.kind, n.account_id, n.data, m.moment, event_id(m.moment) AS id
            FROM unnest($1::text[], $2::text[], $3::jsonb[]) AS n (kind, account_id, data)
            CROSS JOIN LATERAL (
                SELECT event_moment() AS moment WHERE n.kind IS NOT NULL AND pg_current_xact_id() IS NOT NULL
            ) m
        ), written AS (
            INSERT INTO event (id, account_id, livemode, type, data, created_at)
            SELECT id, account_id, true, kind, data, moment FROM told
        ), sent AS (
            INSERT INTO delivery (endpoint_id, event_id, account_id, livemode)
            SELECT e.id, t.id, t.account_id, true
            FROM told t JOIN webhook_endpoint e ON e.account_id = t.account_id AND e.livemode
            WHERE NOT e.hidden AND e.disabled_at IS NULL AND t.kind = ANY (e.event_types)
            RETURNING endpoint_id
        )
        SELECT id AS endpoint_id, slow FROM webhook_endpoint WHERE id IN (SELECT endpoint_id FROM sent)
        """,
        kinds,
        account_ids,
        data,
    ))  # fmt: skip


# Deliveries


async def lock_endpoints(connection: Connection, ids: Sequence[str]) -> None:
    """Lock several in the order of their ids, so that two that lock several cannot wait for each other."""
    await connection.execute("SELECT FROM webhook_endpoint WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE", ids)


async def lock_free(connection: Connection, ids: Sequence[str]) -> dict[str, Free]:
    """Lock those of these endpoints that nobody has locked; returns them."""
    found = await connection.fetch(
        """
        SELECT id, account_id, reopened_at IS NOT NULL AS reopened FROM webhook_endpoint WHERE id = ANY ($1)
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
        """,
        ids,
    )
    return {one.id: one for one in rows(Free, found)}


async def existing(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of these endpoints that there are."""
    found = await connection.fetch("SELECT id FROM webhook_endpoint WHERE id = ANY ($1)", ids)
    return {record["id"] for record in found}


async def claim(
    connection: Connection,
    wanted: Mapping[str, int],
    *,
    at_once: int,
    opens_at: int,
    lease_seconds: float,
) -> list[Claimed]:
    """Own what is due at these endpoints, longest due first: no more than each has room for. They are locked by now."""
    found = await connection.fetch(
        """
        WITH open AS MATERIALIZED (
            SELECT e.*, least(n.wanted, CASE WHEN e.failures >= $4 THEN 1 ELSE $3 END - (
                SELECT count(*) FROM delivery d
                WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.claimed_until > now()
            )) AS room
            FROM unnest($1::text[], $2::int[]) AS n (own_id, wanted) JOIN webhook_endpoint e ON e.id = n.own_id
            WHERE e.disabled_at IS NULL AND (e.closed_until IS NULL OR e.closed_until <= now())
        ), taken AS (
            UPDATE delivery d SET claimed_until = now() + $5 * interval '1 second'
            FROM open CROSS JOIN LATERAL (
                SELECT event_id FROM (
                    SELECT event_id FROM delivery w
                    WHERE w.endpoint_id = open.id AND w.state = 'pending' AND w.due_at <= now()
                      AND (w.claimed_until IS NULL OR w.claimed_until <= now())
                    ORDER BY w.due_at LIMIT 16  -- so that the planner knows that they are few
                ) few LIMIT greatest(open.room, 0)
            ) due
            WHERE d.endpoint_id = open.id AND d.event_id = due.event_id
            RETURNING d.endpoint_id, d.event_id, d.account_id, d.livemode, d.tries, d.claimed_until
        )
        SELECT t.*, v.type, v.data, v.created_at, o.url, o.hidden, o.signs, o.failures, o.slow,
               coalesce(s.version, 1) AS version, cardinality(array(
                   SELECT u FROM unnest(array_prepend(s.previous_until, s.older_until)) u WHERE u > now()
               )) AS earlier
        FROM taken t JOIN open o ON o.id = t.endpoint_id
        JOIN event v ON v.account_id = t.account_id AND v.livemode = t.livemode AND v.id = t.event_id
        LEFT JOIN webhook_secret s ON s.subject = CASE
            WHEN o.hidden THEN o.account_id || CASE WHEN o.livemode THEN ' live' ELSE ' test' END ELSE o.id END
        ORDER BY t.event_id
        """,
        list(wanted),
        list(wanted.values()),
        at_once,
        opens_at,
        lease_seconds,
    )
    return rows(Claimed, found)


async def deliveries_arrived(db: Database, claimed: Sequence[Claimed], attempts: Sequence[Attempt]) -> None:
    """pending → delivered, of endpoints that stand well. One whose claim was lost is another's to write."""
    await db.execute(
        """
        UPDATE delivery d SET state = 'delivered', tries = d.tries + 1, claimed_until = NULL, ended_at = now(),
            attempts = CASE WHEN jsonb_array_length(attempts) >= 20 THEN attempts - 0 ELSE attempts END || n.new
        FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::jsonb[]) AS n (endpoint_id, event_id, until, new)
        WHERE d.endpoint_id = n.endpoint_id AND d.event_id = n.event_id AND d.state = 'pending'
          AND d.claimed_until = n.until
        """,
        [one.endpoint_id for one in claimed],
        [one.event_id for one in claimed],
        [one.claimed_until for one in claimed],
        attempts,
    )


async def end_try(
    connection: Connection, claimed: Claimed, attempt: Attempt, state: DeliveryState, again_seconds: float
) -> bool:
    """Note a try, and what follows; False when the claim was lost."""
    tag = await connection.execute(
        """
        UPDATE delivery d SET state = $5, tries = tries + 1, claimed_until = NULL,
            ended_at = CASE WHEN $5 <> 'pending' THEN now() END, due_at = now() + $6 * interval '1 second',
            attempts = CASE WHEN jsonb_array_length(attempts) >= 20 THEN attempts - 0 ELSE attempts END || $4::jsonb
        WHERE endpoint_id = $1 AND event_id = $2 AND claimed_until = $3 AND state = 'pending'
        """,
        claimed.endpoint_id,
        claimed.event_id,
        claimed.claimed_until,
        attempt,
        state,
        again_seconds,
    )
    return affected(tag) == 1


async def give_back(connection: Connection, claimed: Claimed) -> None:
    """It is due again, as if it had not been tried; unless the claim was lost."""
    await connection.execute(
        """
        UPDATE delivery SET claimed_until = NULL, due_at = now()
        WHERE endpoint_id = $1 AND event_id = $2 AND claimed_until = $3 AND state = 'pending'
        """,
        claimed.endpoint_id,
        claimed.event_id,
        claimed.claimed_until,
    )


async def standing(connection: Connection, claimed: Claimed) -> Standing | None:
    """How an endpoint stands; None when it is gone. It is locked by now."""
    found = await connection.fetchrow(
        """
        SELECT failures, coalesce(extract(epoch FROM now() - failing_since), 0)::float8 AS failing_seconds, warned,
               slow, url <> $2 AS moved
        FROM webhook_endpoint WHERE id = $1
        """,
        claimed.endpoint_id,
        claimed.url,
    )
    return row(Standing, found) if found else None


async def set_standing(connection: Connection, endpoint_id: str, verdict: Verdict) -> None:
    """Write how an endpoint stands after a try.

    A pause that lasts was begun while this try was under way: that it arrived does not end it.
    """
    await connection.execute(
        """
        UPDATE webhook_endpoint SET failures = $2, slow = $3, warned = $4,
            failing_since = CASE WHEN $2 > 0 THEN coalesce(failing_since, now()) END,
            closed_until = CASE WHEN $2 > 0 THEN greatest(closed_until, now() + $5 * interval '1 second')
                ELSE closed_until END,
            reopened_at = CASE WHEN $6 THEN now() WHEN $2 < $7 THEN reopened_at END
        WHERE id = $1
        """,
        endpoint_id,
        verdict.failures,
        verdict.slow,
        verdict.warned,
        verdict.closed_seconds,
        verdict.reopened,
        OPENS_AT,
    )


async def disable(connection: Connection, endpoint_id: str, by: DisabledBy) -> bool:
    """Send nothing to an endpoint any more; False when it was disabled before. What waits is dropped by and by."""
    tag = await connection.execute(
        """
        UPDATE webhook_endpoint SET disabled_at = now(), disabled_by = $2, updated_at = now()
        WHERE id = $1 AND disabled_at IS NULL
        """,
        endpoint_id,
        by,
    )
    return affected(tag) == 1


async def lock_ended(connection: Connection, endpoint_id: str) -> bool:
    """Whether an endpoint is disabled or gone; until the transaction ends nobody enables it."""
    sql = "SELECT disabled_at IS NOT NULL FROM webhook_endpoint WHERE id = $1 FOR SHARE"
    return await connection.fetchval(sql, endpoint_id) is not False


async def drop_waiting(connection: Connection, endpoint_id: str, most: int) -> int:
    """pending → dropped, for some of what waits for an endpoint that is disabled or gone; returns how many."""
    tag = await connection.execute(
        """
        UPDATE delivery d SET state = 'dropped', ended_at = now(), claimed_until = NULL
        FROM (
            SELECT event_id FROM delivery WHERE endpoint_id = $1 AND state = 'pending'
            ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
        ) few
        WHERE d.endpoint_id = $1 AND d.event_id = few.event_id
        """,
        endpoint_id,
        most,
    )
    return affected(tag)


async def let_go(connection: Connection, ids: Sequence[str], most: int) -> None:
    """Some of what waits for these endpoints since before they reopened is due now. They are locked by now.

    What was tried since then keeps its time. It is the soonest due, so that the others are found from the other end.
    """
    await connection.execute(
        """
        WITH few AS MATERIALIZED (
            SELECT e.id, w.event_id FROM webhook_endpoint e CROSS JOIN LATERAL (
                SELECT event_id FROM delivery d
                WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.due_at > now()
                  AND coalesce((d.attempts -> -1 ->> 'at')::bigint, 0) <= extract(epoch FROM e.reopened_at)
                ORDER BY d.due_at DESC LIMIT $2
            ) w
            WHERE e.id = ANY ($1)
        ), due AS (
            UPDATE delivery d SET due_at = now() FROM few
            WHERE d.endpoint_id = few.id AND d.event_id = few.event_id AND d.state = 'pending'
        )
        UPDATE webhook_endpoint e SET reopened_at = NULL
        WHERE e.id = ANY ($1) AND NOT EXISTS (SELECT FROM few WHERE few.id = e.id)
        """,
        ids,
        most,
    )


async def mark_slow(db: Database, claimed: Claimed) -> None:
    """Have what follows for this endpoint wait among the slow ones, unless it has another address by now."""
    await db.execute(
        "UPDATE webhook_endpoint SET slow = true WHERE id = $1 AND url = $2 AND NOT slow",
        claimed.endpoint_id,
        claimed.url,
    )


async def waiting(db: Database, after: str, limit: int) -> list[Waiting]:
    """The next endpoints behind one for which something waits.

    It walks from one endpoint with something pending to the next, however much is pending at each.
    """
    found = await db.fetch(
        """
        WITH RECURSIVE waiting AS (
            (
                SELECT endpoint_id, 1 AS place FROM delivery WHERE state = 'pending' AND endpoint_id > $1
                ORDER BY endpoint_id LIMIT 1
            )
            UNION ALL
            SELECT (
                SELECT d.endpoint_id FROM delivery d WHERE d.state = 'pending' AND d.endpoint_id > w.endpoint_id
                ORDER BY d.endpoint_id LIMIT 1
            ), w.place + 1 FROM waiting w WHERE w.endpoint_id IS NOT NULL AND w.place < $2
        )
        SELECT w.endpoint_id, e.id IS NULL OR e.disabled_at IS NOT NULL AS ended, coalesce(e.slow, false) AS slow,
               (e.closed_until IS NULL OR e.closed_until <= now()) AND (
                   e.reopened_at IS NOT NULL OR coalesce((
                       SELECT true FROM delivery d
                       WHERE d.endpoint_id = w.endpoint_id AND d.state = 'pending' AND d.due_at <= now()
                         AND (d.claimed_until IS NULL OR d.claimed_until <= now())
                       ORDER BY d.due_at LIMIT 1
                   ), false)
               ) AS due
        FROM waiting w LEFT JOIN webhook_endpoint e ON e.id = w.endpoint_id
        WHERE w.endpoint_id IS NOT NULL ORDER BY w.endpoint_id
        """,
        after,
        limit,
    )
    return rows(Waiting, found)


# Endpoints


async def endpoint(db: Database, endpoint_id: str) -> Endpoint | None:
    """An endpoint, of any account: the caller compares the owner."""
    found = await db.fetchrow(
        """
        SELECT e.*, coalesce(extract(epoch FROM now() - e.failing_since), 0)::float8 AS failing_seconds,
               coalesce(s.version, 1) AS version, s.previous_until,
               coalesce(s.previous_until > now(), false) AS also_previous,
               cardinality(array(
                   SELECT t FROM unnest(array_prepend(s.previous_until, s.older_until)) t WHERE t > now()
               )) AS earlier
        FROM webhook_endpoint e LEFT JOIN webhook_secret s ON s.subject = e.id WHERE e.id = $1
        """,
        endpoint_id,
    )
    return row(Endpoint, found) if found else None


async def endpoints_page(
    db: Database, account_id: str, livemode: bool, *, after: str | None, limit: int
) -> list[Endpoint]:
    """A page of an account's endpoints, newest first."""
    return rows(Endpoint, await db.fetch(
        """
        SELECT e.*, coalesce(extract(epoch FROM now() - e.failing_since), 0)::float8 AS failing_seconds,
               coalesce(s.version, 1) AS version, s.previous_until,
               coalesce(s.previous_until > now(), false) AS also_previous,
               cardinality(array(
                   SELECT t FROM unnest(array_prepend(s.previous_until, s.older_until)) t WHERE t > now()
               )) AS earlier
        FROM webhook_endpoint e LEFT JOIN webhook_secret s ON s.subject = e.id
        WHERE e.account_id = $1 AND e.livemode = $2 AND NOT e.hidden AND e.id < coalesce($3, '~')
        ORDER BY e.id DESC LIMIT $4
        """,
        account_id,
        livemode,
        after,
        limit,
    ))  # fmt: skip


async def count_endpoints(connection: Connection, account_id: str, livemode: bool) -> int:
    """How many an account has; until the transaction ends nobody adds one."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('endpoints ' || $1, 0))", account_id)
    return await connection.fetchval(
        "SELECT count(*) FROM webhook_endpoint WHERE account_id = $1 AND livemode = $2 AND NOT hidden",
        account_id,
        livemode,
    )


async def insert_endpoint(
    connection: Connection, endpoint_id: str, account_id: str, livemode: bool, wanted: Mapping[str, Any]
) -> None:
    """A new endpoint."""
    await connection.execute(
        """
        INSERT INTO webhook_endpoint (id, account_id, livemode, url, event_types, name, description, signs)
        VALUES ($1, $2, $3, $4, $5, coalesce($6, ''), coalesce($7, ''), coalesce($8, '{v1}'::text[]))
        """,
        endpoint_id,
        account_id,
        livemode,
        wanted["url"],
        wanted["event_types"],
        wanted["name"],
        wanted["description"],
        wanted["signs"],
    )


async def update_endpoint(connection: Connection, endpoint_id: str, wanted: Mapping[str, Any]) -> None:
    """Change what is not None; a new address begins without the old one's failures."""
    await connection.execute(
        """
        UPDATE webhook_endpoint e SET url = n.url, event_types = n.event_types, name = n.name,
            description = n.description, signs = n.signs,
            failures = CASE WHEN e.url = n.url THEN failures ELSE 0 END,
            failing_since = CASE WHEN e.url = n.url THEN failing_since END,
            closed_until = CASE WHEN e.url = n.url THEN closed_until END,
            warned = warned AND e.url = n.url, slow = slow AND e.url = n.url,
            updated_at = CASE WHEN (e.url, e.event_types, e.name, e.description, e.signs)
                IS DISTINCT FROM (n.url, n.event_types, n.name, n.description, n.signs) THEN now() ELSE updated_at END
        FROM (
            SELECT coalesce($2, url) AS url, coalesce($3, event_types) AS event_types, coalesce($4, name) AS name,
                   coalesce($5, description) AS description, coalesce($6, signs) AS signs
            FROM webhook_endpoint WHERE id = $1
        ) n
        WHERE e.id = $1
        """,
        endpoint_id,
        wanted["url"],
        wanted["event_types"],
        wanted["name"],
        wanted["description"],
        wanted["signs"],
    )


async def enable(connection: Connection, endpoint_id: str) -> None:
    """Send to an endpoint again, with its failures forgotten; one that is enabled stays as it is."""
    await connection.execute(
        """
        UPDATE webhook_endpoint SET disabled_at = NULL, disabled_by = NULL, failures = 0, failing_since = NULL,
            closed_until = NULL, warned = false, slow = false, updated_at = now()
        WHERE id = $1 AND disabled_at IS NOT NULL
        """,
        endpoint_id,
    )


async def delete_endpoints(connection: Connection, ids: Sequence[str]) -> None:
    """Delete endpoints with their secrets. They are locked by now; `delete_deliveries` follows when it is committed."""
    await connection.execute(
        """
        WITH gone AS (DELETE FROM webhook_endpoint WHERE id = ANY ($1))
        DELETE FROM webhook_secret WHERE subject = ANY ($1)
        """,
        ids,
    )


async def delete_deliveries(db: Database, endpoint_id: str, most: int) -> int:
    """Delete some of what an endpoint had that is no more; returns how many. What is being written just now is left."""
    tag = await db.execute(
        """
        DELETE FROM delivery d USING (
            SELECT event_id FROM delivery WHERE endpoint_id = $1 ORDER BY event_id LIMIT $2 FOR UPDATE SKIP LOCKED
        ) few
        WHERE d.endpoint_id = $1 AND d.event_id = few.event_id
        """,
        endpoint_id,
        most,
    )
    return affected(tag)


async def rotate_secret(connection: Connection, subject: str, keep_seconds: float) -> int:
    """The next version signs; the one before as well, for so long, and those before it that did. Returns the version.

    If none is kept, all of them end.
    """
    return await connection.fetchval(
        """
        WITH touched AS (UPDATE webhook_endpoint SET updated_at = now() WHERE id = $1)
        INSERT INTO webhook_secret AS old (subject, version, previous_until, rotated_at)
        VALUES ($1, 2, now() + $2 * interval '1 second', now())
        ON CONFLICT (subject) DO UPDATE SET version = old.version + 1, previous_until = excluded.previous_until,
            rotated_at = now(),
            older_until = CASE WHEN $2 > 0 THEN (array_prepend(old.previous_until, old.older_until))[1:3]
                ELSE '{}'::timestamptz[] END
        RETURNING version
        """,
        subject,
        keep_seconds,
    )


async def secret_of(db: Database, subject: str) -> Secret:
    """A subject's secret; one that was never rotated has the first version."""
    found = await db.fetchrow(
        """
        SELECT version, rotated_at, previous_until, coalesce(previous_until > now(), false) AS also_previous
        FROM webhook_secret WHERE subject = $1
        """,
        subject,
    )
    return row(Secret, found) if found else Secret(version=1, rotated_at=None, previous_until=None, also_previous=False)


async def hidden_endpoints(
    connection: Connection, keys: Sequence[tuple[str, bool, str]]
) -> dict[tuple[str, bool, str], str]:
    """Those of these hidden endpoints that there are, by account, mode and address; locked against being deleted."""
    found = await connection.fetch(
        """
        SELECT e.id, e.account_id, e.livemode, e.url
        FROM unnest($1::text[], $2::bool[], $3::text[]) AS n (account_id, livemode, url)
        JOIN webhook_endpoint e USING (account_id, livemode, url) WHERE e.hidden FOR KEY SHARE OF e
        """,
        *_columns(keys),
    )
    return {(record["account_id"], record["livemode"], record["url"]): record["id"] for record in found}


async def insert_hidden_endpoints(
    connection: Connection, ids: Sequence[str], keys: Sequence[tuple[str, bool, str]]
) -> None:
    """Hidden endpoints, unless another has just made them.

    There may be one for each video: whether its host is slow is known from the one before it.
    """
    await connection.execute(
        """
        INSERT INTO webhook_endpoint (id, account_id, livemode, hidden, url, event_types, host, slow)
        SELECT id, account_id, livemode, true, url, '{}', host, coalesce((
            SELECT e.slow FROM webhook_endpoint e
            WHERE e.hidden AND e.account_id = n.account_id AND e.host = n.host ORDER BY e.id DESC LIMIT 1
        ), false)
        FROM unnest($1::text[], $2::text[], $3::bool[], $4::text[], $5::text[])
            AS n (id, account_id, livemode, url, host)
        ON CONFLICT (account_id, livemode, url) WHERE hidden DO NOTHING
        """,
        ids,
        *_columns(keys),
        [host_of(url) for _, _, url in keys],
    )


async def enable_hidden(connection: Connection, ids: Sequence[str]) -> None:
    """A request that names an address again has it tried again."""
    await connection.execute(
        """
        UPDATE webhook_endpoint SET disabled_at = NULL, disabled_by = NULL, failures = 0, failing_since = NULL,
            closed_until = NULL, warned = false
        WHERE id IN (
            SELECT id FROM webhook_endpoint WHERE id = ANY ($1) AND disabled_at IS NOT NULL
            ORDER BY id FOR NO KEY UPDATE
        )
        """,
        ids,
    )


async def lock_unused_hidden(
    connection: Connection, keep_days: int, after: tuple[datetime, str], limit: int
) -> list[tuple[datetime, str]]:
    """Old hidden endpoints behind one that nothing seems to need, the oldest first, by age and id.

    Those that a create uses now are skipped.
    """
    found = await connection.fetch(
        """
        SELECT e.created_at, e.id FROM webhook_endpoint e
        WHERE e.hidden AND e.created_at < now() - $1 * interval '1 day' AND (e.created_at, e.id) > ($2, $3)
          AND NOT EXISTS (SELECT FROM delivery d WHERE d.endpoint_id = e.id)
        ORDER BY e.created_at, e.id LIMIT $4 FOR UPDATE SKIP LOCKED
        """,
        keep_days,
        *after,
        limit,
    )
    return [(record["created_at"], record["id"]) for record in found]


async def still_unused(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Those of these endpoints that no unfinished generation names and that have no deliveries."""
    found = await connection.fetch(
        """
        SELECT n.id FROM unnest($1::text[]) AS n (id)
        WHERE NOT EXISTS (SELECT FROM delivery d WHERE d.endpoint_id = n.id)
          AND NOT EXISTS (
              SELECT FROM generation g WHERE g.webhook_endpoint_id = n.id AND g.finished_at IS NULL)
        """,
        ids,
    )
    return [record["id"] for record in found]


def _columns(keys: Sequence[tuple[str, bool, str]]) -> tuple[list[str], list[bool], list[str]]:
    return [one for one, _, _ in keys], [one for _, one, _ in keys], [one for _, _, one in keys]


# What is read of events and deliveries


async def horizon(db: Database) -> datetime:
    """The moment before which every event is visible: that of the oldest transaction that has written anything.

    A transaction that begins to write after this question writes younger events. Of one whose beginning is not known,
    or may not be seen, nothing is supposed: until it has ended no event is before it.
    """
    # first: whoever took a moment up to this one has begun by now
    given: int = await db.fetchval("SELECT last_value FROM event_clock")
    return await db.fetchval(
        """
        SELECT least(
            greatest(now(), timestamptz 'epoch' + ($1::bigint + 1) * interval '1 microsecond'),
            min(coalesce(xact_start, '-infinity'))
        )
        FROM pg_stat_activity
        WHERE backend_xid IS NOT NULL AND datname = current_database() AND pid <> pg_backend_pid()
        """,
        given,
    )


async def events_until(
    db: Database,
    account_id: str,
    livemode: bool,
    until: datetime,
    *,
    after: str | None,
    kind: str | None,
    limit: int,
) -> list[Event]:
    """The oldest events behind one and before a moment."""
    return rows(Event, await db.fetch(
        """
        SELECT id, livemode, type, data, created_at FROM event
        WHERE account_id = $1 AND livemode = $2 AND id > coalesce($3, '') AND created_at < $4
          AND ($5::text IS NULL OR type = $5)
        ORDER BY id LIMIT $6
        """,
        account_id,
        livemode,
        after,
        until,
        kind,
        limit,
    ))  # fmt: skip


async def event(db: Database, account_id: str, livemode: bool, event_id: str) -> Event | None:
    """One event."""
    found = await db.fetchrow(
        """
        SELECT id, livemode, type, data, created_at FROM event WHERE account_id = $1 AND livemode = $2 AND id = $3
        """,
        account_id,
        livemode,
        event_id,
    )
    return row(Event, found) if found else None


async def deliveries_page(
    db: Database, endpoint: Endpoint, *, after: str | None, state: str | None, limit: int
) -> list[Delivery]:
    """A page of an endpoint's deliveries, newest first."""
    return rows(Delivery, await db.fetch(
        """
        SELECT d.event_id, v.type, d.state, d.tries, d.due_at, d.attempts, d.created_at, d.ended_at
        FROM (
            SELECT * FROM delivery
            WHERE endpoint_id = $1 AND event_id < coalesce($2, '~') AND ($3::text IS NULL OR state = $3)
            ORDER BY event_id DESC LIMIT $4
        ) d JOIN event v ON v.account_id = d.account_id AND v.livemode = d.livemode AND v.id = d.event_id
        ORDER BY d.event_id DESC
        """,
        endpoint.id,
        after,
        state,
        limit,
    ))  # fmt: skip


async def replayable(connection: Connection, endpoint: Endpoint, wanted: Range, limit: int) -> list[str]:
    """The ids of the events that are to be sent again, the oldest first; those in line anyway are left out."""
    found = await connection.fetch(
        """
        SELECT v.id FROM event v LEFT JOIN delivery d ON d.endpoint_id = $1 AND d.event_id = v.id
        WHERE v.account_id = $2 AND v.livemode = $3 AND v.id > coalesce($4, '') AND v.id >= $5 AND v.id < $6
          AND ($7::text IS NULL AND v.type = ANY ($8) OR v.id = $7)
          AND (d.state IS DISTINCT FROM 'pending' OR $7 IS NOT NULL)
          AND (NOT $9 OR d.state IS DISTINCT FROM 'delivered')
        ORDER BY v.id LIMIT $10
        """,
        endpoint.id,
        endpoint.account_id,
        endpoint.livemode,
        wanted.after,
        id_at("evt", wanted.since) if wanted.since else "",
        id_at("evt", wanted.until) if wanted.until else "~",
        wanted.event_id,
        endpoint.event_types,
        wanted.only_failed,
        limit,
    )
    return [record["id"] for record in found]


async def put_in_line(connection: Connection, endpoint: Endpoint, event_ids: Sequence[str]) -> None:
    """Deliver these now, whatever became of them before; what waits for a later try is due now, that being its next."""
    await connection.execute(
        """
        INSERT INTO delivery AS old (endpoint_id, event_id, account_id, livemode)
        SELECT $1, id, $3, $4 FROM unnest($2::text[]) AS n (id) ORDER BY id
        ON CONFLICT (endpoint_id, event_id) DO UPDATE SET state = 'pending', due_at = now(), ended_at = NULL,
            tries = CASE WHEN old.state = 'pending' THEN old.tries ELSE 0 END,
            claimed_until = CASE WHEN old.state = 'pending' THEN old.claimed_until END
        """,
        endpoint.id,
        event_ids,
        endpoint.account_id,
        endpoint.livemode,
    )
