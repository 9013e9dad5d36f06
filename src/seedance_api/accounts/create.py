"""Accounts and keys: made and revoked by the operator's commands."""

import re
from collections.abc import Sequence

import msgspec

from seedance_api.accounts import keys, queries
from seedance_api.accounts.keys import KeyMode
from seedance_api.accounts.queries import Account
from seedance_api.accounts.scopes import check_restrictions
from seedance_api.catalog.words import got
from seedance_api.foundation.barrier import pass_barrier
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.mail import is_address
from seedance_api.foundation.money import is_currency
from seedance_api.foundation.secrets import digest

_REGION = re.compile(r"[^\x00-\x1f\x7f]{1,200}\Z")
_MAX_REGIONS = 20
MAX_KEYS = 100
"""Keys of one account, unless the settings say otherwise."""
KEEP_SECONDS = (3600, 604_800)
GRACE_SECONDS = (0, 86_400)


class NewKey(msgspec.Struct, frozen=True):
    """A key at the only moment its text is known."""

    id: str
    account_id: str
    mode: KeyMode
    name: str | None
    key: str

    def __repr__(self) -> str:
        return f"NewKey(id={self.id!r}, mode={self.mode!r})"


async def create_account(db: Database, email: str, currency: str = "USD") -> Account:
    """Make an account, whose money is in this currency for ever. Raises AppError when anything is wrong."""
    email = email.strip()
    if not is_address(email):
        raise AppError(
            "invalid_request", f"{email[:100]!r} is not an e-mail address, such as you@example.org.", param="email"
        )
    if not is_currency(currency):
        raise AppError("invalid_request", "A currency is three capital letters, such as USD.", param="currency")
    account = await queries.insert_account(db, new_id("acc"), email, currency)
    if account is None:
        raise AppError("invalid_request", "There is an account with that address already.", param="email")
    return account


async def set_regions(db: Database, email: str, regions: Sequence[str] | None) -> Account:
    """Say where an account's prompts and media may be sent, at once and everywhere; None allows every region.

    Raises AppError, 404 when there is no such account. A region in which there is no upstream allows none.
    """
    wanted = None if regions is None else tuple(sorted(set(regions)))
    if wanted is not None and (not 0 < len(wanted) <= _MAX_REGIONS or not all(map(_REGION.match, wanted))):
        message = f"Name 1 to {_MAX_REGIONS} regions as the upstreams' `data_region` does."
        raise AppError("invalid_request", message, param="regions")
    account = await queries.account_by_email(db, email)
    if account is None:
        raise AppError("not_found", "There is no account with that address.", param="email")
    async with db.transaction() as connection:
        await queries.set_regions(connection, account.id, wanted)
    return msgspec.structs.replace(account, regions=wanted)


async def set_retention(db: Database, email: str, *, keep_seconds: int | None, grace_seconds: int | None) -> Account:
    """Say how long an account's new videos stay, before and after delivery; None takes the installation's.

    Raises AppError, 404 when there is no such account, 400 with everything that is out of its bounds.
    """
    problems = [
        Problem(
            path=name,
            code="out_of_range",
            message=f"`{name}` must be {minimum} to {maximum} seconds{got(value)}.",
            value=value,
        )
        for name, value, (minimum, maximum) in (
            ("keep", keep_seconds, KEEP_SECONDS),
            ("grace", grace_seconds, GRACE_SECONDS),
        )
        if value is not None and not minimum <= value <= maximum
    ]
    if problems:
        raise AppError("invalid_request", problems=problems)
    account = await queries.account_by_email(db, email)
    if account is None:
        raise AppError("not_found", "There is no account with that address.", param="email")
    async with db.transaction() as connection:
        await queries.set_retention(connection, account.id, keep_seconds, grace_seconds)
    return msgspec.structs.replace(account, keep_seconds=keep_seconds, grace_seconds=grace_seconds)


async def set_analytics(db: Database, email: str, *, allowed: bool) -> Account:
    """Say whether what an account does from now on may enter the analytics. Raises AppError 404 without such a one."""
    account = await queries.account_by_email(db, email)
    if account is None:
        raise AppError("not_found", "There is no account with that address.", param="email")
    async with db.transaction() as connection:
        await (queries.allow_analytics if allowed else queries.object_to_analytics)(connection, account.id)
    return await queries.account_by_email(db, email) or account


async def create_key(
    db: Database,
    pepper: bytes,
    *,
    email: str,
    mode: KeyMode,
    name: str | None = None,
    scopes: Sequence[str] = (),
    networks: Sequence[str] = (),
    max_keys: int = MAX_KEYS,
) -> NewKey:
    """Make a key for the account with this address, for everything and everywhere unless it is restricted.

    Raises AppError, 404 when there is no such account, 409 when it has `max_keys` already that are not revoked, 400 for
    scopes and networks that are none.
    """
    scopes, networks = check_restrictions(scopes, networks)
    account = await queries.account_by_email(db, email)
    if account is None:
        raise AppError("not_found", "There is no account with that address.", param="email")
    plain = keys.mint(mode)
    key_id = new_id("key")
    async with db.transaction() as connection:
        if await queries.count_keys(connection, account.id) >= max_keys:
            raise AppError(
                "too_many_keys", f"The account has {max_keys:,} keys, as many as it may have; revoke one first."
            )
        await queries.insert_key(
            connection,
            key_id,
            account.id,
            plain.handle,
            mode,
            name,
            digest(pepper, plain.text),
            scopes=scopes,
            networks=networks,
        )
    return NewKey(key_id, account.id, mode, name, plain.text)


async def revoke_key(db: Database, key_id: str) -> None:
    """Revoke a key; afterwards every process refuses it. Raises AppError 404 when there is no such live key."""
    async with db.transaction() as connection:
        if not await queries.revoke_key(connection, key_id, "operator"):
            raise AppError("not_found", "There is no such key, or it is revoked already.", param="key")
    await pass_barrier(db)
