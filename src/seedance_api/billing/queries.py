"""SQL of money.

Whoever moves an account's money locks its wallet first; its limits and grants change only under that lock. A hold
leaves its state once, by compare-and-set. What follows a lock is a statement of its own, so that it sees what others
committed while we waited.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from seedance_api.billing.decide import NewHold, Settlement
from seedance_api.billing.rows import (
    TRANSFERS,
    Channel,
    Grant,
    Hold,
    Limit,
    Notice,
    Sale,
    Transfer,
    TransferKind,
    Wallet,
)
from seedance_api.foundation.db import Connection, Database, affected, row, rows
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.ids import new_id

# Price books


async def latest_version(db: Database) -> int | None:
    """The newest price book; None in a new installation."""
    return await db.fetchval("SELECT max(version) FROM price_book")


async def book_text(db: "Database | Connection", version: int) -> str:
    """A price book as it was loaded."""
    return await db.fetchval("SELECT text FROM price_book WHERE version = $1", version)


async def insert_book(db: Database, text: str, *, author: str, first: bool = False) -> int:
    """Store the next version, or the first one if there is none yet, and tell every process."""
    async with db.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('price_book', 0))")
        latest: int = await connection.fetchval("SELECT coalesce(max(version), 0) FROM price_book")
        if first and latest:
            return latest
        await connection.execute(
            "INSERT INTO price_book (version, text, author) VALUES ($1, $2, $3)", latest + 1, text, author
        )
        await connection.execute("SELECT pg_notify('price_book', '')")
        return latest + 1


async def books(db: Database) -> list[tuple[int, str, datetime]]:
    """Every version with who loaded it and when."""
    found = await db.fetch("SELECT version, author, loaded_at FROM price_book ORDER BY version")
    return [(record["version"], record["author"], record["loaded_at"]) for record in found]


# Wallets


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


async def low_balance_of(db: Database, account_id: str) -> int | None:
    """Below what balance the account's owner wants to hear of it."""
    return await db.fetchval("SELECT low_balance FROM account WHERE id = $1", account_id)


async def set_low_balance(connection: Connection, account_id: str, low: int | None) -> None:
    """Note it; the next hold goes by it."""
    await connection.execute("UPDATE account SET low_balance = $2 WHERE id = $1", account_id, low)


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


# Holds


async def insert_holds(connection: Connection, holds: Sequence[NewHold], days: Mapping[str, date]) -> None:
    """Write granted holds with their transfers; their generations are written before. `days` by account."""
    source, target = TRANSFERS[TransferKind.HOLD]
    await connection.execute(
        """
        WITH n AS (
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::bigint[], $7::bigint[],
                                 $8::bigint[], $9::bigint[], $10::text[], $11::date[])
                AS n (g, a, k, c, v, r, t, q, m, id, day)
        ), written AS (
            INSERT INTO hold (generation_id, account_id, key_id, currency, price_version, rate, quoted_tokens, quoted,
                              amount, counted_on)
            SELECT g, a, k, c, v, r, t, q, m, day FROM n
        )
        INSERT INTO transfer (id, kind, account_id, currency, source, target, amount, generation_id, author)
        SELECT id, 'hold', a, c, $12, $13, m, g, 'system' FROM n WHERE m > 0
        """,
        [one.generation_id for one in holds],
        [one.account_id for one in holds],
        [one.key_id for one in holds],
        [one.currency for one in holds],
        [one.price_version for one in holds],
        [one.rate for one in holds],
        [one.quoted_tokens for one in holds],
        [one.quoted for one in holds],
        [one.amount for one in holds],
        [new_id("trf") for _ in holds],
        [days[one.account_id] for one in holds],
        source,
        target,
    )


async def lock_hold(connection: Connection, generation_id: str) -> Hold | None:
    """The hold of a generation, locked until the transaction ends; None for one that costs nothing."""
    return (await lock_holds(connection, [generation_id])).get(generation_id)


