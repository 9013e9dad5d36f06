"""Invariants: what is true at every moment, whatever was killed. Each is questions whose answers are its violations."""

from collections.abc import AsyncIterator
from enum import Enum
from typing import LiteralString

import msgspec

from seedance_api.foundation.db import Database

_SHOWN = 20
_SECONDS = 1800.0


class Ask(Enum):
    """Who can tell more than the database."""

    CLIENT = "client"
    STORE = "store"


class Invariant(msgspec.Struct, frozen=True, kw_only=True):
    """`sql` selects one text for each violation. `missing` says why it cannot be checked yet."""

    name: str
    meaning: str
    sql: tuple[LiteralString, ...] = ()
    ask: Ask | None = None
    missing: str | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """How an invariant stands. At most twenty violations are named; `count` counts them all."""

    name: str
    meaning: str
    count: int
    violations: list[str]
    missing: str | None = None


INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        name="INV-1",
        meaning="the ledger sums to zero per currency, and every balance follows from it",
        sql=(
            """
            SELECT format('ledger: %s sums to %s', currency, sum(amount)) FROM ledger l
            GROUP BY currency HAVING sum(amount) <> 0
            """,
            """
            SELECT format('wallet %s: has %s available and %s held, its transfers make %s and %s', w.account_id,
                          w.available, w.held, coalesce(l.available, 0), coalesce(l.held, 0))
            FROM wallet w FULL JOIN (
                SELECT account_id, sum(amount) FILTER (WHERE name = 'available') AS available,
                       sum(amount) FILTER (WHERE name = 'held') AS held
                FROM ledger WHERE name IN ('available', 'held') GROUP BY account_id
            ) l USING (account_id)
            WHERE w.account_id IS NULL OR w.available <> coalesce(l.available, 0) OR w.held <> coalesce(l.held, 0)
            """,
            """
            SELECT format('transfer %s: in %s, the wallet of %s in %s', t.id, t.currency, t.account_id, w.currency)
            FROM transfer t JOIN wallet w USING (account_id) WHERE t.currency <> w.currency
            """,
            """
            SELECT format('wallet %s: %s held, its open holds make %s', w.account_id, w.held, coalesce(h.held, 0))
            FROM wallet w LEFT JOIN (
                SELECT account_id, sum(amount) AS held FROM hold WHERE state = 'held' GROUP BY account_id
            ) h USING (account_id) WHERE w.held <> coalesce(h.held, 0)
            """,
            """
            SELECT format('wallet %s: %s granted, its grants make %s', w.account_id, w.granted, coalesce(g.left, 0))
            FROM wallet w LEFT JOIN (
                SELECT account_id, sum(remaining) AS left FROM credit_grant GROUP BY account_id
            ) g USING (account_id) WHERE w.granted <> coalesce(g.left, 0)
            """,
            """
            WITH cost AS (
                SELECT account_id, key_id, counted_on,
                       sum(CASE state WHEN 'held' THEN amount ELSE coalesce(charged, 0) END) AS cost
                FROM hold WHERE account_id IN (SELECT account_id FROM spending_limit) GROUP BY 1, 2, 3
            )
            SELECT format('limit %s a %s: counts %s, its holds make %s', l.subject, l.period, l.spent,
                          coalesce(sum(c.cost), 0))
            FROM spending_limit l LEFT JOIN cost c ON c.account_id = l.account_id
                 AND l.subject IN (c.account_id, c.key_id) AND (l.period = 'total' OR c.counted_on >= l.since)
            GROUP BY l.subject, l.period, l.spent HAVING l.spent <> coalesce(sum(c.cost), 0)
            """,
            """
            SELECT format('usage of %s: charged %s and refunded %s, the ledger says %s and %s', coalesce(u.a, t.a),
                          u.charged, u.refunded, t.charged, t.refunded)
            FROM (
                SELECT account_id AS a, sum(charged) AS charged, sum(refunded) AS refunded
                FROM usage WHERE livemode GROUP BY 1
            ) u FULL JOIN (
                SELECT account_id AS a, coalesce(sum(amount) FILTER (WHERE kind = 'charge'), 0) AS charged,
                       coalesce(sum(amount) FILTER (WHERE kind = 'refund'), 0) AS refunded
                FROM transfer GROUP BY 1
            ) t USING (a)
            WHERE coalesce(u.charged, 0) <> coalesce(t.charged, 0)
               OR coalesce(u.refunded, 0) <> coalesce(t.refunded, 0)
            """,
        ),
    ),
    Invariant(
        name="INV-2",
        meaning="no wallet is below zero",
        sql=("SELECT format('wallet %s', account_id) FROM wallet WHERE available < 0 OR held < 0 OR granted < 0",),
    ),
    Invariant(
        name="INV-3",
        meaning="each live generation has one hold: settled when it is completed, released when it ended otherwise",
        sql=(
            """
            SELECT format('generation %s: %s, its hold is %s', g.id, g.state, coalesce(h.state, 'missing'))
            FROM generation g LEFT JOIN hold h ON h.generation_id = g.id
            WHERE g.livemode AND h.state IS DISTINCT FROM CASE
                WHEN g.state = 'completed' THEN 'settled' WHEN g.finished_at IS NOT NULL THEN 'released' ELSE 'held' END
            """,
            """
            SELECT format('generation %s: a test one with a hold', g.id)
            FROM generation g JOIN hold h ON h.generation_id = g.id WHERE NOT g.livemode
            """,
            """
            SELECT format('hold %s: %s of %s, its transfers make hold %s, charge %s, release %s, refund %s, waiver %s',
                          h.generation_id, h.state, h.amount, t.held, t.charged, t.released, t.refunded, t.waived)
            FROM hold h LEFT JOIN (
                SELECT generation_id, sum(amount) FILTER (WHERE kind = 'hold') AS held,
                       sum(amount) FILTER (WHERE kind = 'charge') AS charged,
                       sum(amount) FILTER (WHERE kind = 'release') AS released,
                       sum(amount) FILTER (WHERE kind = 'refund') AS refunded,
                       sum(amount) FILTER (WHERE kind = 'waiver') AS waived
                FROM transfer WHERE generation_id IS NOT NULL GROUP BY generation_id
            ) t USING (generation_id)
            WHERE coalesce(t.held, 0) <> h.amount OR coalesce(t.refunded, 0) <> h.refunded
               OR coalesce(t.waived, 0) <> h.waived OR coalesce(t.charged, 0) <> coalesce(h.charged, 0)
               OR coalesce(t.released, 0)
                  <> CASE h.state WHEN 'held' THEN 0 ELSE h.amount - coalesce(h.charged, 0) END
            """,
        ),
    ),
    Invariant(
        name="INV-4",
        meaning="each finished generation has exactly one final event, of its kind, for as long as events are kept",
        sql=(
            """
            -- one whose first event is gone, or was before there were any, may lack its last one, too
            SELECT format('generation %s: %s, with %s final events', g.id, g.state, e.finals)
            FROM generation g JOIN (
                SELECT data ->> 'id' AS id, bool_or(type = 'video.queued') AS has_first,
                       count(*) FILTER (WHERE type IN ('video.completed', 'video.failed', 'video.canceled')) AS finals,
                       min(type) FILTER (WHERE type IN ('video.completed', 'video.failed', 'video.canceled')) AS final
                FROM event WHERE type LIKE 'video.%' GROUP BY 1
            ) e USING (id)
            WHERE e.finals > 1 OR e.final <> 'video.' || g.state
               OR (e.has_first AND e.finals <> (g.finished_at IS NOT NULL)::integer)
            """,
        ),
    ),
    Invariant(
        name="INV-5",
        meaning="every create that was ever answered with success has its generation",
        ask=Ask.CLIENT,
    ),
    Invariant(
        name="INV-6",
        meaning="no generation outlives its deadline by more than a minute, and each due step is covered after a sweep",
        sql=(
            """
            SELECT format('generation %s: %s, past its deadline', id, state) FROM generation
            WHERE finished_at IS NULL AND deadline_at < now() - interval '1 minute'
              AND (claimed_until IS NULL OR claimed_until < now() - interval '1 minute')
            """,
            """
            SELECT format('generation %s: %s, due for a minute and nobody comes', g.id, g.state) FROM generation g
            WHERE g.finished_at IS NULL AND g.state <> 'queued' AND g.due_at < now() - interval '1 minute'
              AND (g.claimed_until IS NULL OR g.claimed_until < now() - interval '1 minute')
              AND NOT EXISTS (
                  SELECT 1 FROM pgqueuer j
                  WHERE j.entrypoint IN ('advance', 'store') AND j.payload = convert_to(g.id, 'UTF8'))
            """,
        ),
    ),
    Invariant(
        name="INV-7",
        meaning="each operation of a provider belongs to one attempt, and only open generations have an open one",
        sql=(
            """
            SELECT format('attempts %s: one operation', string_agg(a.id, ', ')) FROM attempt a
            WHERE a.operation IS NOT NULL GROUP BY a.provider, a.operation ->> 'id' HAVING count(*) > 1
            """,
            """
            SELECT format('attempt %s: %s, its generation is %s', a.id, a.state, g.state)
            FROM attempt a JOIN generation g ON g.id = a.generation_id
            WHERE a.resolved_at IS NULL AND g.finished_at IS NOT NULL
            """,
            """
            SELECT format('generation %s: completed with %s succeeded attempts', g.id, count(a.id))
            FROM generation g LEFT JOIN attempt a ON a.generation_id = g.id AND a.state = 'succeeded'
            WHERE g.state = 'completed' GROUP BY g.id HAVING count(a.id) <> 1
            """,
        ),
    ),
    Invariant(
        name="INV-8",
        meaning="each object has its row and each row its object, after one purge and collection",
        ask=Ask.STORE,
    ),
    Invariant(
        name="INV-9",
        meaning="the audit chain verifies",
        missing="there is no audit chain yet",
    ),
    Invariant(
        name="INV-10",
        meaning="what upstreams bill is booked once for each attempt that made a video, and for no other",
        sql=(
            """
            SELECT format('attempt %s: succeeded, its cost is booked %s times', a.id, count(t.id))
            FROM attempt a JOIN hold h ON h.generation_id = a.generation_id
            LEFT JOIN transfer t ON t.generation_id = a.generation_id AND t.kind = 'upstream' AND t.reference = a.id
            WHERE a.state = 'succeeded' AND h.amount > 0 GROUP BY a.id HAVING count(t.id) <> 1
            """,
            """
            SELECT format('transfer %s: a cost of no attempt that succeeded, nor of one that did too late', t.id)
            FROM transfer t
            WHERE t.kind = 'upstream' AND NOT EXISTS (
                SELECT 1 FROM attempt a
                WHERE a.id = t.reference AND a.generation_id = t.generation_id AND (a.state = 'succeeded' OR EXISTS (
                    SELECT 1 FROM discrepancy d WHERE d.attempt_id = a.id AND d.kind = 'late')))
            """,
        ),
    ),
    Invariant(
        name="INV-11",
        meaning="no prompt, picture or key is outside its place",
        missing="only a run that plants canaries can tell: tests/security",
    ),
    Invariant(
        name="INV-12",
        meaning="one idempotency key belongs to one outcome, which is there",
        sql=(
            """
            SELECT format('key of %s: its video %s is not there', i.account_id, i.subject) FROM idempotency i
            WHERE i.subject LIKE 'vid!_%' ESCAPE '!'
              AND NOT EXISTS (SELECT 1 FROM generation g WHERE g.id = i.subject AND g.account_id = i.account_id)
            """,
        ),
    ),
)
"""The numbers are those of the design; `examine.py` asks what only a client or the object store can tell."""


async def check(db: Database, invariant: Invariant) -> Finding:
    """Ask an invariant's questions, in one snapshot, so that what moves meanwhile is no violation."""
    return await finding(invariant, _answers(db, invariant))


async def finding(invariant: Invariant, violations: AsyncIterator[str]) -> Finding:
    """A finding: the first violations, and the count of all. No more than those are in memory."""
    shown: list[str] = []
    count = 0
    async for line in violations:
        count += 1
        if count <= _SHOWN:
            shown.append(line)
    return Finding(
        name=invariant.name, meaning=invariant.meaning, count=count, violations=shown, missing=invariant.missing
    )


async def _answers(db: Database, invariant: Invariant) -> AsyncIterator[str]:
    async with db.pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        for sql in invariant.sql:
            async for record in connection.cursor(sql, prefetch=500, timeout=_SECONDS):
                yield record[0]
