"""`GET /v1/videos/{id}`: the video as it is, at once or at its next change."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import get
from litestar.params import FromPath
from litestar.types import ASGIApp

from seedance_api.accounts.authenticate import Principal, Standing
from seedance_api.api.video_view import Video
from seedance_api.api.view import video
from seedance_api.catalog.words import got
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.etag import lists
from seedance_api.generations.follow import MAX_WAIT_SECONDS, follow, next_state
from seedance_api.generations.rows import Seen
from seedance_api.web.body import AnyRequest
from seedance_api.web.conditions import Conditions, conditions_of, none_match, preferred_wait
from seedance_api.web.context import Context, context_of, principal_of
from seedance_api.web.decode import decode_query
from seedance_api.web.hang_up import left
from seedance_api.web.respond import Tagged, tagged, tagged_response
from seedance_api.web.route import Operation, Parameter, Sample

POLL_MILLISECONDS = 2000
_COMPLETED: dict[str, Any] = {
    "status": "completed", "progress": 100, "queue_position": None, "eta": None, "ratio": "16:9", "draft": False,
    "draft_expires_at": None, "delivered_at": None, "error": None, "warnings": [], "metadata": {},
}  # fmt: skip


_WAIT = Parameter(
    "wait",
    {"type": "integer", "minimum": 1, "maximum": MAX_WAIT_SECONDS},
    "Seconds to wait for a change before the video is answered as it is.",
)
_PREFER = Parameter(
    "Prefer",
    {"type": "string"},
    "`wait=25` is the same as `wait` in the query, for clients that add headers more easily.",
    "header",
)


class WaitQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query of a read."""

    wait: int | None = None


async def retrieve(context: Context, principal: Principal, video_id: str) -> Tagged:
    """The answer, for both ways into this route. That of a finished video is remembered until something changes it."""
    known = context.finished.answer(principal, video_id)
    if known is not None:
        return known
    epoch = context.finished.epoch
    seen = await context.reader.find(principal.account_id, principal.livemode, video_id)
    answer = _answer(context, principal, seen)
    if seen.finished_at is not None:
        context.finished.remember(principal, video_id, answer, epoch)
    return answer


@get(
    "/v1/videos/{video_id:str}",
    operation=Operation(
        id="retrieveVideo",
        scope="videos:read",
        rate="read",
        summary="Retrieve a video",
        tag="Videos",
        answer=Video,
        errors=("too_many_streams",),
        parameters=(_WAIT, _PREFER),
        takes_query=True,
        direct=retrieve,
        tagged=True,
        sample=Sample(answer=_COMPLETED),
    ),
)
async def retrieve_video(request: AnyRequest, video_id: FromPath[str]) -> ASGIApp:
    """Cheap to ask often. While the video is being made, `openai-poll-after-ms` says when to ask again. Or let the
    request wait: with `wait` it is answered at the next change, or after so many seconds. With `If-None-Match` it is
    answered at once where the video has changed already."""
    context, principal = context_of(request), principal_of(request)
    conditions = conditions_of(request.scope["headers"])
    seconds, applied = _wait(request.query_params, conditions)
    seen = await _next_state(request, video_id, none_match(conditions), seconds) if seconds else None
    answer = await retrieve(context, principal, video_id) if seen is None else _answer(context, principal, seen)
    return tagged_response(none_match(conditions), answer._replace(headers=answer.headers + applied))


def _answer(context: Context, principal: Principal, seen: Seen) -> Tagged:
    return tagged(msgspec.json.encode(video(seen, context.base, principal.currency)), poll_hint(seen))


def _wait(query: Mapping[str, Any], conditions: Conditions) -> tuple[int, list[tuple[bytes, bytes]]]:
    """The seconds to wait, and the header that says so. Raises AppError 400 for a query that is wrong."""
    asked, problems = decode_query(WaitQuery, query)
    if asked.wait is not None and not 1 <= asked.wait <= MAX_WAIT_SECONDS:
        message = f"`wait` must be 1 to {MAX_WAIT_SECONDS} seconds{got(asked.wait)}."
        allowed = f"1 to {MAX_WAIT_SECONDS}"
        problems.append(Problem(path="wait", code="unsupported_value", message=message, allowed=allowed))
    if problems:
        raise AppError("invalid_request", problems=problems)
    if asked.wait is not None:
        return asked.wait, []
    preferred = min(preferred_wait(conditions), MAX_WAIT_SECONDS)
    return preferred, [(b"preference-applied", b"wait=%d" % preferred)] if preferred else []


async def _next_state(request: AnyRequest, video_id: str, known: str, seconds: int) -> Seen | None:
    """Wait for a state that is not in the ETags which are `known`, or at all for another. Raises AppError 401 when the
    key is revoked meanwhile, and 429 when too many of the account's requests wait."""
    context, principal = context_of(request), principal_of(request)
    scope: Any = request.scope
    standing: Standing = scope["standing"]
    began, gone = time.perf_counter(), asyncio.create_task(left(request.receive))
    following = follow(
        principal.account_id,
        principal.livemode,
        video_id,
        key_id=principal.key_id,
        reader=context.reader,
        changes=context.changes,
        is_allowed=standing,
        gone=gone,
    )
    try:
        with context.streams.of(principal.account_id):
            seen = await next_state(
                following,
                seconds,
                says=lambda seen: _answer(context, principal, seen).etag,
                is_known=lambda etag: not known or lists(known, etag),
            )
    finally:
        gone.cancel()
        scope["waited"] = time.perf_counter() - began
    await standing.check()
    return seen


def poll_hint(seen: Seen) -> dict[str, str]:
    """How long OpenAI's clients should wait before they ask again."""
    return {} if seen.finished_at else {"openai-poll-after-ms": str(POLL_MILLISECONDS)}
