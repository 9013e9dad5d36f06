"""SQL of analytics: of a day that is over, what its cells are, and how many accounts are behind each.

What an account objected to is left out by the moment at which it was made; of requests, which are counted by the hour,
every hour that an objection touches.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import msgspec

from seedance_api.foundation.db import Connection, Database, affected, rows
from seedance_api.foundation.ids import id_at
from seedance_api.traffic.suppress import MINIMUM, Cell

_APART = timedelta(hours=1)
"""A row is written so much after its id was made at most."""
_MAX_ROWS = 5000
_CELLS = """
    , days AS (
        SELECT measure, value, status_class, livemode, account_id, sum(count) AS count
        FROM counted GROUP BY measure, value, status_class, livemode, account_id
    )
    SELECT extract(hour FROM hour AT TIME ZONE 'UTC')::integer AS hour, measure, value, status_class, livemode,
        sum(count)::bigint AS count, count(*) AS accounts,
        CASE WHEN count(*) < $3 THEN array_agg(account_id) ELSE '{}' END AS few
    FROM counted WHERE hour IS NOT NULL GROUP BY hour, measure, value, status_class, livemode
    UNION ALL
    SELECT NULL, measure, value, status_class, livemode,
        sum(count)::bigint, count(*), CASE WHEN count(*) < $3 THEN array_agg(account_id) ELSE '{}' END
    FROM days GROUP BY measure, value, status_class, livemode
"""
"""What has the rows of `counted`, one for each account, as cells of the hours and of the day."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `analytics`."""

    grain: str
    starts_at: datetime
    measure: str
    value: str
    status_class: int | None
    livemode: bool | None
    count: int
    accounts: int


def starts_of(day: date) -> tuple[datetime, datetime]:
    """When a day begins and ends, in UTC."""
    start = datetime.combine(day, time(), UTC)
    return start, start + timedelta(days=1)


async def next_day(db: Database, oldest: date, settled_seconds: float) -> date | None:
    """The first day that is not counted yet and is over, with the time for what is written late; None: not now."""
    return await db.fetchval(
        """
        WITH first (day) AS (
            SELECT coalesce((SELECT max(day) + 1 FROM analytics_day), (
                SELECT min(at AT TIME ZONE 'UTC')::date FROM (
                    SELECT min(hour) FROM request_hour
                    UNION ALL SELECT created_at FROM (SELECT created_at FROM generation ORDER BY id LIMIT 1) g
                    UNION ALL SELECT created_at FROM (SELECT created_at FROM account ORDER BY id LIMIT 1) a
                ) AS begun (at)
            ))
        )
        SELECT greatest(day, $1) FROM first WHERE day IS NOT NULL
            AND (greatest(day, $1) + 1)::timestamp AT TIME ZONE 'UTC' + $2 * interval '1 second' <= clock_timestamp()
        """,
        oldest,
        settled_seconds,
    )


async def mark_day(connection: Connection, day: date) -> bool:
    """Note that a day is counted in this transaction; False when it is already. Whoever else does it waits."""
    tag = await connection.execute("INSERT INTO analytics_day (day) VALUES ($1) ON CONFLICT DO NOTHING", day)
    return affected(tag) == 1


async def request_cells(connection: Connection, day: date) -> list[Cell]:
    """Requests by endpoint and class of status. Those without an account are nobody's, or anybody's, and left out.

    A create that succeeded is told by the generations: it would tell their sum, of which some are not told.
    """
    found = await connection.fetch(
        f"""
        WITH counted AS MATERIALIZED (
            SELECT h.hour, 'requests' AS measure, h.endpoint AS value, h.status_class, NULL::boolean AS livemode,
                h.account_id, sum(h.requests) AS count
            FROM request_hour h JOIN account a ON a.id = h.account_id
            WHERE h.hour >= $1 AND h.hour < $2 AND NOT (h.endpoint = 'POST /v1/videos' AND h.status_class = 2)
                AND h.hour + interval '1 hour' <= coalesce(a.analytics_objected_at, 'infinity')
                AND NOT a.analytics_excluded && tstzrange(h.hour, h.hour + interval '1 hour')
            GROUP BY h.hour, h.endpoint, h.status_class, h.account_id
        ) {_CELLS}
        """,  # noqa: S608 our own text
        *starts_of(day),
        MINIMUM,
    )
    return rows(Cell, found)


