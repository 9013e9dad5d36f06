"""`/v1/videos`: create, quote, list, retrieve, cancel, delete."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, cast

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath

from seedance_api.accounts.authenticate import Principal
from seedance_api.api.body import AnyRequest, Body, read_body
from seedance_api.api.decode import decode_query
from seedance_api.api.dialect import check_dialect
from seedance_api.api.once import once_by_content, once_by_key, seal
from seedance_api.api.parts import Parts, parts_of, principal_of
from seedance_api.api.quotes import quote_view
from seedance_api.api.understand import Asked, understand, what_it_says
from seedance_api.api.view import VideoDeleted, VideoList, unix, video
from seedance_api.catalog import models
from seedance_api.catalog.retirement import retirement
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.idempotency import Done, Kind, Once, take
from seedance_api.foundation.ids import is_id
from seedance_api.generations import cancel as verbs
from seedance_api.generations.accept import refusal
from seedance_api.generations.create import create, quote
from seedance_api.generations.queries import reads
from seedance_api.generations.rows import Seen
from seedance_api.generations.states import PUBLIC
from seedance_api.generations.write import Created

POLL_MILLISECONDS = 2000
REPLAYED = {"Idempotent-Replayed": "true"}


@post("/v1/videos", status_code=200)
async def create_video(request: AnyRequest) -> Response[bytes]:
    """Create a video."""
    parts, principal = parts_of(request), principal_of(request)
    check_dialect(request.headers, parts.base)
    parts.disk.check()
    async with parts.intake.folder(principal.account_id) as folder, read_body(request, folder, parts.budget) as body:
        asked = understand(body, parts.posting)
        once = await _once(request, principal, "POST /v1/videos", asked, body)
        created = await create(asked.wish, principal=principal, once=once, folder=folder, parts=parts.creating)
    if created.row is not None:
        seen = _fresh(created)
    else:
        seen = await _replayed(parts, principal, created)
    headers = {"Location": f"/v1/videos/{seen.id}"} | poll_hint(seen) | retirement_headers(seen.model)
    if created.replayed:
        headers |= REPLAYED
    return json_response(video(seen, parts.base, principal.currency), headers)


async def _replayed(parts: Parts, principal: Principal, created: Created) -> Seen:
    try:
        return await parts.seen(principal, created.generation_id)
    except AppError:
        message = f"This Idempotency-Key made {created.generation_id}, which is deleted."
        raise AppError("idempotency_mismatch", message, param="Idempotency-Key") from None


def _fresh(created: Created) -> Seen:
    """A generation that was written a moment ago, as its owner sees it."""
    assert created.row is not None, "it was not replayed"
    beside: dict[str, object] = {
        "prompt": created.prompt,
        "purge_at": None,
        "delivered_at": None,
        "content_state": None,
        "variants": [],
    }
    hold = None
    if created.hold is not None:
        hold = msgspec.structs.asdict(created.hold) | {
            "counted_on": created.row.created_at.date(), "state": "held", "tokens": None, "resolution": None,
            "charged": None, "waived": 0, "refunded": 0, "reason": None, "created_at": created.row.created_at,
            "resolved_at": None,
        }  # fmt: skip
    return msgspec.convert(msgspec.structs.asdict(created.row) | beside | {"hold": hold}, Seen)


@post("/v1/videos/quote", status_code=200)
async def quote_video(request: AnyRequest) -> Response[bytes]:
    """Check a create and say what it would take; nothing is created."""
    parts, principal = parts_of(request), principal_of(request)
    check_dialect(request.headers, parts.base)
    async with parts.intake.folder(principal.account_id) as folder, read_body(request, folder, parts.budget) as body:
        asked = understand(body, parts.posting)
        once = await _once(request, principal, "POST /v1/videos/quote", asked, body)
        if done := await parts.find(once):
            return _quoted_before(done)
        found = await quote(asked.wish, principal=principal, folder=folder, parts=parts.creating)
    view, headers = quote_view(found, principal), retirement_headers(found.accepted.order.model)
    if once.kind is not Kind.KEY:
        return json_response(view, headers)
    async with parts.db.transaction() as connection:
        (mine,) = await take(connection, [once], [msgspec.to_builtins(view)])
    done = None if mine else await parts.find(once)
    return _quoted_before(done) if done else json_response(view, headers)


def _quoted_before(done: Done) -> Response[bytes]:
    answer = cast("dict[str, Any]", done.answer)
    headers = REPLAYED | retirement_headers(answer["model"])
    return Response(msgspec.json.encode(answer), media_type="application/json", headers=headers)


async def _once(request: AnyRequest, principal: Principal, route: str, asked: Asked, body: Body) -> Once:
    # hashing an upload takes a while
    reading = asyncio.to_thread(what_it_says, asked, body.files) if body.files else None
    said = seal(parts_of(request), await reading if reading else what_it_says(asked, body.files))
    return once_by_key(request, principal, route, said) or once_by_content(request, principal, route, said)


@get("/v1/videos", takes_query=True)
async def list_videos(request: AnyRequest) -> Response[bytes]:
    """A page of the account's videos."""
    parts, principal = parts_of(request), principal_of(request)
    asked = read_page(request.query_params)
    states = [state.value for state, word in PUBLIC.items() if word == asked.status] if asked.status else None
    found = await reads.page(
        parts.db,
        principal.account_id,
        principal.livemode,
        after=asked.after,
        ascending=asked.order == "asc",
        limit=asked.limit + 1,
        states=states,
        model=asked.model,
        since=moment(asked.created_after),
        before=moment(asked.created_before),
    )
    found = await parts.estimated(found)
    base = parts.base
    data = [video(seen, base, principal.currency) for seen in found[: asked.limit]]
    page = VideoList(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=len(found) > asked.limit,
    )
    return json_response(page)


