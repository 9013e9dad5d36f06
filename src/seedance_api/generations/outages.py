"""Outages: which finished videos wait for something of this installation, and what became of those that did."""

from datetime import datetime

import msgspec

from seedance_api.foundation.db import Connection, Database, rows


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Videos that wait for the same: how many, since when the first of them, and when one fails for it."""

    reason: str
    videos: int
    since: datetime
    seconds: float
    seconds_left: float


async def waiting(db: "Connection | Database", patience_seconds: float = 0.0) -> list[Waiting]:
    """What is waited for, where the first has waited for longer than this."""
    found = await db.fetch(
        """
        SELECT waiting_for AS reason, count(*) AS videos, min(waiting_since) AS since,
            extract(epoch FROM now() - min(waiting_since))::float8 AS seconds,
            extract(epoch FROM min(deadline_at) - now())::float8 AS seconds_left
        FROM generation WHERE waiting_since IS NOT NULL AND finished_at IS NULL
        GROUP BY 1 HAVING min(waiting_since) <= now() - $1 * interval '1 second' ORDER BY 1
        """,
        patience_seconds,
    )
    return rows(Waiting, found)


async def ended(connection: Connection, since: datetime) -> tuple[int, int]:
    """How many videos that have waited since then are completed by now, and how many have failed."""
    found = await connection.fetchrow(
        """
        SELECT count(*) FILTER (WHERE state = 'completed') AS completed,
            count(*) FILTER (WHERE state = 'failed') AS failed
        FROM generation WHERE waiting_since >= $1 AND finished_at IS NOT NULL
        """,
        since,
    )
    assert found is not None, "a count is a row"
    return found["completed"], found["failed"]


async def now(connection: Connection) -> datetime:
    """The database's."""
    return await connection.fetchval("SELECT now()")
