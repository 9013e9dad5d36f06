"""`/v1/videos/{id}/events`: server-sent events, one for each change, until the video is finished.

A stream ends at once when its key is revoked: whoever has lost the right to ask is told nothing more.
"""

import asyncio
from contextlib import aclosing
from typing import Any

import msgspec
from litestar import get
from litestar.params import FromPath
from litestar.types import ASGIApp, Receive, Scope, Send

from seedance_api.accounts.authenticate import Principal, Standing
from seedance_api.api.video_view import Video
from seedance_api.api.view import video
from seedance_api.generations.follow import follow
from seedance_api.web.body import AnyRequest
from seedance_api.web.context import Context, context_of, principal_of
from seedance_api.web.hang_up import left
from seedance_api.web.route import Operation, Sample, TextAnswer

_SAMPLE = """
event: video.in_progress
id: 1
data: {"id":"vid_…","progress":42,…}

event: video.completed
id: 2
data: {"id":"vid_…","progress":100,…}
"""


@get(
    "/v1/videos/{video_id:str}/events",
    operation=Operation(
        id="streamEvents",
        scope="videos:read",
        rate="read",
        summary="Follow a video",
        tag="Videos",
        answer=TextAnswer("text/event-stream", "The events."),
        errors=("too_many_streams",),
        sample=Sample(curl="-N", text=_SAMPLE),
    ),
)
async def stream_events(request: AnyRequest, video_id: FromPath[str]) -> ASGIApp:
    """Server-sent events: `video.queued`, `video.in_progress`, `video.completed`, `video.failed`, `video.canceled`,
    each with the video object as data. The state comes at once; the stream ends with the video, and at once when the
    key is revoked."""
    context, principal = context_of(request), principal_of(request)
    await context.reader.find(principal.account_id, principal.livemode, video_id)
    wide: Any = request.scope

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        with context.streams.of(principal.account_id):
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await _send_changes(context, principal, wide["standing"], video_id, receive, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return stream


async def _send_changes(
    context: Context, principal: Principal, standing: Standing, video_id: str, receive: Receive, send: Send
) -> None:
    gone = asyncio.create_task(left(receive))
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
    sent: Video | None = None
    number = 0
    try:
        async with aclosing(following):
            async for seen in following:
                if seen is None:
                    await send({"type": "http.response.body", "body": b": keep-alive\n\n", "more_body": True})
                    continue
                now = video(seen, context.base, principal.currency)
                if now != sent:
                    number += 1
                    sent = now
                    await send({"type": "http.response.body", "body": event(number, now), "more_body": True})
    finally:
        gone.cancel()


def event(number: int, now: Video) -> bytes:
    """One event: its name is the state, its data the video object."""
    return b"event: video.%b\nid: %d\ndata: %b\n\n" % (now.status.encode(), number, msgspec.json.encode(now))


_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
