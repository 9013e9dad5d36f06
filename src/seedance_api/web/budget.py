"""A budget: what bodies may hold in memory, or on the disk, at a time, and how much of it one sender may have."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from seedance_api.foundation.errors import AppError

_FREE = 1 << 20
_STEP = 1 << 20
_OWN_STEP = 64 << 10
_WAIT_SECONDS = 2.0
_RETRY = {"Retry-After": "5", "Connection": "close"}


class Budget:
    """Bounds what bodies hold at once: 256 MiB in each process, of which 1 MiB each is free. One owner, an account or
    a client's network, may hold half of it, that MiB included: however many bodies he sends, others find room."""

    def __init__(self, max_bytes: int = 256 << 20) -> None:
        self.free = max_bytes
        self.max_bytes_of_one = max_bytes // 2
        self.of_owner: Counter[str] = Counter()
        """What each owner holds; only of those who hold anything."""
        self.changed = asyncio.Condition()

    @asynccontextmanager
    async def lease(self, owner: str) -> AsyncGenerator["Lease"]:
        """Room for one body of this owner's, given back at the end."""
        lease = Lease(self, owner)
        try:
            yield lease
        finally:
            self.of_owner[owner] -= lease.counted
            if not self.of_owner[owner]:
                del self.of_owner[owner]
            async with self.changed:
                self.free += lease.held
                self.changed.notify_all()


class Lease:
    """What one body holds. It grows with what has arrived, so that a body that never comes holds nothing."""

    def __init__(self, budget: Budget, owner: str) -> None:
        self.held = 0
        """Bytes that are missing in the budget."""
        self.counted = 0
        """Bytes that are counted against the owner's part."""
        self._budget = budget
        self._owner = owner

    async def declare(self, size: int) -> None:
        """Count what is said to come as the owner's, before it comes: of his bodies those that fit are read to their
        end, instead of all of them to the middle. Raises AppError as `cover` does."""
        await self._take(_in_steps(size, _OWN_STEP), 0)

    async def cover(self, size: int) -> None:
        """Hold room for `size` bytes. Where there is none within two seconds, raises AppError: 429 when the owner has
        his part already, 503 when all have it together."""
        counted = max(0, _in_steps(size, _OWN_STEP) - self.counted)
        await self._take(counted, max(0, _in_steps(size - _FREE, _STEP) - self.held))

    async def _take(self, counted: int, more: int) -> None:
        if not counted and not more:
            return
        if not self._fits(counted, more):
            budget = self._budget
            try:
                async with asyncio.timeout(_WAIT_SECONDS), budget.changed:
                    await budget.changed.wait_for(lambda: self._fits(counted, more))
            except TimeoutError:
                raise self._refusal(counted) from None
        self._budget.free -= more
        self._budget.of_owner[self._owner] += counted
        self.held += more
        self.counted += counted

    def _fits(self, counted: int, more: int) -> bool:
        return not self._is_too_much(counted) and self._budget.free >= more

    def _is_too_much(self, counted: int) -> bool:
        return self._budget.of_owner[self._owner] + counted > self._budget.max_bytes_of_one

    def _refusal(self, counted: int) -> AppError:
        if not self._is_too_much(counted):
            return AppError("too_busy", headers=_RETRY)
        allowed = self._budget.max_bytes_of_one >> 20
        message = f"Your requests under way would have more than the {allowed} MiB of bodies that are allowed at once. "
        return AppError("too_many_uploads", message + "Try again when one of them has ended.", headers=_RETRY)


def _in_steps(size: int, step: int) -> int:
    """The next multiple of a step."""
    return max(0, -(-size // step) * step)
