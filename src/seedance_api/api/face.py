"""The outermost layer of the API: what holds for every request and every answer, whoever makes the answer.

One valid `Host`, authentication, what is at which address and takes which method, what `sending.py` does to every
answer, and that one which leaves a body unread is heard (`linger.py`). And the hottest read:

`GET /v1/videos/{id}` is answered here, before the framework: clients poll it, and an ordinary handler costs it more
than half its throughput. It is the same code, `videos.retrieve`, and the framework's route of the same name serves
every other way of asking for it.
"""

import re
from typing import Any
from urllib.parse import unquote_to_bytes

import structlog
from litestar import Litestar
from litestar.types import Receive, Scope, Send

from seedance_api.accounts.authenticate import CHALLENGE, HOW, Standing
from seedance_api.api import callbacks, content, health, media, verify
from seedance_api.api.sending import Sending, is_shared, send_json, send_methods
from seedance_api.api.videos import retrieve
from seedance_api.foundation.connections import Connections
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.ids import is_id, new_id
from seedance_api.web.addresses import Addresses
from seedance_api.web.context import Parts
from seedance_api.web.errors import as_app_error, send_error
from seedance_api.web.linger import Unread, asks_first, has_body

_VIDEOS = "/v1/videos/"
_READS = frozenset({"GET", "HEAD"})
_ELSEWHERE = frozenset({b"x-api-key", b"api-key", b"apikey", b"x-goog-api-key", b"x-key", b"x-api-token"})
"""Where other services take their keys."""
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
_HTTP_1_0 = ("1.0", "1")  # ASGI's word, and granian's
_BARE = frozenset({health.LIVE, health.READY})
"""What answers an HTTP/1.0 request without a `Host`: the probes of load balancers are such."""
_log = structlog.get_logger()


class Face:
    """An ASGI application around the framework's. `connections` is told who waits for an answer.

    `addresses` are those of the framework's routes: it is given nothing that it would have to refuse.
    """

    def __init__(self, app: Litestar, addresses: Addresses, connections: Connections | None = None) -> None:
        self._app = app
        self._addresses = addresses
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = Unread(receive, waits=asks_first(scope["headers"])) if has_body(scope["headers"]) else None
        if await self._counted(scope, body or receive, send) and body is not None:
            await body.linger()

    async def _counted(self, scope: Any, receive: Receive, send: Send) -> bool:
        client = scope["client"]
        if self._connections is None or client is None:
            return await self._respond(scope, receive, send)
        address = client[0], int(client[1])  # granian has the port as text
        self._connections.begin(address)
        try:
            return await self._respond(scope, receive, send)
        finally:
            self._connections.end(address)

    async def _respond(self, wide: Any, receive: Receive, send: Send) -> bool:
        """Answer; False where the answer was broken off."""
        request_id = wide["request_id"] = new_id("req")
        sending = Sending(wide, receive, send, request_id)
        try:
            await self._answer(wide, receive, sending)
        except Exception as error:  # noqa: BLE001 a bug anywhere; the server would write its text to the log
            if not sending.answered:
                await send_error(sending, wide, as_app_error(error, request_id))
            elif sending.revoked:  # the framework puts an error of its own around ours
                _log.info("request.revoked", request_id=request_id)
                return False
            elif not sending.cut:  # the server breaks off an answer that is not whole
                _log.exception("request.broken_off", request_id=request_id)
                return False
        return True

    async def _answer(self, scope: Any, receive: Receive, send: Sending) -> None:
        path, method = scope["path"], scope["method"]
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        _check_host(headers, scope["http_version"], path)
        query = scope["query_string"]
        if b"sda_" in unquote_to_bytes(query):
            raise AppError("key_in_query")
        if "//" in path:
            # the framework would take it for the same path with one slash, and our check for the prefix would not
            raise AppError("not_found", "There is nothing at this address: it has two slashes in a row.")
        if (path.startswith("/v1/") or path == "/v1") and not (_is_link(path) or path in verify.OPEN):
            parts: Parts = self._app.state["parts"]
            tokens = [value for name, value in headers if name == b"authorization"]
            header = tokens[0].decode("latin-1") if tokens and tokens[0] else None
            if header is None or len(tokens) > 1:
                _refuse_elsewhere(headers, len(tokens))
            scope["principal"] = await parts.authenticate(header)
            if method in _READS and path.startswith(_VIDEOS) and is_id("vid", path[len(_VIDEOS) :]) and not query:
                body, extra = await retrieve(parts, scope["principal"], path[len(_VIDEOS) :])
                await send_json(send, body, extra)
                return
            scope["standing"] = send.stands = Standing(parts.authenticate, header)
        at = self._addresses.find(method, path)
        if method == "OPTIONS":
            await send_methods(send, at.allowed, shared=is_shared(path))
            return
        if query and path.startswith("/v1/") and not _is_link(path):  # to links and pages others add what they like
            at.check_query(method, query)
        if method not in at.handled:
            scope["method"] = "GET"  # it was HEAD, of which only the head is sent
        await self._app(scope, receive, send)


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


def _refuse_elsewhere(headers: list[tuple[bytes, bytes]], given: int) -> None:
    """Raises AppError 401 that names the header in which a key was sent that we do not read, or says that there are
    several `Authorization` headers: whose request it is would be a guess, and a proxy might guess otherwise."""
    if given > 1:
        message = f"The request has {given} `Authorization` headers. Send exactly one. {HOW}"
        raise AppError("invalid_key", message, headers=CHALLENGE)
    for name, _ in headers:
        if name in _ELSEWHERE:
            message = f"No key in `Authorization`, but a header `{name.decode()}`, which is not read. {HOW}"
            raise AppError("missing_key", message, headers=CHALLENGE)


def _is_link(path: str) -> bool:
    """Whether it is the address of a signed link or of a callback, which stands for a key."""
    if path.startswith(callbacks.PLACE):
        return path.count("/") == callbacks.PLACE.count("/") + 1
    place = next((one for one in (media.PLACE, content.PLACE) if path.startswith(one)), None)
    return place is not None and "/" not in path.removeprefix(place)
