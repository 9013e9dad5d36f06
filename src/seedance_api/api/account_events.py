"""`/v1/events`: everything that happened to an account, in order, so that nobody depends on a webhook arriving."""

from typing import Literal

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from seedance_api.api.body import AnyRequest
from seedance_api.api.parts import parts_of, principal_of
from seedance_api.api.videos import json_response
from seedance_api.api.webhook_forms import read_list
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.ids import is_id
from seedance_api.webhooks import event_queries
from seedance_api.webhooks.kinds import KINDS
from seedance_api.webhooks.payload import EventView, event_view
from seedance_api.webhooks.read import events_after


class EventList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of events, oldest first. Keep `last_id`, and go on behind it: nothing is passed over."""

    object: Literal["list"] = "list"
    data: list[EventView]
    first_id: str | None
    last_id: str | None
    has_more: bool


@get("/v1/events", takes_query=True)
async def list_events(request: AnyRequest) -> Response[bytes]:
    """A page of the account's events."""
    parts, principal = parts_of(request), principal_of(request)
    asked = read_list(request.query_params, "evt", type=KINDS)
    found = await events_after(
        parts.db,
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


@get("/v1/events/{event_id:str}")
async def retrieve_event(request: AnyRequest, event_id: FromPath[str]) -> Response[bytes]:
    """One event."""
    parts, principal = parts_of(request), principal_of(request)
    found = None
    if is_id("evt", event_id):
        found = await event_queries.event(parts.db, principal.account_id, principal.livemode, event_id)
    if found is None:
        raise AppError("not_found", "There is no such event in this account.", param="event_id")
    return json_response(event_view(found))
