"""SQL of accounts and keys."""

from datetime import datetime
from typing import Literal

import msgspec

from seedance_api.accounts.keys import KeyMode
from seedance_api.foundation.db import Connection, Database, affected, row, rows

Revoked = Literal["operator", "reported_leaked"]
"""Why a key was revoked: by the operator, or because somebody had found it."""


class Account(msgspec.Struct, frozen=True):
    """A row of `account`."""

    id: str
    email: str
    currency: str
    created_at: datetime
    regions: tuple[str, ...] | None
    """Where its prompts and media may be sent; None allows every region."""
    keep_seconds: int | None
    grace_seconds: int | None
    """How long its videos stay, before and after delivery; None takes the installation's."""
    rate_multiplier: int | None
    """How many times the installation's rate limits it has; None: as many as its tier says."""
    tier_multiplier: int
    analytics_objected_at: datetime | None
    """Since when what it does enters no analytics; None: it does."""


class ApiKey(msgspec.Struct, frozen=True):
    """A row of `api_key`, with its digest and never its text."""

    id: str
    account_id: str
    handle: str
    mode: KeyMode
    name: str | None
    digest: bytes
    created_at: datetime
    revoked_at: datetime | None
    revoked_reason: Revoked | None
    """Why it was revoked; None of a live key, and of one that release 0.1.0 revoked."""
    scopes: tuple[str, ...] | None
    """What it may be used for; None: everything."""
    networks: tuple[str, ...] | None
    """Where it may be used from; None: everywhere."""


class KnownKey(ApiKey, frozen=True):
    """A key with what of its account every request needs."""

    currency: str
    regions: tuple[str, ...] | None
    keep_seconds: int | None
    grace_seconds: int | None
    rate_multiplier: int


async def insert_account(db: Database, account_id: str, email: str, currency: str) -> Account | None:
    """The new account, or None when the address has one."""
    record = await db.fetchrow(
        "INSERT INTO account (id, email, currency) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING *",
        account_id,
        email,
        currency,
    )
    return row(Account, record) if record else None


async def account_by_email(db: Database, email: str) -> Account | None:
    """The account with this address, whatever its case."""
    record = await db.fetchrow("SELECT * FROM account WHERE lower(email) = lower($1)", email)
    return row(Account, record) if record else None


async def accounts_behind(db: Database, account_id: str, limit: int) -> list[Account]:
    """Accounts by id, which is by age, behind the given one."""
    return rows(Account, await db.fetch("SELECT * FROM account WHERE id > $1 ORDER BY id LIMIT $2", account_id, limit))


async def set_regions(connection: Connection, account_id: str, regions: tuple[str, ...] | None) -> None:
    """Note where an account's prompts and media may be sent, and let every process forget its keys."""
    await connection.execute("UPDATE account SET regions = $2 WHERE id = $1", account_id, regions)
    await forget_keys(connection, [account_id])


async def set_retention(
    connection: Connection, account_id: str, keep_seconds: int | None, grace_seconds: int | None
) -> None:
    """Note how long an account's videos stay, and let every process forget its keys."""
    await connection.execute(
        "UPDATE account SET keep_seconds = $2, grace_seconds = $3 WHERE id = $1",
        account_id,
        keep_seconds,
        grace_seconds,
    )
    await forget_keys(connection, [account_id])


async def set_rate_multiplier(connection: Connection, account_id: str, multiplier: int | None) -> None:
    """Note how many times the rate limits an account has, and let every process forget its keys."""
    await connection.execute("UPDATE account SET rate_multiplier = $2 WHERE id = $1", account_id, multiplier)
    await forget_keys(connection, [account_id])


async def object_to_analytics(connection: Connection, account_id: str) -> None:
    """Note that what an account does from now on enters no analytics. One that objects already does so since then."""
    await connection.execute(
        "UPDATE account SET analytics_objected_at = now() WHERE id = $1 AND analytics_objected_at IS NULL", account_id
    )


async def allow_analytics(connection: Connection, account_id: str) -> None:
    """Note that an account objects no more; what it has done in the meantime stays out, whenever it is counted."""
    await connection.execute(
        """
        UPDATE account SET analytics_objected_at = NULL,
            analytics_excluded = analytics_excluded + tstzmultirange(tstzrange(analytics_objected_at, now()))
        WHERE id = $1 AND analytics_objected_at IS NOT NULL
        """,
        account_id,
    )


