"""`/v1/usage` and `/v1/statements/{month}`: what the account's money went for."""

import base64
from collections.abc import Mapping
from datetime import date
from itertools import permutations
from typing import Any

import msgspec
from litestar import Response, get
from litestar.params import FromPath
from litestar.response import Stream

from seedance_api.api.billing_view import TotalsView, UsageList, UsageView
from seedance_api.billing.statement import statement_of
from seedance_api.billing.usage import DIMENSIONS, Position, Totals, UsageRow, today, totals, usage
from seedance_api.catalog.words import got
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.money import format_amount
from seedance_api.web.body import AnyRequest
from seedance_api.web.context import context_of, principal_of
from seedance_api.web.decode import decode_query
from seedance_api.web.respond import json_response
from seedance_api.web.route import Operation, Parameter, Sample, TextAnswer, limit_parameter

_SAMPLE = """
time,id,kind,video,reference,reason,available_change,held_change,…
,,opening balance,,,,,,0.000000,0.000000,USD
2026-11-02T09:12:44.103Z,trf_…,credit,,,bank transfer,20.000000,…
"""
_DAY = {"type": "string", "format": "date"}
_GROUPINGS = [",".join(one) for count in (1, 2, 3) for one in permutations(DIMENSIONS, count)]
_GROUPS = "One or more of `day`, `model` and `key`, separated by commas."


@get(
    "/v1/usage",
    operation=Operation(
        id="listUsage",
        scope="billing:read",
        rate="read",
        summary="Usage",
        tag="Billing",
        answer=UsageList,
        parameters=(
            Parameter("from", _DAY, "The first UTC day; that of the month if left out."),
            Parameter("to", _DAY, "The last UTC day, counted in; today if left out."),
            Parameter("group_by", {"enum": _GROUPINGS, "default": "day"}, _GROUPS),
            limit_parameter(1000, 100, "How many groups."),
            Parameter("after", {"type": "string", "minLength": 1}, "The `next` of the page before."),
        ),
        takes_query=True,
        sample=Sample(query="from=2026-11-01&group_by=day,model"),
    ),
)
async def list_usage(request: AnyRequest) -> Response[bytes]:
    """Completed videos and what they cost, summed by UTC day, model and key as you ask. The totals equal the ledger's
    to the last digit."""
    context, principal = context_of(request), principal_of(request)
    asked = read_usage(request.query_params, await today(context.db))
    found = await usage(
        context.db,
        principal.account_id,
        principal.livemode,
        since=asked.since,
        until=asked.until,
        by=asked.by,
        behind=asked.behind,
        limit=asked.limit + 1,
    )
    sums = await totals(context.db, principal.account_id, principal.livemode, since=asked.since, until=asked.until)
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
            sandbox=context.is_sandbox(principal),
            has_more=has_more,
            next=_cursor(page[-1]) if has_more else None,
        )
    )


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
            given = asked.since if name == "from" else asked.until
            bad(name, f"`{name}` must be a day such as 2026-11-24{got(given)}.")
    if since and until and not 0 <= (until - since).days <= 1827:
        bad("from", "`from` must not be after `to`, nor more than five years before it.")
    by = tuple(part.strip() for part in asked.group_by.split(","))
    if not set(by) <= set(DIMENSIONS) or len(set(by)) != len(by):
        bad(
            "group_by",
            f"`group_by` must be one or more of day, model and key, separated by commas{got(asked.group_by)}.",
            list(DIMENSIONS),
        )
    if not 1 <= asked.limit <= 1000:
        bad("limit", f"`limit` must be 1 to 1000{got(asked.limit)}.", "1 to 1000")
    behind = None if asked.after is None else _position(asked.after)
    if asked.after is not None and behind is None:
        bad("after", "`after` must be the `next` of the previous page.")
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


@get(
    "/v1/statements/{month:str}",
    operation=Operation(
        id="retrieveStatement",
        scope="billing:read",
        rate="read",
        summary="Statement of a month",
        tag="Billing",
        answer=TextAnswer("text/csv", "Every movement of the account's money, as CSV."),
        errors=("not_found",),
        parameters=(Parameter("month", {"type": "string"}, "A UTC month, such as `2026-11`.", "path"),),
        sample=Sample(curl="-o 2026-11.csv", text=_SAMPLE),
    ),
)
async def retrieve_statement(request: AnyRequest, month: FromPath[str]) -> Stream:
    """Every movement of the account's money in a month: credits, grants, holds, charges, releases, refunds, each with
    the balance after it. A test key has none."""
    context, principal = context_of(request), principal_of(request)
    lines = statement_of(context.db, principal.account_id, principal.livemode, month)
    headers = {
        "content-disposition": f'attachment; filename="statement-{month}.csv"',
        "cache-control": "no-store",
    }
    return Stream(lines, media_type="text/csv", headers=headers)  # the framework adds the charset