async def lock_holds(connection: Connection, ids: Sequence[str]) -> dict[str, Hold]:
    """Those of several generations, locked in the order of their ids."""
    found = await connection.fetch(
        "SELECT * FROM hold WHERE generation_id = ANY ($1) ORDER BY generation_id FOR NO KEY UPDATE", ids
    )
    return {hold.generation_id: hold for hold in rows(Hold, found)}


async def to_settled(connection: Connection, generation_id: str, made: Settlement, resolution: str) -> bool:
    """held → settled, once; False when it was resolved before."""
    tag = await connection.execute(
        """
        UPDATE hold SET state = 'settled', tokens = $2, rate = $3, charged = $4, waived = $5, reason = $6,
            resolution = $7, resolved_at = now()
        WHERE generation_id = $1 AND state = 'held'
        """,
        generation_id,
        made.tokens,
        made.rate,
        made.charged,
        made.waived,
        made.reason,
        resolution,
    )
    return affected(tag) == 1


async def to_released(connection: Connection, generation_id: str) -> bool:
    """held → released, once; False when it was resolved before."""
    tag = await connection.execute(
        "UPDATE hold SET state = 'released', resolved_at = now() WHERE generation_id = $1 AND state = 'held'",
        generation_id,
    )
    return affected(tag) == 1


async def note_refund(connection: Connection, generation_id: str, amount: int) -> bool:
    """Count a refund on its hold; False when more would be refunded than was charged."""
    tag = await connection.execute(
        """
        UPDATE hold SET refunded = refunded + $2
        WHERE generation_id = $1 AND state = 'settled' AND refunded + $2 <= charged
        """,
        generation_id,
        amount,
    )
    return affected(tag) == 1


# The ledger


async def insert_transfers(connection: Connection, transfers: Sequence[Transfer]) -> datetime | None:
    """Write transfers, each of more than nothing, and return their one moment; None when nothing is moved.

    What counts them by days takes this moment, so that all say the same day at midnight.
    """
    moved = [one for one in transfers if one.amount]
    if not moved:
        return None
    return await connection.fetchval(
        """
        INSERT INTO transfer (id, kind, account_id, currency, source, target, amount, generation_id, grant_id,
                              reference, reason, author, created_at)
        SELECT *, statement_timestamp()
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
                    $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
        ON CONFLICT (account_id, kind, reference) WHERE reference IS NOT NULL DO NOTHING
        RETURNING created_at
        """,
        [new_id("trf") for _ in moved],
        [one.kind.value for one in moved],
        [one.account_id for one in moved],
        [one.currency for one in moved],
        [TRANSFERS[one.kind][0] for one in moved],
        [TRANSFERS[one.kind][1] for one in moved],
        [one.amount for one in moved],
        [one.generation_id for one in moved],
        [one.grant_id for one in moved],
        [one.reference for one in moved],
        [one.reason for one in moved],
        [one.author for one in moved],
    )


async def moved_under(
    connection: Connection, account_id: str, kind: TransferKind, reference: str
) -> tuple[int, str | None, datetime] | None:
    """What was moved under a reference, for which generation, and when; None for a new one.

    The caller locks the wallet.
    """
    found = await connection.fetchrow(
        "SELECT amount, generation_id, created_at FROM transfer WHERE account_id = $1 AND kind = $2 AND reference = $3",
        account_id,
        kind.value,
        reference,
    )
    return (found["amount"], found["generation_id"], found["created_at"]) if found else None


# Grants


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


# Spending limits


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


# Notices


async def insert_notices(
    connection: Connection, notices: Sequence[tuple[str, str | None, str, dict[str, Any]]]
) -> None:
    """Write notices: id, account, kind, detail. One about the installation has no account."""
    await connection.executemany("INSERT INTO notice (id, account_id, kind, detail) VALUES ($1, $2, $3, $4)", notices)


