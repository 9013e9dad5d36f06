"""Decisions about money: pure functions from what was seen under lock to what is to be written."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import msgspec

from seedance_api.billing.prices import price_of
from seedance_api.billing.rows import Grant, Hold, Limit, Period, Wallet
from seedance_api.billing.windows import in_window


class NewHold(msgspec.Struct, frozen=True, kw_only=True):
    """What a create wants held, in micro-dollars."""

    generation_id: str
    account_id: str
    key_id: str
    currency: str
    price_version: int
    rate: int
    quoted_tokens: int
    quoted: int
    amount: int


class Shortfall(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the way of a hold: `limit` is None when it is the balance."""

    needed: int
    left: int
    currency: str
    limit: Limit | None = None


class Warned(msgspec.Struct, frozen=True, kw_only=True):
    """A limit that came near its end, or reached it: once in each window. One that refuses is `reached`, too."""

    limit: Limit
    reached: bool


class Low(msgspec.Struct, frozen=True, kw_only=True):
    """A balance that fell below what its owner wants to hear of, in this moment."""

    account_id: str
    available: int
    threshold: int
    currency: str


class Verdict(msgspec.Struct, frozen=True):
    """Which holds are granted, in the order they came, and what is to be written for them."""

    granted: list[NewHold]
    refused: dict[str, list[Shortfall]]
    moved: dict[str, int]
    """What moves from available to held, by account."""
    limits: list[Limit]
    """The limits of the granted, as they are afterwards."""
    warned: list[Warned]
    days: dict[str, date]
    """The day that each account's holds are counted on."""


def grant_holds(
    wanted: Sequence[NewHold], wallets: Mapping[str, Wallet], limits: Iterable[Limit], today: date
) -> Verdict:
    """Give each hold what it wants, first come first served; one that is refused takes nothing from those behind it."""
    free = {account_id: wallet.available for account_id, wallet in wallets.items()}
    limits = list(limits)
    days = {one.account_id: _day_of(one.account_id, limits, today) for one in wanted}
    now = {(one.subject, one.period): in_window(one, days.get(one.account_id, today)) for one in limits}
    verdict = Verdict([], {}, {}, [], [], days)
    touched: set[tuple[str, Period]] = set()
    for one in wanted:
        mine = [now[key] for period in Period for key in _keys(one, period) if key in now]
        short = _shortfalls(one, free.get(one.account_id, 0), mine)
        if short:
            verdict.refused[one.generation_id] = short
            reached = [shortfall.limit for shortfall in short if shortfall.limit is not None]
            after = [(limit, msgspec.structs.replace(limit, refused=True)) for limit in reached]
        else:
            verdict.granted.append(one)
            free[one.account_id] = free.get(one.account_id, 0) - one.amount
            verdict.moved[one.account_id] = verdict.moved.get(one.account_id, 0) + one.amount
            after = [(limit, _spend(limit, one.amount)) for limit in mine]
        for before, limit in after:
            now[limit.subject, limit.period] = limit
            touched.add((limit.subject, limit.period))
            if limit.warned > before.warned:
                verdict.warned.append(Warned(limit=limit, reached=limit.warned == 100))
            elif limit.refused > before.refused and limit.warned < 100:
                verdict.warned.append(Warned(limit=limit, reached=True))
    verdict.limits.extend(now[key] for key in sorted(touched))
    return verdict


def fallen(before: Wallet, available: int) -> Low | None:
    """What the owner is to hear when of this wallet so much is available now: once, when it falls below his mark."""
    if before.low is None or not available < before.low <= before.available:
        return None
    return Low(account_id=before.account_id, available=available, threshold=before.low, currency=before.currency)


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished generation costs its customer. `waived` is what was above the hold: the operator pays it."""

    tokens: int
    rate: int
    charged: int
    waived: int
    reason: str | None


def settle(hold: Hold, tokens: int | None, rate: int | None) -> Settlement:
    """The charge for what was really rendered, never above the hold.

    `tokens` is what the upstream counted and `rate` what the hold's price book asks for what was rendered; where the
    upstream or the book does not tell, the order's own numbers count.
    """
    reasons: list[str] = []
    if tokens is None:
        tokens = hold.quoted_tokens
        reasons.append("the upstream told no usage; what was quoted counts")
    if rate is None:
        rate = hold.rate
        reasons.append("the price book has no price for what was rendered; that of the order counts")
    price = price_of(tokens, rate)
    charged = min(price, hold.amount)
    if price > charged:
        reasons.append("more was rendered than was quoted; the operator pays what is above the hold")
    return Settlement(
        tokens=tokens, rate=rate, charged=charged, waived=price - charged, reason="; ".join(reasons) or None
    )


def spend_grants(grants: Sequence[Grant], amount: int) -> dict[str, int]:
    """What a charge takes from each grant, the one that ends first first. What they do not cover was paid for."""
    taken: dict[str, int] = {}
    for grant in grants:
        part = min(grant.remaining, amount)
        if part:
            taken[grant.id] = part
            amount -= part
    return taken


def expire_grants(grants: Sequence[Grant], available: int) -> dict[str, int]:
    """What ends of each expired grant. Money that was on hold before a grant ended counts as its own, and stays."""
    ended: dict[str, int] = {}
    used = 0
    for grant in grants:
        covered = min(grant.remaining, max(0, grant.held - used))
        used += covered
        over = min(grant.remaining - covered, available) if grant.expired else 0
        if over:
            ended[grant.id] = over
            available -= over
    return ended


def _day_of(account_id: str, limits: Iterable[Limit], today: date) -> date:
    """Today, unless a window has begun later: the clock was set back, which must not open a window twice."""
    begun = (one.since for one in limits if one.account_id == account_id and one.period is not Period.TOTAL)
    return max([today, *begun])


def _keys(one: NewHold, period: Period) -> list[tuple[str, Period]]:
    return [(one.account_id, period), (one.key_id, period)]


def _shortfalls(one: NewHold, free: int, limits: Iterable[Limit]) -> list[Shortfall]:
    short = [
        Shortfall(needed=one.amount, left=max(0, limit.most - limit.spent), currency=one.currency, limit=limit)
        for limit in limits
        if one.amount and limit.spent + one.amount > limit.most
    ]
    if one.amount > free:
        short.insert(0, Shortfall(needed=one.amount, left=free, currency=one.currency))
    return short


def _spend(limit: Limit, amount: int) -> Limit:
    spent = limit.spent + amount
    warned = 0 if not amount else 100 if spent >= limit.most else 80 if spent * 10 >= limit.most * 8 else 0
    return msgspec.structs.replace(limit, spent=spent, warned=max(limit.warned, warned))