async def set_tier_multipliers(connection: Connection, spent: list[int], multipliers: list[int]) -> int:
    """Note every account's tier, the last whose spending it has reached. Returns how many accounts changed.

    Where that changes what an account may do, every process forgets its keys.
    """
    changed = await connection.fetch(
        """
        WITH spending AS (
            SELECT account_id, sum(charged - refunded) AS spent FROM usage WHERE livemode GROUP BY account_id
        ), earned AS (
            SELECT a.id, coalesce(max(tier.multiplier), 1) AS multiplier
            FROM account a LEFT JOIN spending s ON s.account_id = a.id
            LEFT JOIN unnest($1::bigint[], $2::integer[]) AS tier (spent, multiplier) ON tier.spent <= s.spent
            GROUP BY a.id
        )
        UPDATE account a SET tier_multiplier = e.multiplier FROM earned e
        WHERE e.id = a.id AND a.tier_multiplier <> e.multiplier RETURNING a.id, a.rate_multiplier
        """,
        spent,
        multipliers,
    )
    await forget_keys(connection, [record["id"] for record in changed if record["rate_multiplier"] is None])
    return len(changed)


async def forget_keys(connection: Connection, account_ids: list[str]) -> None:
    """Let every process forget what it knows of these accounts' keys."""
    await connection.execute(
        "SELECT pg_notify('key_revoked', id) FROM api_key WHERE account_id = ANY ($1)", account_ids
    )


async def low_balance_of(db: Database, account_id: str) -> int | None:
    """Below what balance the account's owner wants to hear of it."""
    return await db.fetchval("SELECT low_balance FROM account WHERE id = $1", account_id)


async def set_low_balance(connection: Connection, account_id: str, low: int | None) -> None:
    """Note it; the next hold goes by it."""
    await connection.execute("UPDATE account SET low_balance = $2 WHERE id = $1", account_id, low)


async def count_keys(connection: Connection, account_id: str) -> int:
    """How many keys an account has that are not revoked; until the transaction ends nobody adds one."""
    await connection.execute("SELECT FROM account WHERE id = $1 FOR NO KEY UPDATE", account_id)
    return await connection.fetchval(
        "SELECT count(*) FROM api_key WHERE account_id = $1 AND revoked_at IS NULL", account_id
    )


async def insert_key(
    connection: Connection,
    key_id: str,
    account_id: str,
    handle: str,
    mode: KeyMode,
    name: str | None,
    digest: bytes,
    *,
    scopes: tuple[str, ...],
    networks: tuple[str, ...],
) -> None:
    """Store a key's digest; without scopes it is for everything, without networks for everywhere."""
    await connection.execute(
        """
        INSERT INTO api_key (id, account_id, handle, mode, name, digest, scopes, networks)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        key_id,
        account_id,
        handle,
        mode.value,
        name,
        digest,
        scopes or None,
        networks or None,
    )


async def keys_by_handle(db: Database, handles: list[str]) -> list[KnownKey]:
    """The keys with these handles, revoked ones too."""
    return rows(KnownKey, await db.fetch(
        """
        SELECT k.*, a.currency, a.regions, a.keep_seconds, a.grace_seconds,
            coalesce(a.rate_multiplier, a.tier_multiplier) AS rate_multiplier
        FROM api_key k JOIN account a ON a.id = k.account_id WHERE handle = ANY ($1)
        """,
        handles,
    ))  # fmt: skip


async def keys_of_account(db: Database, account_id: str) -> list[ApiKey]:
    """Every key of an account, oldest first."""
    return rows(ApiKey, await db.fetch("SELECT * FROM api_key WHERE account_id = $1 ORDER BY id", account_id))


async def revoke_key(connection: Connection, key_id: str, reason: Revoked) -> bool:
    """Mark a key revoked; a trigger tells every process. False when there is no such live key."""
    tag = await connection.execute(
        "UPDATE api_key SET revoked_at = now(), revoked_reason = $2 WHERE id = $1 AND revoked_at IS NULL",
        key_id,
        reason,
    )
    return affected(tag) == 1
