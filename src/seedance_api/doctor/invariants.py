"""Invariants: what is true at every moment, whatever was killed."""

from seedance_api.doctor.check import Ask, Invariant
from seedance_api.doctor.money import HOLDS, LEDGER, NO_DEBT, UPSTREAM_COSTS

INVARIANTS: tuple[Invariant, ...] = (
    LEDGER,
    NO_DEBT,
    HOLDS,
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
                  WHERE split_part(j.entrypoint, ':', 1) IN ('advance', 'store')
                    AND j.payload = convert_to(g.id, 'UTF8'))
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
    UPSTREAM_COSTS,
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
    Invariant(
        name="INV-13",
        meaning="the unfinished generations of an account are as many as are counted against its bound",
        sql=(
            """
            SELECT format('account %s: %s unfinished videos, and %s are counted', account_id, coalesce(t.number, 0),
                          coalesce(p.number, 0))
            FROM pending p FULL JOIN (
                SELECT account_id, livemode, count(*) AS number FROM generation WHERE finished_at IS NULL GROUP BY 1, 2
            ) t USING (account_id, livemode)
            WHERE coalesce(t.number, 0) <> coalesce(p.number, 0)
            """,
        ),
    ),
)
"""The first twelve numbers are those of the design; `examine.py` asks what only a client or the object store tells."""
