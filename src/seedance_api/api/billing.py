"""`/v1/balance`: the account's money."""

from typing import Any

import msgspec
from litestar import Response, get, post

from seedance_api.accounts.authenticate import Principal
from seedance_api.api.billing_view import Balance, LimitView, SetBalance
from seedance_api.api.view import unix
from seedance_api.billing import balance as verbs
from seedance_api.billing.limits import Spending
from seedance_api.catalog.words import got
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.money import amount_of_number, format_amount
from seedance_api.web.body import AnyRequest, read_json
from seedance_api.web.context import Context, context_of, principal_of
from seedance_api.web.decode import decode
from seedance_api.web.idempotency import keyed_digest, once_by_key
from seedance_api.web.respond import REPLAYED, json_response
from seedance_api.web.route import Operation, Sample


@get(
    "/v1/balance",
    operation=Operation(
        id="retrieveBalance",
        scope="billing:read",
        rate="read",
        summary="Balance and limits",
        tag="Billing",
        answer=Balance,
    ),
)
async def retrieve_balance(request: AnyRequest) -> Response[bytes]:
    """What the account has, what of it is on hold, and what the limits of the account and of this key leave."""
    return json_response(await _balance(context_of(request), principal_of(request)))


@post(
    "/v1/balance",
    status_code=200,
    operation=Operation(
        id="setBalance",
        scope="billing:write",
        rate="write",
        summary="Be told of a low balance",
        tag="Billing",
        body=SetBalance,
        body_needs=("low_balance",),
        body_nulls=("low_balance",),
        answer=Balance,
        repeatable=True,
        sample=Sample(body={"low_balance": "5.00"}),
    ),
)
async def set_balance(request: AnyRequest) -> Response[bytes]:
    """Below this amount the event `balance.low` is announced, once each time that what is available falls below it. The
    answer is the balance."""
    context, principal = context_of(request), principal_of(request)
    body = await read_json(request)
    low = _read_low(body, principal)
    once = once_by_key(
        request, principal, "POST /v1/balance", keyed_digest(context, msgspec.json.encode(body, order="sorted"))
    )
    is_first = await verbs.set_low_balance(context.db, principal.account_id, low, once=once)
    return json_response(await _balance(context, principal), {} if is_first else REPLAYED)


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
            problems.append(
                Problem(
                    path="low_balance", code="out_of_range", message=f"`low_balance` {error}{got(form.low_balance)}."
                )
            )
    elif "low_balance" not in body:
        message = "`low_balance` is needed: an amount, or null for no warning."
        problems.append(Problem(path="low_balance", code="missing", message=message))
    if problems:
        raise AppError("invalid_request", problems=problems)
    return low


async def _balance(context: Context, principal: Principal) -> Balance:
    found = await verbs.balance(context.db, principal.account_id, principal.livemode, principal.key_id)
    return Balance(
        currency=principal.currency,
        available=format_amount(found.available),
        held=format_amount(found.held),
        granted=format_amount(found.granted),
        low_balance=None if found.low is None else format_amount(found.low),
        limits=[_limit_view(one) for one in found.limits],
        livemode=principal.livemode,
        sandbox=context.is_sandbox(principal),
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
