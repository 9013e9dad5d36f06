"""A budget: what bodies may hold in memory, or on the disk, at a time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from seedance_api.foundation.errors import AppError

_FREE = 1 << 20
_STEP = 1 << 20


class Budget:
    """Bounds what bodies hold in memory at once: 256 MiB in each process, of which 1 MiB each is free."""

    def __init__(self, max_bytes: int = 256 << 20) -> None:
        self.free = max_bytes
        self.changed = asyncio.Condition()

    @asynccontextmanager
    async def lease(self) -> AsyncGenerator["Lease"]:
        """Room for one body, given back at the end."""
        lease = Lease(self)
        try:
            yield lease
        finally:
            async with self.changed:
                self.free += lease.held
                self.changed.notify_all()


class Lease:
    """What one body holds. It grows with what has arrived, so that a body that never comes holds nothing."""

    def __init__(self, budget: Budget) -> None:
        self.held = 0
        self._budget = budget

    async def cover(self, size: int) -> None:
        """Hold room for `size` bytes. Raises AppError 503 when there is none within two seconds."""
        more = size - _FREE - self.held
        if more <= 0:
            return
        more = -(-more // _STEP) * _STEP
        budget = self._budget
        async with budget.changed:
            try:
                await asyncio.wait_for(budget.changed.wait_for(lambda: budget.free >= more), 2)
            except TimeoutError:
                raise AppError("too_busy", headers={"Retry-After": "5"}) from None
            budget.free -= more
            self.held += more
