"""The invariants of money. Their numbers are those of the whole list."""

from seedance_api.doctor.check import Invariant

LEDGER = Invariant(
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
)

NO_DEBT = Invariant(
    name="INV-2",
    meaning="no wallet is below zero",
    sql=("SELECT format('wallet %s', account_id) FROM wallet WHERE available < 0 OR held < 0 OR granted < 0",),
)

HOLDS = Invariant(
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
)

UPSTREAM_COSTS = Invariant(
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
)