async def was_noticed(connection: Connection, kind: str, hours: int) -> bool:
    """Whether the installation had such a notice in the last hours."""
    return await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM notice WHERE account_id IS NULL AND kind = $1
                       AND created_at > now() - $2 * interval '1 hour')
        """,
        kind,
        hours,
    )


async def latest_notice(connection: Connection, kinds: Sequence[str]) -> tuple[str, dict[str, Any], float] | None:
    """The latest notice about the installation of these kinds: its kind, its detail, and its age in seconds."""
    found = await connection.fetchrow(
        """
        SELECT kind, detail, extract(epoch FROM now() - created_at)::float8 AS age FROM notice
        WHERE account_id IS NULL AND kind = ANY ($1) ORDER BY created_at DESC LIMIT 1
        """,
        kinds,
    )
    return (found["kind"], found["detail"], found["age"]) if found else None


async def open_notice(db: Database, notice_id: str) -> Notice | None:
    """A notice that is still to be delivered, or given up."""
    found = await db.fetchrow(
        """
        SELECT n.*, a.email FROM notice n LEFT JOIN account a ON a.id = n.account_id
        WHERE n.id = $1 AND n.closed_at IS NULL
        """,
        notice_id,
    )
    return row(Notice, found) if found else None


async def close_notice(db: Database, notice_id: str) -> None:
    """It is delivered, or given up."""
    await db.execute("UPDATE notice SET closed_at = now() WHERE id = $1 AND closed_at IS NULL", notice_id)


async def note_told(db: Database, notice_id: str, channel: Channel) -> None:
    """One of the ways to tell of it is done."""
    await db.execute(
        "UPDATE notice SET told = array_append(told, $2) WHERE id = $1 AND NOT $2 = ANY (told)", notice_id, channel
    )


async def put_off_notice(connection: Connection, notice_id: str, tries: int, seconds: float) -> bool:
    """Try again later; False when another has tried meanwhile."""
    tag = await connection.execute(
        """
        UPDATE notice SET tries = tries + 1, due_at = now() + $3 * interval '1 second'
        WHERE id = $1 AND tries = $2 AND closed_at IS NULL
        """,
        notice_id,
        tries,
        seconds,
    )
    return affected(tag) == 1


async def overdue_notices(connection: Connection, limit: int) -> list[tuple[str, int]]:
    """Notices that no job can be under way for: due for more than a minute. Each with its tries."""
    found = await connection.fetch(
        """
        SELECT id, tries FROM notice WHERE closed_at IS NULL AND due_at < now() - interval '1 minute'
        ORDER BY due_at LIMIT $1
        """,
        limit,
    )
    return [(record["id"], record["tries"]) for record in found]


# Usage


async def count_usage(connection: Connection, sale: Sale, *, tokens: int, charged: int, at: datetime | None) -> None:
    """Add a completed generation to the usage of the day of its charge; of one that was not charged, of today."""
    await connection.execute(
        """
        INSERT INTO usage (account_id, livemode, day, model, key_id, videos, milliseconds, tokens, charged)
        VALUES ($1, $2, (coalesce($8, clock_timestamp()) AT TIME ZONE 'UTC')::date, $3, $4, 1, $5, $6, $7)
        ON CONFLICT (account_id, livemode, day, model, key_id) DO UPDATE SET videos = usage.videos + 1,
            milliseconds = usage.milliseconds + excluded.milliseconds, tokens = usage.tokens + excluded.tokens,
            charged = usage.charged + excluded.charged
        """,
        sale.account_id,
        sale.livemode,
        sale.model,
        sale.key_id,
        round(sale.seconds * 1000),
        tokens,
        charged,
        at,
    )


async def count_refund(connection: Connection, hold: Hold, model: str, amount: int, *, at: datetime) -> None:
    """Add a refund to the usage of the day on which it is made."""
    await connection.execute(
        """
        INSERT INTO usage (account_id, livemode, day, model, key_id, refunded)
        VALUES ($1, true, ($5::timestamptz AT TIME ZONE 'UTC')::date, $2, $3, $4)
        ON CONFLICT (account_id, livemode, day, model, key_id)
            DO UPDATE SET refunded = usage.refunded + excluded.refunded
        """,
        hold.account_id,
        model,
        hold.key_id,
        amount,
        at,
    )


async def model_of(connection: Connection, generation_id: str) -> str:
    """The model that made a generation."""
    return await connection.fetchval("SELECT model FROM generation WHERE id = $1", generation_id)
