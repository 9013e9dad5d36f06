"""SQL of service levels. Each measures one hour, and writes over what was measured of it before."""

from datetime import datetime, timedelta

from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import id_at

_HEALTH = ("GET /healthz", "HEAD /healthz", "GET /readyz", "HEAD /readyz")
_CREATE = "POST /v1/videos"
_LONGEST = timedelta(days=8)
"""A video ends within a week of its order, which its id tells."""
_HOUR = timedelta(hours=1)


async def measure_requests(db: Database, hour: datetime, fast_cells: int) -> None:
    """Availability, and the latency of creates: good in the first so many cells of the histogram."""
    await db.execute(
        """
        WITH measured (name, good, total) AS (
            SELECT 'availability', sum(requests) FILTER (WHERE status_class < 5), sum(requests)
            FROM request_hour WHERE hour = $1 AND endpoint <> ALL ($2)
            UNION ALL
            SELECT 'create_latency', sum((SELECT sum(cell) FROM unnest(own_histogram[:$4]) AS c (cell))), sum(requests)
            FROM request_hour WHERE hour = $1 AND endpoint = $3 AND status_class = 2
        )
        INSERT INTO slo (hour, name, good, total)
        SELECT $1, name, coalesce(good, 0), coalesce(total, 0) FROM measured
        ON CONFLICT (hour, name) DO UPDATE SET good = excluded.good, total = excluded.total
        """,
        hour,
        _HEALTH,
        _CREATE,
        fast_cells,
    )


async def measure_completions(db: Database, hour: datetime, seconds: float) -> None:
    """From the provider's end to ours. What was lost on this way is bad."""
    await db.execute(
        """
        INSERT INTO slo (hour, name, good, total)
        SELECT $1, 'completion_delay', count(*) FILTER (
            WHERE g.state = 'completed' AND g.finished_at - a.resolved_at <= $5 * interval '1 second'
        ), count(*)
        FROM generation g JOIN attempt a ON a.generation_id = g.id AND a.state = 'succeeded'
        WHERE g.id >= $3 AND g.id < $4 AND g.finished_at >= $1 AND g.finished_at < $2
          AND (g.state = 'completed' OR g.error_code IN ('marking_failed', 'output_unavailable'))
        ON CONFLICT (hour, name) DO UPDATE SET good = excluded.good, total = excluded.total
        """,
        hour,
        hour + _HOUR,
        id_at("vid", hour - _LONGEST),
        id_at("vid", hour + _HOUR),
        seconds,
    )


async def measure_webhooks(db: Database, hour: datetime, seconds: float) -> None:
    """From an event to the beginning of its first try, where that arrived, and those not tried at healthy endpoints."""
    await db.execute(
        """
        INSERT INTO slo (hour, name, good, total)
        SELECT $1, 'webhook_delay', count(*) FILTER (
            WHERE tries > 0 AND (attempts -> 0 ->> 'at')::bigint
                - coalesce((attempts -> 0 ->> 'milliseconds')::float8, 0) / 1000
                - extract(epoch FROM d.created_at) <= $4
        ), count(*)
        FROM delivery d JOIN webhook_endpoint e ON e.id = d.endpoint_id
        WHERE event_id >= $2 AND event_id < $3 AND CASE WHEN tries > 0
            THEN attempts -> 0 ->> 'outcome' = 'delivered'
            ELSE state = 'pending' AND e.failures = 0 AND e.disabled_at IS NULL
        END
        ON CONFLICT (hour, name) DO UPDATE SET good = excluded.good, total = excluded.total
        """,
        hour,
        id_at("evt", hour),
        id_at("evt", hour + _HOUR),
        seconds,
    )


async def measure_purges(db: Database, hour: datetime, seconds: float) -> None:
    """Content that was deleted, and what was still there at the end of the hour though its time was over."""
    await db.execute(
        """
        WITH due AS (
            SELECT cleared_at, least(purge_at, purged_at) + $3 * interval '1 second' AS latest FROM content
            WHERE cleared_at >= $1 OR (state = 'purged' AND cleared_at IS NULL)
            UNION ALL
            SELECT NULL, purge_at + $3 * interval '1 second' FROM content WHERE state <> 'purged' AND purge_at < $2
        )
        INSERT INTO slo (hour, name, good, total)
        SELECT $1, 'purge_lag', count(*) FILTER (WHERE cleared_at <= latest), count(*) FROM due
        WHERE cleared_at < $2 OR latest < $2
        ON CONFLICT (hour, name) DO UPDATE SET good = excluded.good, total = excluded.total
        """,
        hour,
        hour + _HOUR,
        seconds,
    )


async def last_hour(db: Database) -> datetime | None:
    """The last hour that was measured."""
    return await db.fetchval("SELECT max(hour) FROM slo")


async def sums(db: Database, since: datetime) -> dict[str, tuple[int, int]]:
    """Good events and all, of each level, from this hour on."""
    found = await db.fetch(
        "SELECT name, sum(good)::bigint AS good, sum(total)::bigint AS total FROM slo WHERE hour >= $1 GROUP BY name",
        since,
    )
    return {record["name"]: (record["good"], record["total"]) for record in found}


async def forget(db: Database, before: datetime) -> None:
    """Delete the hours before this one."""
    await db.execute("DELETE FROM slo WHERE hour < $1", before)
