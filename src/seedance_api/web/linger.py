"""Linger: read on after an answer that did not need the whole body, as a client hears nothing while it still sends.

A server that closes while bytes are on their way makes the system reset the connection, and most clients then report a
lost connection and not the answer that lies in it. So what is left of a body is read and dropped, within bounds. It is
read after the answer: a client that looks for one while it sends can stop at once, and whoever waits for
`100 Continue` has its answer without having sent anything.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from litestar.types import Receive

from seedance_api.foundation.transfer import Floor
from seedance_api.web.body import MAX_FILE_BYTES
from seedance_api.web.receive import MIN_BYTES_PER_SECOND

LINGER_BYTES = 2 * MAX_FILE_BYTES
"""What is dropped of a body at most: whoever sends twice what any address takes still hears that it is too much."""
LINGER_SECONDS = 60.0
"""For how long at most. Such a connection counts as idle, and is the first to go when it is crowded."""
LINGER_IDLE_SECONDS = 5.0
"""How long nothing may come, or less than `MIN_BYTES_PER_SECOND`: what is on its way arrives sooner."""
_BODY = frozenset({b"content-length", b"transfer-encoding"})


def has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request with these headers is followed by a body."""
    return bool([name for name, value in headers if name in _BODY and value != b"0"])


def is_chunked(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the body's length is told by its chunks."""
    return b"transfer-encoding" in [name for name, _ in headers]


def asks_first(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the client waits for `100 Continue`, which the web server sends once the body is asked for."""
    return b"expect" in [name for name, _ in headers]


class Unread:
    """A request's `receive` that knows whether anything, and whether all of the body was read."""

    def __init__(self, receive: Receive, *, waits: bool) -> None:
        self._receive = receive
        self.waits = waits
        self.untouched = True
        self.gone = False
        """Whether we were told that the client has left."""
        self.waited = 0.0
        """Seconds that were spent waiting for it."""
        self._over = False

    async def __call__(self) -> Any:
        """The next part of the body, or that the client is gone."""
        self.untouched = False
        asked = time.perf_counter()
        event = await self._receive()
        self.waited += time.perf_counter() - asked
        if event["type"] == "http.disconnect":
            self.gone = True
        if event["type"] != "http.request" or not event["more_body"]:
            self._over = True
        return event

    async def linger(self) -> None:
        """Drop what is left of the body, until it ends, stops, or is too much."""
        floor = Floor(MIN_BYTES_PER_SECOND, LINGER_IDLE_SECONDS)
        now = asyncio.get_running_loop().time
        end, dropped = now() + LINGER_SECONDS, 0
        floor.begin(now(), 0)
        while not self._over and dropped <= LINGER_BYTES and not floor.broken(now(), dropped):
            try:
                async with asyncio.timeout(min(LINGER_IDLE_SECONDS, end - now())):
                    event = await self()
            except (TimeoutError, RuntimeError):  # it stopped, or its framing is broken
                return
            dropped += len(event["body"]) if event["type"] == "http.request" else 0
