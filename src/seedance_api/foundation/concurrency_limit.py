"""A concurrency limit: so much is done at once, so many wait for their turn, and whoever comes then is refused."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class BusyError(TimeoutError):
    """As many wait as may wait, or the turn did not come in time. Nothing was done."""


class ConcurrencyLimit:
    """At most `concurrency` turns are taken at once and `max_waiting` wait for one, in the order in which they came."""

    def __init__(self, concurrency: int, max_waiting: int) -> None:
        self._turns = asyncio.Semaphore(concurrency)
        self._max_waiting = max_waiting
        self._waiting = 0

    @property
    def is_full(self) -> bool:
        """Whether whoever comes now is refused."""
        return self._turns.locked() and self._waiting >= self._max_waiting

    async def acquire(self) -> None:
        """Wait for a turn and take it. Raises BusyError."""
        if self.is_full:
            raise BusyError
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1

    def release(self) -> None:
        """Give the turn back."""
        self._turns.release()

    @asynccontextmanager
    async def turn(self, seconds: float) -> AsyncGenerator[None]:
        """Have a turn, which must come within so many seconds. Raises BusyError."""
        try:
            async with asyncio.timeout(seconds):
                await self.acquire()
        except TimeoutError:
            raise BusyError from None
        try:
            yield
        finally:
            self.release()
