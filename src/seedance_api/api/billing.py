"""`/v1/balance`, `/v1/usage`, `/v1/statements/{month}`: the account's money, and what it went for."""

import base64
from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Stream

from seedance_api.accounts.authenticate import Principal
from seedance_api.accounts.queries import low_balance_of
from seedance_api.api.body import AnyRequest, read_json
from seedance_api.api.decode import decode, decode_query
from seedance_api.api.once import once_by_key, seal
from seedance_api.api.parts import Parts, parts_of, principal_of
from seedance_api.api.videos import REPLAYED, json_response
from seedance_api.api.view import NOTHING, unix
from seedance_api.billing import wallet_queries
from seedance_api.billing.limits import Spending, set_low_balance, spending
from seedance_api.billing.statement import month_of, statement
from seedance_api.billing.usage import DIMENSIONS, Position, Totals, UsageRow, today, totals, usage
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.money import amount_of_number, format_amount


class LimitView(msgspec.Struct, frozen=True, kw_only=True):
    """A spending limit of the account or of the key that asks, and what is left of it."""

    scope: Literal["account", "key"]
    key_id: str | None
    period: Literal["day", "month", "total"]
    limit: str
    spent: str
    left: str
    resets_at: int | None


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """The account's money: decimal strings. `granted` is the part of it that was given, and is spent first."""

    object: Literal["balance"] = "balance"
    currency: str
    available: str
    held: str
    granted: str
    low_balance: str | None
    limits: list[LimitView]
    livemode: bool
    sandbox: bool


