"""`/v1/webhook_endpoints/{id}/deliveries` and `/replay`: what became of each event, and having it sent again."""

from typing import Literal, get_args

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from seedance_api.api.body import AnyRequest, read_json
from seedance_api.api.decode import decode
from seedance_api.api.parts import parts_of
from seedance_api.api.videos import REPLAYED, json_response, moment
from seedance_api.api.view import unix
from seedance_api.api.webhook_endpoints import once_of, owner_of
from seedance_api.api.webhook_forms import read_list
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.idempotency import Done
from seedance_api.foundation.ids import is_id
from seedance_api.generations.accept import refusal
from seedance_api.webhooks import replay_queries
from seedance_api.webhooks.decide import Attempt
from seedance_api.webhooks.endpoints import find_endpoint
from seedance_api.webhooks.kinds import Kind
from seedance_api.webhooks.replay import replay
from seedance_api.webhooks.rows import Delivery, DeliveryState, Range


class WebhookDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one event at one endpoint. `attempts` are the last twenty."""

    event_id: str
    object: Literal["webhook_delivery"] = "webhook_delivery"
    type: Kind
    state: DeliveryState
    tries: int
    next_attempt_at: int | None
    attempts: list[Attempt]
    created_at: int
    ended_at: int | None


class WebhookDeliveryList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of deliveries, newest first; `last_id` is the id of the last one's event."""

    object: Literal["list"] = "list"
    data: list[WebhookDelivery]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ReplayDeliveries(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a replay: one event, or those of a time."""

    event_id: str | None = None
    since: int | None = None
    until: int | None = None
    after: str | None = None
    only_failed: bool | None = None


class WebhookReplay(msgspec.Struct, frozen=True, kw_only=True):
    """How many were put in line. When `has_more`, ask again with `after` set to `last_id`."""

    object: Literal["webhook_endpoint.replay"] = "webhook_endpoint.replay"
    webhook_endpoint_id: str
    count: int
    last_id: str | None
    has_more: bool


@get("/v1/webhook_endpoints/{endpoint_id:str}/deliveries", takes_query=True)
async def list_deliveries(request: AnyRequest, endpoint_id: FromPath[str]) -> Response[bytes]:
    """A page of what was sent to an endpoint, and is to be."""
    parts = parts_of(request)
    endpoint = await find_endpoint(parts.db, owner_of(request), endpoint_id)
    asked = read_list(request.query_params, "evt", state=get_args(DeliveryState))
    found = await replay_queries.deliveries_page(
        parts.db, endpoint, after=asked.after, state=asked.state, limit=asked.limit + 1
    )
    data = [_view(one) for one in found[: asked.limit]]
    page = WebhookDeliveryList(
        data=data,
        first_id=data[0].event_id if data else None,
        last_id=data[-1].event_id if data else None,
        has_more=len(found) > asked.limit,
    )
    return json_response(page)


@post("/v1/webhook_endpoints/{endpoint_id:str}/replay", status_code=200)
async def replay_deliveries(request: AnyRequest, endpoint_id: FromPath[str]) -> Response[bytes]:
    """Have one event, or those of a time, sent again."""
    parts, body = parts_of(request), await read_json(request)
    form, problems = decode(ReplayDeliveries, body, strict=True)
    problems += _check(form)
    if problems:
        raise refusal(problems)
    endpoint = await find_endpoint(parts.db, owner_of(request), endpoint_id)
    once = once_of(request, "POST /v1/webhook_endpoints/{webhook_endpoint_id}/replay", endpoint_id, body)
    if once is not None and (done := await parts.find(once)):
        return _answered(endpoint_id, done)
    wanted = Range(
        event_id=form.event_id,
        since=moment(form.since),
        until=moment(form.until),
        after=form.after,
        only_failed=form.only_failed or False,
    )
    made = await replay(parts.db, endpoint, wanted, once)
    if made is None:
        return _answered(endpoint_id, await parts.find(once) if once else None)
    view = WebhookReplay(
        webhook_endpoint_id=endpoint_id, count=made.count, last_id=made.last_id, has_more=made.has_more
    )
    return json_response(view)


def _check(form: ReplayDeliveries) -> list[Problem]:
    problems: list[Problem] = []

    def bad(path: str, code: str, message: str) -> None:
        problems.append(Problem(path=path, code=code, message=message))

    for name in ("event_id", "after"):
        value: str | None = getattr(form, name)
        if value is not None and not is_id("evt", value):
            bad(name, "unsupported_value", f"`{name}` must be the id of an event, `evt_…`.")
    for name in ("since", "until"):
        seconds: int | None = getattr(form, name)
        if seconds is not None and not 0 <= seconds < 1 << 33:
            bad(name, "out_of_range", f"`{name}` must be Unix seconds.")
    ranged = (form.since, form.until, form.after, form.only_failed)
    if form.event_id is not None and any(one is not None for one in ranged):
        bad(
            "event_id", "conflict", "`event_id` names one event; leave out `since`, `until`, `after` and `only_failed`."
        )
    if form.event_id is None and form.since is None:
        bad("since", "missing", "Say which: `event_id`, or `since` and what else bounds the time.")
    return problems


def _answered(endpoint_id: str, done: Done | None) -> Response[bytes]:
    if done is None or done.answer is None:
        raise AppError("idempotency_in_progress", headers={"Retry-After": "1"})
    return json_response(msgspec.convert(done.answer | {"webhook_endpoint_id": endpoint_id}, WebhookReplay), REPLAYED)


def _view(one: Delivery) -> WebhookDelivery:
    return WebhookDelivery(
        event_id=one.event_id,
        type=one.type,
        state=one.state,
        tries=one.tries,
        next_attempt_at=unix(one.due_at) if one.state == "pending" else None,
        attempts=one.attempts,
        created_at=unix(one.created_at),
        ended_at=unix(one.ended_at) if one.ended_at else None,
    )
