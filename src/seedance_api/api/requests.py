"""`/v1/requests`: what the request log has of an account."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from litestar import Response, get

from seedance_api.api.view import unix
from seedance_api.catalog.words import got
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.ids import is_id
from seedance_api.traffic.read import requests_page
from seedance_api.traffic.rows import LoggedRequest, RequestFilter
from seedance_api.web.body import AnyRequest
from seedance_api.web.context import context_of, principal_of
from seedance_api.web.decode import decode_query
from seedance_api.web.respond import json_response
from seedance_api.web.route import Operation, Parameter, Sample, after_parameter, id_schema, limit_parameter

_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
_MAX_ENDPOINT = 200
_SECONDS = range(946_684_800, 1 << 33)
"""Unix seconds of the years 2000 to 2242."""
_UNIX: dict[str, Any] = {"type": "integer", "minimum": _SECONDS.start, "maximum": _SECONDS.stop - 1}
_TIME: dict[str, Any] = {"anyOf": [{"type": "string", "format": "date-time"}, _UNIX]}
_ENDPOINT: dict[str, Any] = {"type": "string", "maxLength": _MAX_ENDPOINT, "pattern": "^[ -~]*$"}


class RequestView(msgspec.Struct, frozen=True, kw_only=True):
    """A request that has ended. This is all that is logged of it."""

    id: str
    """The `X-Request-Id` of its answer."""
    object: Literal["request"] = "request"
    created_at: int
    endpoint: str
    """Method and route, with names for the ids in it."""
    status: int
    """The status of the answer; 499 where the client left before all of it was sent."""
    latency_ms: float
    """From the request's arrival to the end of the answer."""
    app_ms: float
    """The service's own part of that, to the head of the answer, without waiting for the request's body."""
    key_id: str | None
    """The key it was made with."""
    address: str | None
    """The client's address; after some time only its network."""


class RequestList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of requests, newest first."""

    object: Literal["list"] = "list"
    data: list[RequestView]
    """The requests of this page."""
    first_id: str | None
    last_id: str | None
    has_more: bool


class RequestQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query of a list of requests."""

    since: str | None = msgspec.field(default=None, name="from")
    until: str | None = msgspec.field(default=None, name="to")
    status: str | None = None
    endpoint: str | None = None
    key_id: str | None = None
    limit: int = 20
    after: str | None = None


@get(
    "/v1/requests",
    operation=Operation(
        id="listRequests",
        scope="keys",
        rate="read",
        summary="List requests",
        tag="Account",
        answer=RequestList,
        parameters=(
            limit_parameter(100),
            after_parameter("req"),
            Parameter("from", _TIME, "Only requests from this moment on."),
            Parameter("to", _TIME, "Only requests before this moment."),
            Parameter("status", {"enum": list(_CLASSES)}, "Only answers of this class."),
            Parameter("endpoint", _ENDPOINT, "Only this method and route, such as `POST /v1/videos`."),
            Parameter("key_id", id_schema("key"), "Only requests with this key."),
        ),
        takes_query=True,
        sample=Sample(query="status=4xx"),
    ),
)
async def list_requests(request: AnyRequest) -> Response[bytes]:
    """The account's requests, newest first, of all its keys. A request is listed within a second of its end."""
    context, principal = context_of(request), principal_of(request)
    wanted, after, limit = read_requests(request.query_params, principal.account_id)
    found = await requests_page(context.db, wanted, after=after, limit=limit + 1)
    data = [request_view(logged) for logged in found[:limit]]
    return json_response(
        RequestList(
            data=data,
            first_id=data[0].id if data else None,
            last_id=data[-1].id if data else None,
            has_more=len(found) > limit,
        )
    )


def read_requests(query: Mapping[str, Any], account_id: str) -> tuple[RequestFilter, str | None, int]:
    """What is asked for, behind which id, and how many. Raises AppError with every parameter that is wrong."""
    asked, problems = decode_query(RequestQuery, query)

    def bad(path: str, message: str, allowed: object = None) -> None:
        problems.append(Problem(path=path, code="unsupported_value", message=message, allowed=allowed))

    moments: dict[str, datetime | None] = {}
    for name, text in (("from", asked.since), ("to", asked.until)):
        moments[name] = None if text is None else _moment(text)
        if text is not None and moments[name] is None:
            bad(name, f"`{name}` must be a time such as 2026-11-24T18:30:00Z, or Unix seconds{got(text)}.")
    if asked.status is not None and asked.status not in _CLASSES:
        bad("status", f"`status` must be one of {', '.join(_CLASSES)}{got(asked.status)}.", list(_CLASSES))
    endpoint = asked.endpoint or ""
    if not (endpoint.isascii() and endpoint.isprintable() and len(endpoint) <= _MAX_ENDPOINT):
        bad("endpoint", "`endpoint` must be a method and a route, such as POST /v1/videos.")
    if asked.key_id is not None and not is_id("key", asked.key_id):
        bad("key_id", "`key_id` must be the id of a key: `key_` and 26 letters and digits.")
    if not 1 <= asked.limit <= 100:
        bad("limit", f"`limit` must be 1 to 100{got(asked.limit)}.", "1 to 100")
    if asked.after is not None and not is_id("req", asked.after):
        bad("after", "`after` must be an id, such as the `last_id` of the previous page.")
    if problems:
        raise AppError("invalid_request", problems=problems)
    wanted = RequestFilter(
        account_id=account_id,
        key_id=asked.key_id,
        endpoint=asked.endpoint,
        status_class=int(asked.status[0]) if asked.status else None,
        since=moments["from"],
        until=moments["to"],
    )
    return wanted, asked.after, asked.limit


def _moment(text: str) -> datetime | None:
    """A time with its zone, in UTC where it has none, or Unix seconds."""
    try:
        if text.isascii() and text.isdecimal():
            return datetime.fromtimestamp(int(text), UTC) if int(text) in _SECONDS else None
        found = datetime.fromisoformat(text.replace(" ", "+"))  # in a query, `+` stands for a blank
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        return found.astimezone(UTC) if 2000 <= found.year <= 9998 else None
    except (ValueError, OverflowError, OSError):
        return None


def request_view(logged: LoggedRequest) -> RequestView:
    """How the API shows a logged request."""
    return RequestView(
        id=logged.id,
        created_at=unix(logged.at),
        endpoint=logged.endpoint,
        status=logged.status,
        latency_ms=logged.latency_us / 1000,
        app_ms=logged.own_us / 1000,
        key_id=logged.key_id,
        address=logged.address,
    )
