"""The outermost layer of the API: request id, authentication, our share of the time, and the hottest read.

`GET /v1/videos/{id}` is answered here, before the framework: clients poll it, and an ordinary handler costs it more
than half its throughput. It is the same code, `videos.retrieve`, and the framework's route of the same name serves
every other way of asking for it.
"""

import time
from typing import Any
from urllib.parse import unquote_to_bytes

import structlog
from litestar import Litestar
from litestar.types import Message, Receive, Scope, Send

from seedance_api.api import callbacks, content, media, verify
from seedance_api.api.errors import as_app_error, send_error
from seedance_api.api.parts import Parts
from seedance_api.api.videos import retrieve
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.ids import new_id

_VIDEOS = "/v1/videos/"
_log = structlog.get_logger()


class Face:
    """An ASGI application around the framework's."""

    def __init__(self, app: Litestar) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        answered = False
        request_id = new_id("req")
        wide: Any = scope
        wide["request_id"] = request_id

        async def send_marked(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                spent = (time.perf_counter() - started) * 1000
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    (b"server-timing", b"app;dur=%.2f" % spent),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        try:
            await self._answer(wide, receive, send_marked)
        except Exception as error:
            if answered:
                _log.exception("request.broken_off", request_id=request_id)
                raise
            await send_error(send_marked, wide, as_app_error(error, request_id))

    async def _answer(self, scope: Any, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if b"sda_" in unquote_to_bytes(scope["query_string"]):
            raise AppError("key_in_query")
        if "//" in path:
            # the framework would take it for the same path with one slash, and our check for the prefix would not
            raise AppError("not_found", "There is nothing at this address.")
        if (path.startswith("/v1/") or path == "/v1") and not (_is_link(path) or path in verify.OPEN):
            parts: Parts = self._app.state["parts"]
            headers: list[tuple[bytes, bytes]] = scope["headers"]
            token = next((value for name, value in headers if name == b"authorization"), None)
            scope["principal"] = await parts.authenticate(token.decode("latin-1") if token else None)
            video_id = path[len(_VIDEOS) :]
            if scope["method"] == "GET" and path.startswith(_VIDEOS) and video_id and "/" not in video_id:
                body, extra = await retrieve(headers, scope["scheme"], parts, scope["principal"], video_id)
                await _send_json(send, body, extra)
                return
        await self._app(scope, receive, send)


def _is_link(path: str) -> bool:
    """Whether it is the address of a signed link or of a callback, which stands for a key."""
    if path.startswith(callbacks.PLACE):
        return path.count("/") == callbacks.PLACE.count("/") + 1
    place = next((one for one in (media.PLACE, content.PLACE) if path.startswith(one)), None)
    return place is not None and "/" not in path.removeprefix(place)


async def _send_json(send: Send, body: bytes, extra: dict[str, str]) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(key.encode(), value.encode()) for key, value in extra.items()]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
