"""`GET /v1/videos`: the videos of an account, by pages."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Response, get

from seedance_api.api.video_view import VideoList
from seedance_api.api.view import video
from seedance_api.catalog import models
from seedance_api.catalog.words import either, got
from seedance_api.foundation.errors import Problem
from seedance_api.foundation.ids import is_id
from seedance_api.generations.accept import refusal
from seedance_api.generations.states import PUBLIC
from seedance_api.web.body import AnyRequest
from seedance_api.web.context import context_of, principal_of
from seedance_api.web.decode import decode_query
from seedance_api.web.respond import json_response
from seedance_api.web.route import Operation, Parameter, Sample, after_parameter, limit_parameter

_UNIX = {"type": "integer", "minimum": 0, "maximum": (1 << 33) - 1}


@get(
    "/v1/videos",
    operation=Operation(
        id="listVideos",
        scope="videos:read",
        rate="read",
        summary="List videos",
        tag="Videos",
        answer=VideoList,
        parameters=(
            limit_parameter(100),
            after_parameter("vid"),
            Parameter("order", {"enum": ["asc", "desc"], "default": "desc"}, "Newest first, or oldest."),
            Parameter("status", {"enum": sorted(set(PUBLIC.values()))}, "Only these."),
            Parameter("model", {"enum": list(models.NAMES)}, "Only of this model, by its name or alias."),
            Parameter("created_after", _UNIX, "Created at this Unix second or later."),
            Parameter("created_before", _UNIX, "Created before this Unix second."),
        ),
        takes_query=True,
        sample=Sample(query="limit=2&status=completed", answer={"data": []}),
    ),
)
async def list_videos(request: AnyRequest) -> Response[bytes]:
    """The videos of your account and of your key's mode, newest first. `last_id` is the `after` of the next page."""
    context, principal = context_of(request), principal_of(request)
    asked = read_page(request.query_params)
    found = await context.reader.page(
        principal.account_id,
        principal.livemode,
        after=asked.after,
        ascending=asked.order == "asc",
        limit=asked.limit + 1,
        status=asked.status,
        model=asked.model,
        since=moment(asked.created_after),
        before=moment(asked.created_before),
    )
    base = context.base
    data = [video(seen, base, principal.currency) for seen in found[: asked.limit]]
    page = VideoList(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=len(found) > asked.limit,
    )
    return json_response(page)


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """The query of a list."""

    limit: int = 20
    after: str | None = None
    order: str = "desc"
    status: str | None = None
    model: str | None = None
    created_after: int | None = None
    created_before: int | None = None


def read_page(query: Mapping[str, Any]) -> Page:
    """The query of a list. Raises AppError with every parameter that is wrong."""
    page, problems = decode_query(Page, query)
    model = models.find(page.model) if page.model is not None else None

    def bad(path: str, message: str, allowed: object = None) -> None:
        problems.append(Problem(path=path, code="unsupported_value", message=message, allowed=allowed))

    if not 1 <= page.limit <= 100:
        bad("limit", f"`limit` must be 1 to 100{got(page.limit)}.", "1 to 100")
    if page.order not in ("asc", "desc"):
        bad("order", f"`order` must be asc or desc{got(page.order)}.", ["asc", "desc"])
    if page.after is not None and not is_id("vid", page.after):
        bad("after", "`after` must be a video's id, such as the `last_id` of the previous page.")
    if page.model is not None and model is None:
        known = [one.name for one in models.MODELS]
        bad("model", f"Unknown model{models.quoted(page.model)}. Available: {', '.join(known)}.", known)
    if page.status is not None and page.status not in PUBLIC.values():
        states = list(dict.fromkeys(PUBLIC.values()))
        bad("status", f"`status` must be {either(states)}{got(page.status)}.", sorted(states))
    for name in ("created_after", "created_before"):
        value: int | None = getattr(page, name)
        if value is not None and not 0 <= value < 1 << 33:
            bad(name, f"`{name}` must be Unix seconds, such as 1795500000{got(value)}.")
    if problems:
        raise refusal(problems)
    return msgspec.structs.replace(page, model=model.name if model else None)


def moment(seconds: int | None) -> datetime | None:
    """Unix seconds as a time."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
