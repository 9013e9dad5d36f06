"""Hold: set aside what creates may cost, in the transaction that writes them. All that fit are granted, exactly."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from seedance_api.billing import decide, ledger_queries, limit_queries, wallet_queries, windows
from seedance_api.billing.decide import NewHold, Shortfall, Warned
from seedance_api.billing.expire import end_grants
from seedance_api.billing.news import News, low_balance
from seedance_api.billing.rows import Limit, Wallet
from seedance_api.foundation.db import Connection
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.money import format_amount, format_price
from seedance_api.notifications.outbox import put
from seedance_api.notifications.rows import Message


class Granted(msgspec.Struct, frozen=True):
    """The holds that were granted, whose money is set aside already, and the refusal of each other, by generation."""

    holds: list[NewHold]
    refused: dict[str, AppError]
    days: dict[str, date]
    news: list[News]
    """What the accounts' owners want to hear of; also of holds that were refused."""


async def take_holds(connection: Connection, wanted: Sequence[NewHold]) -> Granted:
    """Lock the wallets, decide, and move the money. The caller writes the generations and then calls `write_holds`."""
    if not wanted:
        return Granted([], {}, {}, [])
    accounts = sorted({one.account_id for one in wanted})
    before = wallets = await wallet_queries.lock_wallets(connection, accounts)
    for wallet in wallets.values():
        if wallet.grants_expired:
            await end_grants(connection, wallet)
    if any(wallet.grants_expired for wallet in wallets.values()):
        wallets = await wallet_queries.lock_wallets(connection, accounts)
    limits, today = await limit_queries.limits_of(connection, accounts)
    verdict = decide.grant_holds(wanted, wallets, limits, today)
    moved = {account_id: amount for account_id, amount in verdict.moved.items() if amount}
    if (moved or verdict.limits) and await wallet_queries.move_to_held(connection, moved, verdict.limits) != (
        len(moved),
        len(verdict.limits),
    ):
        raise AssertionError("a locked wallet, and the limits under its lock, allow what was read of them")
    await _announce(connection, verdict.warned)
    return Granted(
        verdict.granted,
        {one: refusal(short) for one, short in verdict.refused.items()},
        verdict.days,
        _news(verdict, before, wallets),
    )


async def write_holds(connection: Connection, granted: Granted) -> None:
    """Write the holds, and their transfers, of generations that are written by now."""
    if granted.holds:
        await ledger_queries.insert_holds(connection, granted.holds, granted.days)


def refusal(short: Sequence[Shortfall]) -> AppError:
    """402 with every number: what is needed, and what is left of the balance and of each limit in the way."""
    problems = [_problem(one) for one in short]
    if short[0].limit is None:
        return AppError("insufficient_balance", problems=problems)
    return AppError("limit_reached", problems=problems)


def _problem(short: Shortfall) -> Problem:
    needed, left = format_amount(short.needed), format_amount(short.left)
    asked = f"This video may cost up to {format_price(short.needed, short.currency)}"
    rest = format_price(short.left, short.currency)
    if short.limit is None:
        message = f"{asked}; {rest} are available. Add money to the account, or ask for less."
        return Problem(path="balance", code="insufficient_balance", message=message, value=needed, allowed=left)
    whose, period = _scope(short.limit), short.limit.period.value
    most = format_price(short.limit.most, short.currency)
    again = windows.next_window(short.limit.period, short.limit.since)
    until = f" It starts anew on {again.isoformat()}, 00:00 UTC." if again else ""
    span = "in all" if again is None else f"a {period}"
    message = f"{asked}; {rest} of the {whose}'s limit of {most} {span} are left.{until}"
    return Problem(path=f"limits.{whose}.{period}", code="limit_reached", message=message, value=needed, allowed=left)


def _news(verdict: decide.Verdict, before: Mapping[str, Wallet], wallets: Mapping[str, Wallet]) -> list[News]:
    """`before` are the wallets as they were, with the grants that have ended since."""
    left = {one: wallet.available - verdict.moved.get(one, 0) for one, wallet in wallets.items()}
    low = [low_balance(one) for name, wallet in before.items() if (one := decide.fallen(wallet, left[name]))]
    reached = [
        News(kind="key.limit_reached", account_id=one.limit.account_id, data=_state_of(one.limit))
        for one in verdict.warned
        if one.reached
    ]
    return low + reached


def _state_of(limit: Limit) -> dict[str, Any]:
    return {
        "scope": _scope(limit),
        "key_id": limit.subject if _scope(limit) == "key" else None,
        "period": limit.period.value,
        "limit": format_amount(limit.most),
        "spent": format_amount(limit.spent),
        "percent": limit.spent * 100 // limit.most if limit.most else 100,
    }


def _scope(limit: Limit) -> str:
    return "account" if limit.subject == limit.account_id else "key"


async def _announce(connection: Connection, warned: Sequence[Warned]) -> None:
    messages = [
        Message(
            kind="limit_reached" if one.reached else "limit_near",
            account_id=one.limit.account_id,
            detail=_state_of(one.limit),
        )
        for one in warned
    ]
    await put(connection, messages)
