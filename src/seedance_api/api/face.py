"""The outermost layer of the API: what holds for every request and every answer, whoever makes the answer.

The request id, one valid `Host`, authentication, our share of the time, `no-store` unless the answer says otherwise,
and that no answer goes on once its key is revoked. And the hottest read:

`GET /v1/videos/{id}` is answered here, before the framework: clients poll it, and an ordinary handler costs it more
than half its throughput. It is the same code, `videos.retrieve`, and the framework's route of the same name serves
every other way of asking for it.
"""

import re
import time
from typing import Any
from urllib.parse import unquote_to_bytes

import structlog
from litestar import Litestar
from litestar.types import Message, Receive, Scope, Send

from seedance_api.accounts.authenticate import Standing
from seedance_api.api import callbacks, content, health, media, verify
from seedance_api.api.errors import as_app_error, send_error
from seedance_api.api.parts import Parts
from seedance_api.api.videos import retrieve
from seedance_api.foundation.connections import Connections
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.ids import new_id

_VIDEOS = "/v1/videos/"
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
_HTTP_1_0 = ("1.0", "1")  # ASGI's word, and granian's
_BARE = frozenset({health.LIVE, health.READY})
"""What answers an HTTP/1.0 request without a `Host`: the probes of load balancers are such."""
_log = structlog.get_logger()


class Face:
    """An ASGI application around the framework's. `connections` is told who waits for an answer."""

    def __init__(self, app: Litestar, connections: Connections | None = None) -> None:
        self._app = app
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = scope["client"]
        if self._connections is None or client is None:
            await self._respond(scope, receive, send)
            return
        address = client[0], int(client[1])  # granian has the port as text
        self._connections.begin(address)
        try:
            await self._respond(scope, receive, send)
        finally:
            self._connections.end(address)

    async def _respond(self, wide: Any, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        answered = revoked = False
        request_id = new_id("req")
        wide["request_id"] = request_id

        async def send_marked(message: Message) -> None:
            nonlocal answered, revoked
            if message["type"] == "http.response.start":
                answered = True
                spent = (time.perf_counter() - started) * 1000
                message["headers"] = _marked(message["headers"], request_id, spent)
            elif message.get("more_body") and "standing" in wide and not await wide["standing"]():
                revoked = True
                raise _RevokedError
            await send(message)

        try:
            await self._answer(wide, receive, send_marked)
        except Exception as error:  # noqa: BLE001 a bug anywhere; the server would write its text to the log
            if not answered:
                await send_error(send_marked, wide, as_app_error(error, request_id))
            elif revoked:  # the framework puts an error of its own around ours
                _log.info("request.revoked", request_id=request_id)
            else:  # the server breaks off an answer that is not whole
                _log.exception("request.broken_off", request_id=request_id)

    async def _answer(self, scope: Any, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        _check_host(headers, scope["http_version"], path)
        if b"sda_" in unquote_to_bytes(scope["query_string"]):
            raise AppError("key_in_query")
        if "//" in path:
            # the framework would take it for the same path with one slash, and our check for the prefix would not
            raise AppError("not_found", "There is nothing at this address.")
        if (path.startswith("/v1/") or path == "/v1") and not (_is_link(path) or path in verify.OPEN):
            parts: Parts = self._app.state["parts"]
            token = next((value for name, value in headers if name == b"authorization"), None)
            header = token.decode("latin-1") if token else None
            scope["principal"] = await parts.authenticate(header)
            video_id = path[len(_VIDEOS) :]
            if scope["method"] == "GET" and path.startswith(_VIDEOS) and video_id and "/" not in video_id:
                body, extra = await retrieve(parts, scope["principal"], video_id)
                await _send_json(send, body, extra)
                return
            scope["standing"] = Standing(parts.authenticate, header)
        await self._app(scope, receive, send)


class _RevokedError(Exception):
    """The key was revoked while its answer was being sent. What sends it is unwound, and the connection is closed."""


def _check_host(headers: list[tuple[bytes, bytes]], version: str, path: str) -> None:
    """RFC 9112 §3.2. Nothing of ours follows from the header; a proxy or a cache in front may think otherwise."""
    hosts = [value for name, value in headers if name == b"host"]
    missing = not any(hosts)  # granian gives an empty one where there is none
    if missing and version in _HTTP_1_0 and path in _BARE:
        return
    found = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if found is None or int(found[1] or 0) > 65535:
        several = f"{len(hosts)} `Host` headers" if len(hosts) > 1 else "a `Host` header that is no host"
        given = "no `Host` header" if missing else several
        message = f"The request has {given}. Send exactly one: a name or an address, and perhaps a port."
        raise AppError("invalid_host", message, headers={"Connection": "close"})


def _marked(headers: Any, request_id: str, spent_milliseconds: float) -> list[tuple[bytes, bytes]]:
    """The headers of any answer. What may be kept says so itself: what is silent is kept nowhere."""
    marked = [
        *headers,
        (b"x-request-id", request_id.encode()),
        (b"server-timing", b"app;dur=%.2f" % spent_milliseconds),
        (b"x-content-type-options", b"nosniff"),
    ]
    if not any(name == b"cache-control" for name, _ in marked):
        marked.append((b"cache-control", b"no-store"))
    return marked


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
