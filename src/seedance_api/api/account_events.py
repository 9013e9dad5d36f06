"""`/v1/events`: everything that happened to an account, in order, so that nobody depends on a webhook arriving."""

from typing import Literal

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from seedance_api.api.webhook_forms import read_list
from seedance_api.web.body import AnyRequest
from seedance_api.web.context import context_of, principal_of
from seedance_api.web.respond import json_response
from seedance_api.web.route import Operation, Parameter, Sample, after_parameter, limit_parameter
from seedance_api.webhooks.kinds import KINDS
from seedance_api.webhooks.payload import EventView, event_view
from seedance_api.webhooks.read import events_after, find_event


class EventList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of events, oldest first. Keep `last_id`, and go on behind it: nothing is passed over."""

    object: Literal["list"] = "list"
    data: list[EventView]
    """The events of this page."""
    first_id: str | None
    last_id: str | None
    has_more: bool


@get(
    "/v1/events",
    operation=Operation(
        id="listEvents",
        scope="webhooks",
        rate="read",
        summary="List events",
        tag="Webhooks",
        answer=EventList,
        parameters=(
            limit_parameter(100),
            after_parameter("evt"),
            Parameter("type", {"enum": list(KINDS)}, "Only these."),
        ),
        takes_query=True,
        sample=Sample(query="after=evt_…"),
    ),
)
async def list_events(request: AnyRequest) -> Response[bytes]:
    """Oldest first. Keep the `last_id` and ask for what is behind it: no event is passed over, however late it was
    committed."""
    context, principal = context_of(request), principal_of(request)
    asked = read_list(request.query_params, "evt", type=KINDS)
    found = await events_after(
        context.db,
        principal.account_id,
        principal.livemode,
        after=asked.after,
        kind=asked.type,
        limit=asked.limit + 1,
    )
    data = [event_view(one) for one in found[: asked.limit]]
    page = EventList(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=len(found) > asked.limit,
    )
    return json_response(page)


@get(
    "/v1/events/{event_id:str}",
    operation=Operation(
        id="retrieveEvent",
        scope="webhooks",
        rate="read",
        summary="Retrieve an event",
        tag="Webhooks",
        answer=EventView,
    ),
)
async def retrieve_event(request: AnyRequest, event_id: FromPath[str]) -> Response[bytes]:
    """The same that a webhook brings."""
    context, principal = context_of(request), principal_of(request)
    found = await find_event(context.db, principal.account_id, principal.livemode, event_id)
    return json_response(event_view(found))
