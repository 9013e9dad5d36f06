"""Queue positions: how many generations would be started before one, and one, as the fair dispatch goes about it.

An estimate: who else comes, what is canceled and which slots are free is not known. It is worked out for all that wait
at a provider together, and at most once a second in each process, so that it costs the same however many ask.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence

import msgspec

from seedance_api.foundation.db import Database

MAX_POSITION = 1000
"""Positions that are told apart; what is further behind is said to be here."""

_FRESH_SECONDS = 1.0
_NEWS_SECONDS = 0.2
_MAX_LOAD = 0.05


class _Line(msgspec.Struct, frozen=True):
    """The queue of a provider at a moment of the process's clock. `whole` says that nothing more was waiting."""

    positions: Mapping[str, int]
    whole: bool
    at: float
    took: float


class QueuePositions:
    """Knows the queues of the providers."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._lines: dict[str, _Line] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def of(self, provider: str, ids: Sequence[str]) -> dict[str, int]:
        """The positions of those of these generations that wait at a provider."""
        line = await self._line(provider, ids)
        return {one: line.positions.get(one, MAX_POSITION) for one in ids if one in line.positions or not line.whole}

    async def _line(self, provider: str, ids: Sequence[str]) -> _Line:
        async with self._locks.setdefault(provider, asyncio.Lock()):
            line = self._lines.get(provider)
            if line is None or not _serves(line, ids, time.monotonic()):
                started = time.monotonic()
                positions, whole = await _queue(self._db, provider)
                at = time.monotonic()
                line = self._lines[provider] = _Line(positions, whole, at, at - started)
            return line


def _serves(line: _Line, ids: Sequence[str], now: float) -> bool:
    """Whether it is new enough: a generation that it does not know asks for a newer one, if it can be in that."""
    known = not line.whole or all(one in line.positions for one in ids)
    return now - line.at < max(_FRESH_SECONDS if known else _NEWS_SECONDS, line.took / _MAX_LOAD)


async def _queue(db: Database, provider: str) -> tuple[dict[str, int], bool]:
    """The positions of the first of the queue, and whether they are all there are.

    They are in the order in which the dispatch would start them if all models had free slots.

    The accounts that wait are found by a walk from one to the next in the index; of each only as many are looked at as
    would fill the first positions, shared among all, ten times over.
    """
    found = await db.fetch(
        """
        WITH RECURSIVE walk AS (
            (
                SELECT account_id, 1 AS number FROM generation WHERE provider = $1 AND state = 'queued'
                ORDER BY account_id LIMIT 1
            )
            UNION ALL
            SELECT (
                SELECT account_id FROM generation
                WHERE provider = $1 AND state = 'queued' AND account_id > walk.account_id
                ORDER BY account_id LIMIT 1
            ), number + 1
            FROM walk WHERE account_id IS NOT NULL AND number < $2
        ), waiting AS (
            SELECT account_id FROM walk WHERE account_id IS NOT NULL
        ), share AS (
            SELECT least($2, 10 * $2 / greatest(1, count(*))) AS most FROM waiting
        ), busy AS (
            SELECT account_id, count(*) AS under_way FROM generation
            WHERE provider = $1 AND state IN ('submitting', 'running') GROUP BY account_id
        )
        SELECT next.id, next.turn = (SELECT most FROM share) AS cut
        FROM waiting
        LEFT JOIN busy ON busy.account_id = waiting.account_id
        CROSS JOIN LATERAL (
            SELECT id, row_number() OVER (ORDER BY id) AS turn FROM (
                SELECT id FROM generation
                WHERE provider = $1 AND state = 'queued' AND account_id = waiting.account_id
                ORDER BY id LIMIT (SELECT most FROM share)
            ) oldest
        ) next
        ORDER BY coalesce(busy.under_way, 0) + next.turn, next.id LIMIT $2
        """,
        provider,
        MAX_POSITION,
    )
    positions = {record["id"]: position for position, record in enumerate(found, 1)}
    return positions, len(found) < MAX_POSITION and not any(record["cut"] for record in found)
