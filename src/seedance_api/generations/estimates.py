"""Estimates: what can be said to those who wait for unfinished generations."""

from collections.abc import Sequence

import msgspec

from seedance_api.foundation.db import Database
from seedance_api.generations.rows import Seen
from seedance_api.generations.states import State
from seedance_api.routing.progress import timings
from seedance_api.routing.queue_position import QueuePositions

_UNDER_WAY = (State.RUNNING, State.STORING)


class Estimates:
    """Adds estimates to generations that were read."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._positions = QueuePositions(db)

    async def add(self, found: Sequence[Seen]) -> list[Seen]:
        """The same generations: those that wait with their queue positions, those under way with their timings."""
        waiting: dict[str, list[str]] = {}
        for seen in found:
            if seen.state is State.QUEUED:
                waiting.setdefault(seen.provider, []).append(seen.id)
        known: dict[str, dict[str, object]] = {}
        for provider, ids in waiting.items():
            for one, position in (await self._positions.of(provider, ids)).items():
                known[one] = {"queue_position": position}
        if under_way := [seen.id for seen in found if seen.state in _UNDER_WAY]:
            for one, timing in (await timings(self._db, under_way)).items():
                known[one] = {"timing": timing}
        return [msgspec.structs.replace(seen, **known[seen.id]) if seen.id in known else seen for seen in found]
