"""SQL of spending limits. They change only under the wallet's lock."""

from collections.abc import Sequence
from datetime import date

from seedance_api.billing.rows import Hold, Limit
from seedance_api.foundation.db import Connection, Database, rows


async def limits_of(connection: Connection, account_ids: Sequence[str]) -> tuple[list[Limit], date]:
    """Every limit of the accounts and of their keys, and the day it is. Their wallets are locked by the caller."""
    found = await connection.fetch(
        """
        SELECT t.today, l.* FROM (SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date AS today) t
        LEFT JOIN spending_limit l ON l.account_id = ANY ($1)
        """,
        account_ids,
    )
    return rows(Limit, (record for record in found if record["subject"] is not None)), found[0]["today"]


async def limits_of_account(db: Database, account_id: str) -> tuple[list[Limit], date]:
    """Every limit of an account and of its keys, as they are in this moment, and the day it is."""
    async with db.transaction() as connection:
        return await limits_of(connection, [account_id])


async def give_back_to_limits(connection: Connection, hold: Hold, amount: int) -> None:
    """Count less as spent, in the windows that the hold was counted in and that still run."""
    await connection.execute(
        """
        UPDATE spending_limit SET spent = spent - $3
        WHERE subject IN ($1, $2) AND since = CASE period
            WHEN 'day' THEN $4::date WHEN 'month' THEN date_trunc('month', $4::date)::date ELSE since END
        """,
        hold.account_id,
        hold.key_id,
        amount,
        hold.counted_on,
    )


async def put_limit(connection: Connection, limit: Limit) -> None:
    """Set a limit, with what the holds say is spent in its window."""
    await connection.execute(
        """
        INSERT INTO spending_limit (subject, period, account_id, most, since, spent)
        SELECT $1, $2, $3, $4, $5, coalesce(sum(CASE state WHEN 'held' THEN amount ELSE charged END), 0)
        FROM hold
        WHERE account_id = $3 AND ($1 = $3 OR key_id = $1) AND ($2 = 'total' OR counted_on >= $5)
        ON CONFLICT (subject, period) DO UPDATE SET most = excluded.most, since = excluded.since,
            spent = excluded.spent, warned = 0, refused = false
        """,
        limit.subject,
        limit.period.value,
        limit.account_id,
        limit.most,
        limit.since,
    )


async def delete_limit(connection: Connection, subject: str, period: str) -> None:
    """Lift a limit."""
    await connection.execute("DELETE FROM spending_limit WHERE subject = $1 AND period = $2", subject, period)


async def account_of_key(connection: Connection, key_id: str) -> str | None:
    """Whose key it is."""
    return await connection.fetchval("SELECT account_id FROM api_key WHERE id = $1", key_id)
