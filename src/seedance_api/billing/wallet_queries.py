"""SQL of wallets and grants.

Whoever moves an account's money locks its wallet first; its limits and grants change only under that lock. What follows
a lock is a statement of its own, so that it sees what others committed while we waited.
"""

from collections.abc import Iterable, Mapping, Sequence

from seedance_api.billing.rows import Grant, Limit, Wallet
from seedance_api.foundation.db import Connection, Database, affected, row, rows
from seedance_api.foundation.errors import AppError


async def lock_wallets(connection: Connection, account_ids: Iterable[str]) -> dict[str, Wallet]:
    """The wallets that there are, locked until the transaction ends, in an order that all lockers share."""
    found = await connection.fetch(
        """
        SELECT account_id, currency, available, held, granted,
               coalesce(grant_expires_at <= now(), false) AS grants_expired,
               (SELECT low_balance FROM account WHERE account.id = account_id) AS low
        FROM wallet WHERE account_id = ANY ($1) ORDER BY account_id FOR NO KEY UPDATE
        """,
        sorted(set(account_ids)),
    )
    return {record["account_id"]: row(Wallet, record) for record in found}


async def open_wallet(connection: Connection, account_id: str) -> Wallet:
    """The account's wallet, made if there is none, locked until the transaction ends. Raises AppError 404."""
    await connection.execute(
        """
        INSERT INTO wallet (account_id, currency) SELECT id, currency FROM account WHERE id = $1
        ON CONFLICT DO NOTHING
        """,
        account_id,
    )
    found = await lock_wallets(connection, [account_id])
    if account_id not in found:
        raise AppError("not_found", "There is no such account.")
    return found[account_id]


async def wallet_of(db: Database, account_id: str) -> Wallet | None:
    """The account's wallet, as it is in this moment."""
    found = await db.fetchrow(
        "SELECT *, coalesce(grant_expires_at <= now(), false) AS grants_expired FROM wallet WHERE account_id = $1",
        account_id,
    )
    return row(Wallet, found) if found else None


async def move_to_held(connection: Connection, amounts: Mapping[str, int], limits: Sequence[Limit]) -> tuple[int, int]:
    """available → held, where there is enough, and what is spent of limits now, unless it is more than they allow.

    Returns how many wallets had enough, and how many limits allowed it.
    """
    found = await connection.fetchrow(
        """
        WITH moved AS (
            UPDATE wallet w SET available = w.available - n.amount, held = w.held + n.amount
            FROM unnest($1::text[], $2::bigint[]) AS n (account_id, amount)
            WHERE w.account_id = n.account_id AND w.available >= n.amount RETURNING 1
        ), spent AS (
            UPDATE spending_limit l SET spent = n.spent, since = n.since, warned = n.warned, refused = n.refused
            FROM unnest($3::text[], $4::text[], $5::bigint[], $6::date[], $7::int[], $8::bool[])
                AS n (subject, period, spent, since, warned, refused)
            WHERE l.subject = n.subject AND l.period = n.period AND (n.spent <= l.most OR n.spent <= l.spent)
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM moved) AS moved, (SELECT count(*) FROM spent) AS spent
        """,
        list(amounts),
        list(amounts.values()),
        [one.subject for one in limits],
        [one.period.value for one in limits],
        [one.spent for one in limits],
        [one.since for one in limits],
        [one.warned for one in limits],
        [one.refused for one in limits],
    )
    assert found is not None, "a count is always there"
    return found["moved"], found["spent"]


async def leave_held(connection: Connection, account_id: str, amount: int, charged: int) -> bool:
    """Take a hold off: what is charged leaves the wallet, the rest is available again. False when it is not held.

    `granted` is cut to what is left, until the caller has taken the charge from the grants themselves.
    """
    tag = await connection.execute(
        """
        UPDATE wallet SET held = held - $2, available = available + $2 - $3,
            granted = least(granted, available + held - $3)
        WHERE account_id = $1 AND held >= $2
        """,
        account_id,
        amount,
        charged,
    )
    return affected(tag) == 1


async def move_available(connection: Connection, account_id: str, amount: int) -> bool:
    """Add to what is available, or take from it; False, and nothing changed, when there is not enough beside grants."""
    tag = await connection.execute(
        """
        UPDATE wallet SET available = available + $2
        WHERE account_id = $1 AND available + $2 >= greatest(0, granted - held)
        """,
        account_id,
        amount,
    )
    return affected(tag) == 1


async def insert_grant(connection: Connection, grant_id: str, account_id: str, amount: int, days: int) -> None:
    """Write a grant that ends in so many days."""
    await connection.execute(
        """
        INSERT INTO credit_grant (id, account_id, amount, remaining, expires_at)
        VALUES ($1, $2, $3, $3, now() + $4 * interval '1 day')
        """,
        grant_id,
        account_id,
        amount,
        days,
    )


async def open_grants(connection: Connection, account_id: str) -> list[Grant]:
    """Grants of which something is left, the one that ends first first."""
    return rows(Grant, await connection.fetch(
        """
        SELECT g.id, g.remaining, g.expires_at, g.expires_at <= now() AS expired, (
            SELECT coalesce(sum(amount), 0)::bigint FROM hold h
            WHERE h.account_id = g.account_id AND h.state = 'held' AND h.created_at < g.expires_at
              AND h.counted_on > current_date - 10  -- no hold is older: the longest deadline is a week
        ) AS held
        FROM credit_grant g WHERE account_id = $1 AND remaining > 0 ORDER BY expires_at, id
        """,
        account_id,
    ))  # fmt: skip


async def take_from_grants(connection: Connection, account_id: str, taken: Mapping[str, int]) -> None:
    """Lower what is left of grants, and note on the wallet what is left of all and when the next one ends."""
    await connection.execute(
        """
        UPDATE credit_grant g SET remaining = g.remaining - n.amount
        FROM unnest($1::text[], $2::bigint[]) AS n (id, amount) WHERE g.id = n.id
        """,
        list(taken),
        list(taken.values()),
    )
    await note_grants(connection, account_id)


async def note_grants(connection: Connection, account_id: str) -> None:
    """Note on the wallet what is left of all grants, and when the next one ends."""
    await connection.execute(
        """
        UPDATE wallet SET granted = g.granted, grant_expires_at = g.next
        FROM (
            SELECT coalesce(sum(remaining), 0)::bigint AS granted, min(expires_at) AS next
            FROM credit_grant WHERE account_id = $1 AND remaining > 0
        ) g
        WHERE account_id = $1
        """,
        account_id,
    )


async def accounts_with_expired_grants(db: Database, limit: int) -> list[str]:
    """Accounts with a grant that has ended and of which something is left, in any order: it may be on hold for long."""
    found = await db.fetch(
        """
        SELECT account_id FROM (
            SELECT DISTINCT account_id FROM credit_grant WHERE remaining > 0 AND expires_at <= now()
        ) expired ORDER BY random() LIMIT $1
        """,
        limit,
    )
    return [record["account_id"] for record in found]
