"""SQL of what the whole installation is doing now. All of it looks at what is unfinished, which indexes find."""

from collections.abc import Mapping

from seedance_api.foundation.db import Database
from seedance_api.foundation.instruments import Labels

_MAX_BACKLOG = 100_000
"""What is counted at most."""


async def under_way(db: Database) -> tuple[Mapping[Labels, float], Mapping[Labels, float]]:
    """Unfinished videos by provider and state, and by provider how many seconds the oldest one is queued."""
    found = await db.fetch(
        """
        SELECT provider, state, count(*) AS number, extract(epoch FROM now() - min(created_at))::float8 AS seconds
        FROM generation WHERE finished_at IS NULL GROUP BY provider, state
        """
    )
    numbers = {(one["provider"], one["state"]): float(one["number"]) for one in found}
    ages = {(one["provider"],): one["seconds"] for one in found if one["state"] == "queued"}
    return numbers, ages


async def jobs_waiting(db: Database) -> Mapping[Labels, float]:
    """Jobs that are due and that nobody has taken, by kind."""
    found = await db.fetch(
        """
        SELECT split_part(entrypoint, ':', 1) AS job, count(*) AS number
        FROM pgqueuer WHERE status = 'queued' AND execute_after <= now() GROUP BY 1
        """
    )
    return {(one["job"],): float(one["number"]) for one in found}


async def circuit_breakers(db: Database) -> Mapping[Labels, float]:
    """1 for each that is open, 0 for each other that had trouble once."""
    found = await db.fetch("SELECT provider, model, coalesce(closed_until > now(), false) AS open FROM gate")
    return {(one["provider"], one["model"]): float(one["open"]) for one in found}


async def webhook_backlog(db: Database) -> float:
    """Deliveries that are to be made, at most 100,000."""
    number: int = await db.fetchval(
        "SELECT count(*) FROM (SELECT FROM delivery WHERE state = 'pending' LIMIT $1) waiting", _MAX_BACKLOG
    )
    return float(number)


async def purge_lag(db: Database) -> float:
    """Seconds for which the oldest content is overdue for deletion; 0 where none is."""
    return await db.fetchval(
        """
        SELECT coalesce(extract(epoch FROM now() - min(due)), 0)::float8 FROM (
            SELECT min(purge_at) AS due FROM content WHERE state <> 'purged' AND purge_at <= now()
            UNION ALL
            SELECT min(least(purge_at, purged_at)) FROM content WHERE state = 'purged' AND cleared_at IS NULL
        ) overdue
        """
    )
