"""Pace: when the next call may be made, so that the vendor's limits are kept. The arithmetic is pure."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager


class Pacer:
    """Turns that are at least `gap_seconds` apart."""

    def __init__(self, gap_seconds: float) -> None:
        self._gap = gap_seconds
        self._free_at = 0.0

    def reserve(self, now: float) -> float:
        """Take the next turn; returns the seconds until it comes."""
        turn = max(now, self._free_at)
        self._free_at = turn + self._gap
        return turn - now

    def postpone(self, until: float) -> None:
        """No further turn before this moment."""
        self._free_at = max(self._free_at, until)


class Lane:
    """Calls of one kind, begun at least `gap_seconds` apart.

    With `alone` the gap is counted from the end of the call before it: however long each is on its way, the other
    side never sees two of them closer together.
    """

    def __init__(self, gap_seconds: float, *, alone: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._pacer, self._gap, self._clock = Pacer(gap_seconds), gap_seconds, clock
        self._alone, self._next = alone, asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None, None]:
        """Wait for a turn, and have it."""
        async with self._next:
            await asyncio.sleep(self._pacer.reserve(self._clock()))
            # a late sleeper must not be followed too closely
            self._pacer.postpone(self._clock() + self._gap)
            if self._alone:
                try:
                    yield
                finally:
                    self._pacer.postpone(self._clock() + self._gap)
        if not self._alone:
            yield

    def postpone(self, seconds: float) -> None:
        """No further turn for so long: the other side asked for it."""
        self._pacer.postpone(self._clock() + seconds)
