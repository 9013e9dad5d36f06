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
from seedance_api.api.body import AnyRequest
from seedance_api.api.parts import Parts, parts_of, principal_of
from seedance_api.api.view import Video, video
from seedance_api.generations.follow import follow


@get("/v1/videos/{video_id:str}/events")
async def stream_events(request: AnyRequest, video_id: FromPath[str]) -> ASGIApp:
    """Send the state at once and each change after it."""
    parts, principal = parts_of(request), principal_of(request)
    await parts.reader.find(principal.account_id, principal.livemode, video_id)
    wide: Any = request.scope

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        with parts.streams.of(principal.account_id):
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await _send_changes(parts, principal, wide["standing"], video_id, receive, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return stream


async def _send_changes(
    parts: Parts, principal: Principal, standing: Standing, video_id: str, receive: Receive, send: Send
) -> None:
    gone = asyncio.create_task(_closed(receive))
    following = follow(
        principal.account_id,
        principal.livemode,
        video_id,
        key_id=principal.key_id,
        reader=parts.reader,
        changes=parts.changes,
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
                now = video(seen, parts.base, principal.currency)
                if now != sent:
                    number += 1
                    sent = now
                    await send({"type": "http.response.body", "body": event(number, now), "more_body": True})
    finally:
        gone.cancel()


async def _closed(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def event(number: int, now: Video) -> bytes:
    """One event: its name is the state, its data the video object."""
    return b"event: video.%b\nid: %d\ndata: %b\n\n" % (now.status.encode(), number, msgspec.json.encode(now))


_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