class SetBalance(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner of an account may say of its balance."""

    low_balance: str | float | None = None


class TotalsView(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the whole range."""

    videos: int
    seconds: str
    tokens: int
    charged: str
    refunded: str


class UsageView(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of one group. What is not grouped by is null."""

    object: Literal["usage"] = "usage"
    day: str | None
    model: str | None
    key_id: str | None
    videos: int
    seconds: str
    tokens: int
    charged: str
    refunded: str


class UsageList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of groups, with the sums of all of them. `next` is the `after` of the next page."""

    object: Literal["list"] = "list"
    data: list[UsageView]
    totals: TotalsView
    currency: str
    since: str = msgspec.field(name="from")
    until: str = msgspec.field(name="to")
    livemode: bool
    sandbox: bool
    has_more: bool
    next: str | None


@get("/v1/balance")
async def retrieve_balance(request: AnyRequest) -> Response[bytes]:
    """What the account has, what of it is on hold, and what its limits leave."""
    return json_response(await _balance(parts_of(request), principal_of(request)))


@post("/v1/balance", status_code=200)
async def set_balance(request: AnyRequest) -> Response[bytes]:
    """Say of what balance on the account wants to hear that it is low: once, each time that it falls below."""
    parts, principal = parts_of(request), principal_of(request)
    body = await read_json(request)
    low = _read_low(body, principal)
    once = once_by_key(request, principal, "POST /v1/balance", seal(parts, msgspec.json.encode(body, order="sorted")))
    replayed = once is not None and await parts.find(once) is not None
    if not replayed:
        await set_low_balance(parts.db, principal.account_id, low, once=once)
    return json_response(await _balance(parts, principal), REPLAYED if replayed else {})


def _read_low(body: dict[str, Any], principal: Principal) -> int | None:
    form, problems = decode(SetBalance, body, strict=True)
    low = None
    if not principal.livemode:
        message = "Test keys have no balance; use a live key."
        problems.append(Problem(path="low_balance", code="unsupported_value", message=message))
    elif form.low_balance is not None:
        try:
            low = amount_of_number(form.low_balance)
        except ValueError as error:
            problems.append(Problem(path="low_balance", code="out_of_range", message=f"`low_balance` {error}."))
    elif "low_balance" not in body:
        message = "Say `low_balance`: an amount, or null to hear nothing."
        problems.append(Problem(path="low_balance", code="missing", message=message))
    if problems:
        raise AppError("invalid_request", problems=problems)
    return low


async def _balance(parts: Parts, principal: Principal) -> Balance:
    wallet = await wallet_queries.wallet_of(parts.db, principal.account_id) if principal.livemode else None
    limits = await spending(parts.db, principal.account_id, principal.key_id) if principal.livemode else []
    low = await low_balance_of(parts.db, principal.account_id) if principal.livemode else None
    return Balance(
        currency=principal.currency,
        available=format_amount(wallet.available) if wallet else NOTHING,
        held=format_amount(wallet.held) if wallet else NOTHING,
        granted=format_amount(wallet.granted) if wallet else NOTHING,
        low_balance=None if low is None else format_amount(low),
        limits=[_limit_view(one) for one in limits],
        livemode=principal.livemode,
        sandbox=parts.is_sandbox(principal),
    )


@get("/v1/usage", takes_query=True)
async def list_usage(request: AnyRequest) -> Response[bytes]:
    """What was made and charged, by day, model and key."""
    parts, principal = parts_of(request), principal_of(request)
    asked = read_usage(request.query_params, await today(parts.db))
    found = await usage(
        parts.db,
        principal.account_id,
        principal.livemode,
        since=asked.since,
        until=asked.until,
        by=asked.by,
        behind=asked.behind,
        limit=asked.limit + 1,
    )
    sums = await totals(parts.db, principal.account_id, principal.livemode, since=asked.since, until=asked.until)
    has_more = len(found) > asked.limit
    page = found[: asked.limit]
    return json_response(
        UsageList(
            data=[_usage_view(one) for one in page],
            totals=_totals_view(sums),
            currency=principal.currency,
            since=asked.since.isoformat(),
            until=asked.until.isoformat(),
            livemode=principal.livemode,
            sandbox=parts.is_sandbox(principal),
            has_more=has_more,
            next=_cursor(page[-1]) if has_more else None,
        )
    )


@get("/v1/statements/{month:str}")
async def retrieve_statement(request: AnyRequest, month: FromPath[str]) -> Stream:
    """Every movement of the account's money in a month, as CSV. Raises AppError 404 for a test key, which has none."""
    parts, principal = parts_of(request), principal_of(request)
    if not principal.livemode:
        message = "A test key has no statements, for what it makes is free; use a live key."
        raise AppError("not_found", message)
    span = month_of(month)
    if span is None:
        problem = Problem(path="month", code="unsupported_value", message="`month` must be a month such as 2026-11.")
        raise AppError("invalid_request", problem.message, problems=[problem])

    lines = statement(parts.db, principal.account_id, *span)
    headers = {
        "content-disposition": f'attachment; filename="statement-{month}.csv"',
        "cache-control": "no-store",
    }
    return Stream(lines, media_type="text/csv", headers=headers)  # the framework adds the charset


class _Asked(msgspec.Struct, frozen=True):
    since: date
    until: date
    by: tuple[str, ...]
    behind: Position | None
    limit: int


class UsageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query of a usage list."""

    since: str | None = msgspec.field(default=None, name="from")
    until: str | None = msgspec.field(default=None, name="to")
    group_by: str = "day"
    limit: int = 100
    after: str | None = None


def read_usage(query: Mapping[str, Any], now: date) -> _Asked:
    """The query of a usage list, on this day. Raises AppError with every parameter that is wrong."""
    asked, problems = decode_query(UsageQuery, query)

    def bad(path: str, message: str, allowed: object = None) -> None:
        problems.append(Problem(path=path, code="unsupported_value", message=message, allowed=allowed))

    until = now if asked.until is None else _day(asked.until)
    since = (until or now).replace(day=1) if asked.since is None else _day(asked.since)
    for name, one in (("from", since), ("to", until)):
        if one is None:
            bad(name, f"`{name}` must be a day such as 2026-11-24.")
    if since and until and not 0 <= (until - since).days <= 1827:
        bad("from", "`from` must not be after `to`, nor more than five years before it.")
    by = tuple(part.strip() for part in asked.group_by.split(","))
    if not set(by) <= set(DIMENSIONS) or len(set(by)) != len(by):
        bad("group_by", "`group_by` must be some of day, model and key, with commas between.", list(DIMENSIONS))
    if not 1 <= asked.limit <= 1000:
        bad("limit", "`limit` must be 1 to 1000.", "1 to 1000")
    behind = None if asked.after is None else _position(asked.after)
    if asked.after is not None and behind is None:
        bad("after", "`after` must be the `next` of a page before.")
    if problems or since is None or until is None:
        raise AppError("invalid_request", problems=problems)
    return _Asked(since, until, by, behind, asked.limit)


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.isoformat() == text and 2000 <= found.year <= 9998 else None


def _cursor(last: UsageRow) -> str:
    position = Position(last.day, last.model, last.key_id)
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def _position(text: str) -> Position | None:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        found = msgspec.json.decode(raw, type=Position)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None
    # PostgreSQL takes no NUL in a text
    return None if "\0" in (found.model or "") + (found.key_id or "") else found


def _usage_view(one: UsageRow) -> UsageView:
    return UsageView(
        day=one.day.isoformat() if one.day else None,
        model=one.model,
        key_id=one.key_id,
        videos=one.videos,
        seconds=_seconds(one),
        tokens=one.tokens,
        charged=format_amount(one.charged),
        refunded=format_amount(one.refunded),
    )


def _seconds(sums: Totals) -> str:
    whole, rest = divmod(sums.milliseconds, 1000)
    return f"{whole}.{rest:03}".rstrip("0").rstrip(".")


def _totals_view(sums: Totals) -> TotalsView:
    return TotalsView(
        videos=sums.videos,
        seconds=_seconds(sums),
        tokens=sums.tokens,
        charged=format_amount(sums.charged),
        refunded=format_amount(sums.refunded),
    )


def _limit_view(one: Spending) -> LimitView:
    return LimitView(
        scope="key" if one.key_id else "account",
        key_id=one.key_id,
        period=one.period.value,
        limit=format_amount(one.most),
        spent=format_amount(one.spent),
        left=format_amount(one.left),
        resets_at=unix(one.resets_at) if one.resets_at else None,
    )
