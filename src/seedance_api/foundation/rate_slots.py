"""Rate slots: something that the whole installation may do only so often, whatever the number of its processes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from seedance_api.foundation.db import Database

_MAX_AHEAD = 100
"""Nobody waits for more slots than this. A clock that is set back, as by a failover, would have all wait that long."""


class RateSlots:
    """Slots by the database's clock, at least `gap_seconds` apart, first come first served."""

    def __init__(self, db: Database, name: str, gap_seconds: float) -> None:
        # what leaves evenly does not arrive evenly
        self._db, self._name, self._gap = db, name, 1.05 * gap_seconds

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[None, None]:
        """Wait for a slot, and have it."""
        await asyncio.sleep(await self._reserve())
        yield

    async def _reserve(self) -> float:
        return await self._db.fetchval(
            """
            INSERT INTO turn AS t (name, next_at) VALUES ($1, clock_timestamp() + $2 * interval '1 second')
            ON CONFLICT (name) DO UPDATE
                SET next_at = least(
                    greatest(t.next_at, clock_timestamp()), clock_timestamp() + $2 * $3 * interval '1 second'
                ) + $2 * interval '1 second'
            RETURNING greatest(0, extract(epoch FROM next_at - clock_timestamp()) - $2)::float8
            """,
            self._name,
            self._gap,
            _MAX_AHEAD,
        )
