"""Limits: how much an account or a key may spend in a day, a month, or in all."""

from collections.abc import Mapping
from datetime import UTC, date, datetime

import msgspec

from seedance_api.billing import limit_queries, wallet_queries, windows
from seedance_api.billing.rows import Limit, Period
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError


class Spending(msgspec.Struct, frozen=True, kw_only=True):
    """A limit with what is left of it. `resets_at` is None for one that counts for ever."""

    key_id: str | None
    period: Period
    most: int
    spent: int
    left: int
    resets_at: datetime | None


async def set_limits(db: Database, account_id: str, key_id: str | None, most: Mapping[Period, int | None]) -> None:
    """Set the limits of an account, or of one of its keys; None lifts one. What was spent in the window counts.

    The wallet's lock keeps every create out meanwhile. Raises AppError 404 for another account's key.
    """
    async with db.transaction() as connection:
        await wallet_queries.open_wallet(connection, account_id)
        if key_id is not None and await limit_queries.account_of_key(connection, key_id) != account_id:
            raise AppError("not_found", "The account has no such key.", param="key")
        _, today = await limit_queries.limits_of(connection, [account_id])
        for period, amount in most.items():
            subject = key_id or account_id
            if amount is None:
                await limit_queries.delete_limit(connection, subject, period.value)
                continue
            since = windows.window_of(period, today)
            limit = Limit(
                subject=subject,
                period=period,
                account_id=account_id,
                most=amount,
                since=since,
                spent=0,
                warned=0,
                refused=False,
            )
            await limit_queries.put_limit(connection, limit)


async def spending(db: Database, account_id: str, key_id: str | None = None) -> list[Spending]:
    """The limits of an account, and of this key, or of every key of it when none is named."""
    limits, today = await limit_queries.limits_of_account(db, account_id)
    mine = [one for one in limits if key_id is None or one.subject in (account_id, key_id)]
    order = list(Period)
    mine.sort(key=lambda one: (one.subject != account_id, one.subject, order.index(one.period)))
    return [_spending(windows.in_window(one, today)) for one in mine]


def _spending(limit: Limit) -> Spending:
    again = windows.next_window(limit.period, limit.since)
    return Spending(
        key_id=None if limit.subject == limit.account_id else limit.subject,
        period=limit.period,
        most=limit.most,
        spent=limit.spent,
        left=max(0, limit.most - limit.spent),
        resets_at=_midnight(again) if again else None,
    )


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
