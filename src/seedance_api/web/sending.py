"""Sending: what every answer has in its head, whoever makes the answer, and where an answer ends before its time."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from litestar.types import Message, Send

from seedance_api.web.linger import Unread, is_chunked

Stands = Callable[[], Awaitable[bool]]
_EXPOSED = (
    b"Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, Last-Modified, Link, Repr-Digest, "
    b"Retry-After, X-Request-Id"
)
_ELSEWHERE = [
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", _EXPOSED),
]
"""A link is all the right that there is to a file: a page of any origin may show and read what it leads to."""
PREFLIGHT = [
    (b"access-control-allow-methods", b"GET, HEAD"),
    (b"access-control-allow-headers", b"Range, If-Range, If-None-Match"),
    (b"access-control-max-age", b"86400"),
]
_HERE = [(b"cross-origin-resource-policy", b"same-origin")]
"""Everything else takes a key, which has no place in a page."""


class CutError(Exception):
    """An answer is to go no further. What makes it is unwound."""


class Sending:
    """A request's `send`: adds to the head of the answer, and stops what must not go on.

    `revoked`: its key was revoked meanwhile. `cut`: it is whole without the rest, as the answer to a HEAD is. `status`
    is what was answered, `whole` whether all of it was sent to a client that was there, `head_seconds` how long it took
    until the head was sent, without the seconds for which a handler did nothing but wait (`waited` in the scope).
    """

    def __init__(self, scope: Any, receive: Unread, send: Send, request_id: str, *, shared: bool) -> None:
        self.answered = self.revoked = self.cut = self.whole = False
        self.status = 0
        self.head_seconds = 0.0
        self.limit: list[tuple[bytes, bytes]] = []
        """The headers that say how the request's rate limit stands."""
        self.stands: Stands | None = None
        """Asked before each piece of a long answer whether it may go on."""
        self._send, self._receive, self._request_id = send, receive, request_id
        self._scope = scope
        self._is_chunked = is_chunked(scope["headers"])
        self._is_head = scope["method"] == "HEAD"
        self._shared = _ELSEWHERE if shared else _HERE
        self.started = time.perf_counter()

    async def __call__(self, message: Message) -> None:
        """Send the next part of an answer. Raises CutError where it ends."""
        if message["type"] == "http.response.start":
            self.answered, self.status = True, message["status"]
            message["headers"] = self._marked(message["headers"])
            await self._send(message)
            if self._is_head:
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
                self.whole = True
        elif self._is_head:
            if message.get("more_body"):
                self.cut = True
                raise CutError
        elif message.get("more_body") and self.stands is not None and not await self.stands():
            self.revoked = True
            raise CutError
        else:
            await self._send(message)
            self.whole = not message.get("more_body") and not self._receive.gone

    def _marked(self, headers: Any) -> list[tuple[bytes, bytes]]:
        """The headers of any answer. What may be kept says so itself: what is silent is kept nowhere."""
        self.head_seconds = time.perf_counter() - self.started - self._scope.get("waited", 0.0)
        marked = [
            *headers,
            (b"x-request-id", self._request_id.encode()),
            (b"server-timing", b"app;dur=%.2f" % (self.head_seconds * 1000)),
            (b"x-content-type-options", b"nosniff"),
            *self.limit,
            *self._shared,
        ]
        if b"cache-control" not in [name for name, _ in marked]:
            marked.append((b"cache-control", b"no-store"))
        # RFC 9110 §10.1.1: the client need not send its body. RFC 9112 §6.1: what is behind chunks may be smuggled, for
        # the web server drops a `Content-Length` that stood there, too
        if (self._receive.waits and self._receive.untouched) or self._is_chunked:
            marked.append((b"connection", b"close"))
        return marked


async def send_methods(send: Send, allowed: str, *, shared: bool) -> None:
    """The answer to OPTIONS."""
    headers = [(b"allow", allowed.encode()), *(PREFLIGHT if shared else [])]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
