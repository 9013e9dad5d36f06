"""`/v1/webhook_endpoints/{id}/deliveries` and `/replay`: what became of each event, and having it sent again."""

from typing import Literal, get_args

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from seedance_api.api.video_list import moment
from seedance_api.api.view import unix
from seedance_api.api.webhook_endpoints import once_of, owner_of
from seedance_api.api.webhook_forms import read_list
from seedance_api.catalog.words import got
from seedance_api.foundation.errors import Problem
from seedance_api.foundation.ids import is_id
from seedance_api.generations.accept import refusal
from seedance_api.web.body import AnyRequest, read_json
from seedance_api.web.context import context_of
from seedance_api.web.decode import decode
from seedance_api.web.respond import REPLAYED, json_response
from seedance_api.web.route import Operation, Parameter, Sample, after_parameter, limit_parameter
from seedance_api.webhooks.decide import Attempt
from seedance_api.webhooks.endpoints import find_endpoint
from seedance_api.webhooks.kinds import Kind
from seedance_api.webhooks.read import deliveries_of
from seedance_api.webhooks.replay import replay
from seedance_api.webhooks.rows import Delivery, DeliveryState, Range


class WebhookDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one event at one endpoint. `attempts` are the last twenty."""

    event_id: str
    """The event; `webhook-id` in the headers."""
    object: Literal["webhook_delivery"] = "webhook_delivery"
    type: Kind
    """The event's type."""
    state: DeliveryState
    """`pending`, `delivered`, `failed` (ten tries in vain) or `dropped` (the endpoint was disabled first)."""
    tries: int
    """How often it was tried, since it was sent or last sent again."""
    next_attempt_at: int | None
    """When it is tried next, at the earliest; null when it is not."""
    attempts: list[Attempt]
    """The last twenty tries, oldest first: `at`, `outcome` (`delivered`, `status`, `redirect`, `gone`, `throttled`,
    `timeout`, `unreachable`), `status` and `milliseconds`."""
    created_at: int
    """When the event happened."""
    ended_at: int | None
    """When it arrived, failed or was dropped."""


class WebhookDeliveryList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of deliveries, newest first; `last_id` is the id of the last one's event."""

    object: Literal["list"] = "list"
    data: list[WebhookDelivery]
    """The deliveries of this page."""
    first_id: str | None
    last_id: str | None
    has_more: bool


class ReplayDeliveries(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a replay: one event, or those of a time."""

    event_id: str | None = None
    """One event, of any type."""
    since: int | None = None
    """Events from this Unix second on, of the endpoint's types."""
    until: int | None = None
    """Events before this Unix second."""
    after: str | None = None
    """The `last_id` of the answer before, to go on behind it."""
    only_failed: bool | None = None
    """Leave out what has arrived."""


class WebhookReplay(msgspec.Struct, frozen=True, kw_only=True):
    """How many were put in line. When `has_more`, ask again with `after` set to `last_id`."""

    object: Literal["webhook_endpoint.replay"] = "webhook_endpoint.replay"
    webhook_endpoint_id: str
    """The endpoint."""
    count: int
    """How many events are sent again now."""
    last_id: str | None
    has_more: bool


@get(
    "/v1/webhook_endpoints/{endpoint_id:str}/deliveries",
    operation=Operation(
        id="listWebhookDeliveries",
        scope="webhooks",
        rate="read",
        summary="List deliveries",
        tag="Webhooks",
        answer=WebhookDeliveryList,
        parameters=(
            limit_parameter(100),
            after_parameter("evt"),
            Parameter("state", {"enum": list(get_args(DeliveryState))}, "Only these."),
        ),
        takes_query=True,
        sample=Sample(query="state=failed"),
    ),
)
async def list_deliveries(request: AnyRequest, endpoint_id: FromPath[str]) -> Response[bytes]:
    """Newest first, with the outcome, status and time of each attempt."""
    context = context_of(request)
    endpoint = await find_endpoint(context.db, owner_of(request), endpoint_id)
    asked = read_list(request.query_params, "evt", state=get_args(DeliveryState))
    found = await deliveries_of(context.db, endpoint, after=asked.after, state=asked.state, limit=asked.limit + 1)
    data = [_view(one) for one in found[: asked.limit]]
    page = WebhookDeliveryList(
        data=data,
        first_id=data[0].event_id if data else None,
        last_id=data[-1].event_id if data else None,
        has_more=len(found) > asked.limit,
    )
    return json_response(page)


@post(
    "/v1/webhook_endpoints/{endpoint_id:str}/replay",
    status_code=200,
    operation=Operation(
        id="replayWebhooks",
        scope="webhooks",
        rate="write",
        summary="Send again",
        tag="Webhooks",
        body=ReplayDeliveries,
        answer=WebhookReplay,
        errors=("idempotency_in_progress", "endpoint_disabled", "too_many_replays"),
        repeatable=True,
        sample=Sample(body={"since": 1795437600, "only_failed": True}),
    ),
)
async def replay_deliveries(request: AnyRequest, endpoint_id: FromPath[str]) -> Response[bytes]:
    """One event, or the events of a time, up to 1,000 a call: also those that happened while the endpoint was disabled.
    The id of an event stays the same. They go out twenty a second."""
    context, body = context_of(request), await read_json(request)
    form, problems = decode(ReplayDeliveries, body, strict=True)
    problems += _check(form)
    if problems:
        raise refusal(problems)
    endpoint = await find_endpoint(context.db, owner_of(request), endpoint_id)
    once = once_of(request, "POST /v1/webhook_endpoints/{webhook_endpoint_id}/replay", endpoint_id, body)
    wanted = Range(
        event_id=form.event_id,
        since=moment(form.since),
        until=moment(form.until),
        after=form.after,
        only_failed=form.only_failed or False,
    )
    made, replayed = await replay(context.db, endpoint, wanted, once)
    view = WebhookReplay(
        webhook_endpoint_id=endpoint_id, count=made.count, last_id=made.last_id, has_more=made.has_more
    )
    return json_response(view, REPLAYED if replayed else {})


def _check(form: ReplayDeliveries) -> list[Problem]:
    problems: list[Problem] = []

    def bad(path: str, code: str, message: str) -> None:
        problems.append(Problem(path=path, code=code, message=message))

    for name in ("event_id", "after"):
        value: str | None = getattr(form, name)
        if value is not None and not is_id("evt", value):
            bad(name, "unsupported_value", f"`{name}` must be an event's id, such as evt_01k5….")
    for name in ("since", "until"):
        seconds: int | None = getattr(form, name)
        if seconds is not None and not 0 <= seconds < 1 << 33:
            bad(name, "out_of_range", f"`{name}` must be Unix seconds, such as 1795500000{got(seconds)}.")
    ranged = (form.since, form.until, form.after, form.only_failed)
    if form.event_id is not None and any(one is not None for one in ranged):
        bad(
            "event_id", "conflict", "`event_id` names one event; leave out `since`, `until`, `after` and `only_failed`."
        )
    if form.event_id is None and form.since is None:
        bad("since", "missing", "Say which: `event_id`, or `since` and what else bounds the time.")
    return problems


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
