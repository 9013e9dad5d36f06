"""Analytics: how the service is used, counted by hour and by day, and whose use it was not kept.

A day is counted once, when it is over and what is written late has come. Counting it again would let two exports be
compared, and so tell what one account did that was new, or gone. See docs/decisions/0034.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import structlog

from seedance_api.foundation.db import Database
from seedance_api.traffic import analytics_queries as queries
from seedance_api.traffic.suppress import Cell, tellable, tellable_steps

SETTLED_SECONDS = 6 * 3600
"""The log of a process that cannot reach the database waits in its memory: what comes within this time is counted."""
FUNNEL_DAYS = 7
"""An account's steps count for so many days after that of its creation."""
_SUMMED = frozenset({
    "generations_by_model",
    "generations_by_mode",
    "generations_by_resolution",
    "generations_by_duration",
    "generations_by_input_size",
    "failures",
})  # fmt: skip
"""Measures whose sum is known: one of them tells it to the others."""
_log = structlog.get_logger()


async def aggregate(db: Database, keep_days: int) -> None:
    """Count every day that is over and not counted yet, and forget those that are `keep_days` old."""
    today: date = await db.fetchval("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date")
    oldest = today - timedelta(days=keep_days - 1)
    while (day := await queries.next_day(db, oldest, SETTLED_SECONDS)) is not None:
        count = await _count_day(db, day)
        _log.info("analytics.counted", reason=day.isoformat(), count=count)
    await queries.delete_cells(db, oldest)


async def _count_day(db: Database, day: date) -> int:
    """Count a day, or nothing of it. Returns how many cells there are of it."""
    async with db.transaction() as connection:
        if not await queries.mark_day(connection, day):
            return 0  # another worker has counted it meanwhile
        cells: list[Cell] = []
        for read in (queries.request_cells, queries.generation_cells, queries.failure_cells):
            cells += await read(connection, day)
        told = tellable(cells, _SUMMED)
        await queries.insert_cells(connection, day, told)
        begun = day - timedelta(days=FUNNEL_DAYS)  # for whose accounts the time is over with this day
        steps = tellable_steps(await queries.funnel_steps(connection, begun, day))
        await queries.insert_cells(connection, begun, _funnel(steps))
        return len(told) + len(steps)


def _funnel(steps: Sequence[tuple[str, int]]) -> list[Cell]:
    return [Cell(hour=None, measure="funnel", value=name, count=count, accounts=count) for name, count in steps]
