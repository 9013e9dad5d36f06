"""Tiers: an account that has spent more may ask more often; what the operator gives it goes before that."""

from collections.abc import Sequence

import msgspec
import structlog

from seedance_api.accounts import queries
from seedance_api.accounts.queries import Account
from seedance_api.catalog.words import got
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.money import MICRO

MAX_MULTIPLIER = 1000
_log = structlog.get_logger()


async def update_tiers(db: Database, tiers: Sequence[tuple[int, int]]) -> None:
    """Give every account the tier of what its live videos have cost, less refunds. Every process hears of changes.

    A tier is what is spent, in whole units of the account's currency, and how many times the limits that gives.
    """
    spent, multipliers = [amount * MICRO for amount, _ in tiers], [multiplier for _, multiplier in tiers]
    async with db.transaction() as connection:
        changed = await queries.set_tier_multipliers(connection, spent, multipliers)
    if changed:
        _log.info("tiers.changed", count=changed)


async def set_rate(db: Database, email: str, multiplier: int | None) -> Account:
    """Give an account so many times the installation's rate limits, at once and everywhere; None: its tier's.

    Raises AppError: 400 for a multiplier out of its bounds, 404 when there is no such account.
    """
    if multiplier is not None and not 1 <= multiplier <= MAX_MULTIPLIER:
        message = f"`multiplier` must be 1 to {MAX_MULTIPLIER}{got(multiplier)}."
        raise AppError("invalid_request", message, param="multiplier")
    account = await queries.account_by_email(db, email)
    if account is None:
        raise AppError("not_found", "There is no account with that address.", param="email")
    async with db.transaction() as connection:
        await queries.set_rate_multiplier(connection, account.id, multiplier)
    return msgspec.structs.replace(account, rate_multiplier=multiplier)