async def generation_cells(connection: Connection, day: date) -> list[Cell]:
    """Generations by what they were to be; by the hour by their model alone, or one hour's sum would be told twice."""
    start, end = starts_of(day)
    found = await connection.fetch(
        f"""
        WITH made AS (
            SELECT g.account_id, g.livemode, date_trunc('hour', g.created_at, 'UTC') AS hour, g.model, g.params,
                g.input_bytes
            FROM generation g JOIN account a ON a.id = g.account_id
            WHERE g.id >= $4 AND g.id < $5 AND g.created_at >= $1 AND g.created_at < $2
                AND g.created_at < coalesce(a.analytics_objected_at, 'infinity')
                AND NOT a.analytics_excluded @> g.created_at
        ), counted AS MATERIALIZED (
            SELECT told.hour, measure, value, NULL::smallint AS status_class, livemode, account_id, count(*) AS count
            FROM made CROSS JOIN LATERAL (VALUES
                (made.hour, 'generations_by_model', model),
                (NULL, 'generations_by_mode', params ->> 'mode'),
                (NULL, 'generations_by_resolution', params ->> 'resolution'),
                (NULL, 'generations_by_duration', CASE
                    WHEN (params ->> 'duration')::integer > 0 THEN (params ->> 'duration') || ' s'
                    ELSE 'adaptive'
                END),
                (NULL, 'generations_by_input_size', CASE
                    WHEN input_bytes IS NULL THEN 'unknown'
                    WHEN input_bytes = 0 THEN 'none'
                    WHEN input_bytes < 1000000 THEN 'below 1 MB'
                    WHEN input_bytes < 10000000 THEN '1 to 10 MB'
                    WHEN input_bytes < 100000000 THEN '10 to 100 MB'
                    ELSE '100 MB or more'
                END)
            ) AS told (hour, measure, value)
            GROUP BY told.hour, measure, value, livemode, account_id
        ) {_CELLS}
        """,  # noqa: S608 our own text
        start,
        end,
        MINIMUM,
        id_at("vid", start - _APART),
        id_at("vid", end + _APART),
    )
    return rows(Cell, found)


async def failure_cells(connection: Connection, day: date) -> list[Cell]:
    """Generations that failed or were refused by their provider on that day, by the code that says why."""
    found = await connection.fetch(
        f"""
        WITH counted AS MATERIALIZED (
            SELECT date_trunc('hour', g.finished_at, 'UTC') AS hour, 'failures' AS measure, g.error_code AS value,
                NULL::smallint AS status_class, g.livemode, g.account_id, count(*) AS count
            FROM generation g JOIN account a ON a.id = g.account_id
            WHERE g.error_code IS NOT NULL AND g.finished_at >= $1 AND g.finished_at < $2
                AND g.finished_at < coalesce(a.analytics_objected_at, 'infinity')
                AND NOT a.analytics_excluded @> g.finished_at
            GROUP BY 1, g.error_code, g.livemode, g.account_id
        ) {_CELLS}
        """,  # noqa: S608 our own text
        *starts_of(day),
        MINIMUM,
    )
    return rows(Cell, found)


async def funnel_steps(connection: Connection, day: date, last: date) -> list[tuple[str, int]]:
    """Of the accounts of a day, how many got how far up to and with the last; one that objected meanwhile is out."""
    found = await connection.fetchrow(
        """
        WITH begun AS (
            SELECT
                EXISTS (SELECT FROM api_key k WHERE k.account_id = a.id AND k.created_at < $3) AS has_key,
                EXISTS (SELECT FROM request_hour h WHERE h.account_id = a.id AND h.hour < $3) AS has_asked,
                EXISTS (
                    SELECT FROM usage u
                    WHERE u.account_id = a.id AND u.day < ($3 AT TIME ZONE 'UTC')::date AND u.videos > 0
                ) AS has_video
            FROM account a
            WHERE a.created_at >= $1 AND a.created_at < $2 AND coalesce(a.analytics_objected_at, 'infinity') >= $3
                AND NOT a.analytics_excluded && tstzrange(a.created_at, $3)
        )
        SELECT count(*) AS created, count(*) FILTER (WHERE has_key) AS first_key,
            count(*) FILTER (WHERE has_key AND has_asked) AS first_request,
            count(*) FILTER (WHERE has_key AND has_asked AND has_video) AS first_video
        FROM begun
        """,
        *starts_of(day),
        starts_of(last)[1],
    )
    assert found is not None, "an aggregate has a row"
    return list(found.items())


async def insert_cells(connection: Connection, day: date, cells: Sequence[Cell]) -> None:
    """Write cells that may be told."""
    start, _ = starts_of(day)
    await connection.copy_records_to_table(
        "analytics",
        columns=("grain", "starts_at", "measure", "value", "status_class", "livemode", "count", "accounts"),
        records=[
            (
                "day" if cell.hour is None else "hour",
                start + timedelta(hours=cell.hour or 0),
                cell.measure,
                cell.value,
                cell.status_class,
                cell.livemode,
                cell.count,
                cell.accounts,
            )
            for cell in cells
        ],
    )


async def delete_cells(db: Database, before: date) -> None:
    """Forget what was counted of days before this one."""
    deleted = _MAX_ROWS
    while deleted == _MAX_ROWS:
        tag = await db.execute(
            "DELETE FROM analytics WHERE ctid IN (SELECT ctid FROM analytics WHERE starts_at < $1 LIMIT 5000)",
            starts_of(before)[0],
        )
        deleted = affected(tag)
    await db.execute("DELETE FROM analytics_day WHERE day < $1", before)


async def cells_of(db: Database, day: date, grain: str | None, measure: str | None) -> list[Told]:
    """What is told of a day, by its hours and of the whole."""
    start, end = starts_of(day)
    found = await db.fetch(
        """
        SELECT grain, starts_at, measure, value, status_class, livemode, count, accounts FROM analytics
        WHERE starts_at >= $1 AND starts_at < $2
            AND ($3::text IS NULL OR grain = $3) AND ($4::text IS NULL OR measure = $4)
        ORDER BY starts_at, grain, measure, value, status_class, livemode
        """,
        start,
        end,
        grain,
        measure,
    )
    return rows(Told, found)