@get("/v1/videos/{video_id:str}")
async def retrieve_video(request: AnyRequest, video_id: FromPath[str]) -> Response[bytes]:
    """A video. `face.py` answers this route's common case itself, through the same `retrieve`."""
    body, headers = await retrieve(parts_of(request), principal_of(request), video_id)
    return Response(body, media_type="application/json", headers=headers)


async def retrieve(parts: Parts, principal: Principal, video_id: str) -> tuple[bytes, dict[str, str]]:
    """The body and headers of a video, for both ways into this route."""
    seen = await parts.seen(principal, video_id)
    return msgspec.json.encode(video(seen, parts.base, principal.currency)), poll_hint(seen)


@post("/v1/videos/{video_id:str}/cancel", status_code=200)
async def cancel_video(request: AnyRequest, video_id: FromPath[str]) -> Response[bytes]:
    """Ask for a video to stop."""
    parts, principal = parts_of(request), principal_of(request)
    await parts.seen(principal, video_id)
    said = seal(parts, video_id.encode())
    once = once_by_key(request, principal, "POST /v1/videos/{video_id}/cancel", said)
    replayed = once is not None and await parts.find(once) is not None
    if not replayed and not await verbs.cancel(parts.db, video_id, once=once, books=parts.creating.books):
        assert once is not None, "only a key can be taken by another request"
        replayed = await parts.find(once) is not None
    seen = await parts.seen(principal, video_id)
    return json_response(video(seen, parts.base, principal.currency), REPLAYED if replayed else {})


@delete("/v1/videos/{video_id:str}", status_code=200)
async def delete_video(request: AnyRequest, video_id: FromPath[str]) -> Response[bytes]:
    """Delete a finished video: its content, inputs and upstream copy go now."""
    parts, principal = parts_of(request), principal_of(request)
    await parts.seen(principal, video_id)
    await verbs.delete(parts.db, parts.store, video_id)
    return json_response(VideoDeleted(id=video_id))


def json_response(value: msgspec.Struct, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """A struct as a JSON response."""
    return Response(msgspec.json.encode(value), media_type="application/json", headers=headers)


def poll_hint(seen: Seen) -> dict[str, str]:
    """How long OpenAI's clients should wait before they ask again."""
    return {} if seen.finished_at else {"openai-poll-after-ms": str(POLL_MILLISECONDS)}


def retirement_headers(model: str) -> dict[str, str]:
    """When a model that is being retired ends: RFC 9745 and RFC 8594."""
    ending = retirement(model, models.today_utc())
    if ending is None:
        return {}
    sunset = format_datetime(ending.sunset_at, usegmt=True)
    return {"Deprecation": f"@{unix(ending.deprecated_at)}", "Sunset": sunset}


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
        bad("limit", "`limit` must be 1 to 100.", "1 to 100")
    if page.order not in ("asc", "desc"):
        bad("order", "`order` must be asc or desc.", ["asc", "desc"])
    if page.after is not None and not is_id("vid", page.after):
        bad("after", "`after` must be the id of a video, as `last_id` gives it.")
    if page.model is not None and model is None:
        known = [one.name for one in models.MODELS]
        bad("model", f"Unknown model{models.quoted(page.model)}. Available: {', '.join(known)}.", known)
    if page.status is not None and page.status not in PUBLIC.values():
        states = list(dict.fromkeys(PUBLIC.values()))
        bad("status", f"`status` must be {', '.join(states[:-1])} or {states[-1]}.", sorted(states))
    for name in ("created_after", "created_before"):
        value: int | None = getattr(page, name)
        if value is not None and not 0 <= value < 1 << 33:
            bad(name, f"`{name}` must be Unix seconds.")
    if problems:
        raise refusal(problems)
    return msgspec.structs.replace(page, model=model.name if model else None)


def moment(seconds: int | None) -> datetime | None:
    """Unix seconds as a time."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
