"""Pacing inside one process: a `Pacer` makes calls wait their turn.

Limits of the whole installation are in the database: `rate_slots.py` makes wait, `routing/starts.py` refuses. What
clients may ask for is in `traffic/`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_IPV6_PREFIX = 64
"""What one customer of an access provider has at least."""


class Pacer:
    """Slots for calls of one kind, begun at least `gap_seconds` apart: no burst, and first come first served.

    With `alone` the gap is counted from the end of the call before it: however long each is on its way, the other
    side never sees two of them closer together.
    """

    def __init__(self, gap_seconds: float, *, alone: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._gap, self._alone, self._clock = gap_seconds, alone, clock
        self._free_at = 0.0
        self._next = asyncio.Lock()

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[None, None]:
        """Wait for a slot, and have it."""
        async with self._next:
            await asyncio.sleep(max(0.0, self._free_at - self._clock()))
            self.postpone(self._gap)
            if self._alone:
                try:
                    yield
                finally:
                    self.postpone(self._gap)
        if not self._alone:
            yield

    def postpone(self, seconds: float) -> None:
        """No further slot for so long: the other side asked for it."""
        self._free_at = max(self._free_at, self._clock() + seconds)


@lru_cache(maxsize=8192)  # asked for each request, and mostly for the same
def neighbourhood(address: str | None) -> str:
    """The name for whoever calls from this address: the address itself, of an IPv6 one the network of its customer."""
    try:
        found = ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    match found:
        case IPv6Address(ipv4_mapped=IPv4Address() as inner):
            return str(inner)
        case IPv6Address():
            return str(IPv6Network((found, _IPV6_PREFIX), strict=False))
        case IPv4Address():
            return str(found)
