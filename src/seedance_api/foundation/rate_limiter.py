"""Rate limits inside one process: a `RateLimiter` refuses what is too much, a `Pacer` makes it wait its turn.

Limits of the whole installation are in the database: `rate_slots.py` makes wait, `routing/starts.py` refuses.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from throttled.asyncio import MemoryStore, Throttled, rate_limiter

_NAMES = 20_000
_IPV6_PREFIX = 64
"""What one customer of an access provider has at least."""


class RateLimiter:
    """At most `per_minute`, at once or spread (GCRA). Of more than 20,000 names the longest unheard of go."""

    def __init__(self, *, per_minute: int) -> None:
        self._throttled = Throttled(
            using="gcra",
            quota=rate_limiter.per_min(per_minute, burst=per_minute),
            store=MemoryStore(options={"MAX_SIZE": _NAMES}),
        )

    async def take(self, name: str) -> float:
        """Leave for one: 0, or the seconds until there may be."""
        result = await self._throttled.limit(name)
        return max(result.state.retry_after, 0.001) if result.limited else 0.0


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
