"""SQL of the request log."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from seedance_api.foundation.db import Connection, rows
from seedance_api.traffic.hours import Hour
from seedance_api.traffic.rows import LoggedRequest, Request, RequestFilter

_COLUMNS = ("id", "at", "endpoint", "account_id", "key_id", "address", "status", "latency_us", "own_us")


async def copy_requests(connection: Connection, requests: Iterable[Request]) -> None:
    """Write these. Raises UniqueViolationError where one of them is there already."""
    await connection.copy_records_to_table(
        "request_log", columns=_COLUMNS, records=[_record(request) for request in requests]
    )


async def add_to_hours(connection: Connection, hours: Sequence[Hour]) -> None:
    """Add to the counts by hour."""
    await connection.executemany(
        """
        INSERT INTO request_hour AS h
            (hour, account_id, key_id, endpoint, status_class, requests, latency_us, own_us, own_histogram)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (hour, account_id, key_id, endpoint, status_class) DO UPDATE SET
            requests = h.requests + excluded.requests,
            latency_us = h.latency_us + excluded.latency_us,
            own_us = h.own_us + excluded.own_us,
            own_histogram = ARRAY(SELECT a + b FROM unnest(h.own_histogram, excluded.own_histogram) AS pair (a, b))
        """,
        [
            (
                hour.hour,
                hour.account_id,
                hour.key_id,
                hour.endpoint,
                hour.status_class,
                hour.requests,
                hour.latency_us,
                hour.own_us,
                hour.own_histogram,
            )
            for hour in hours
        ],
    )


async def plan_for_values(connection: Connection) -> None:
    """Let this transaction's statements be planned for their very values. A plan for any filter uses no index: it takes
    what is open for what is wanted, and PostgreSQL would prefer it after five executions."""
    await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")


async def hours_with(connection: Connection, wanted: RequestFilter, before: datetime, limit: int) -> list[datetime]:
    """The newest hours, up to and with that of `before`, in which such requests were made."""
    found = await connection.fetch(
        """
        SELECT DISTINCT hour FROM request_hour
        WHERE hour <= $1
            AND ($2::text IS NULL OR account_id = $2) AND ($3::text IS NULL OR key_id = $3)
            AND ($4::text IS NULL OR endpoint = $4) AND ($5::int IS NULL OR status_class = $5)
            AND ($6::timestamptz IS NULL OR hour >= date_trunc('hour', $6, 'UTC'))
        ORDER BY hour DESC LIMIT $7
        """,
        before,
        wanted.account_id,
        wanted.key_id,
        wanted.endpoint,
        wanted.status_class,
        wanted.since,
        limit,
    )
    return [record["hour"] for record in found]


async def requests_within(
    connection: Connection, wanted: RequestFilter, first: str, past: str, limit: int
) -> list[LoggedRequest]:
    """The newest such requests whose ids are from `first` up to and without `past`."""
    found = await connection.fetch(
        """
        SELECT id, at, endpoint, account_id, key_id, abbrev(address) AS address, status, latency_us, own_us
        FROM request_log
        WHERE id >= $1 AND id < $2
            AND ($3::text IS NULL OR account_id = $3) AND ($4::text IS NULL OR key_id = $4)
            AND ($5::text IS NULL OR endpoint = $5)
            AND ($6::int IS NULL OR status / 100 = $6)
            AND ($6::int IS NULL OR $6 < 4 OR status >= 400)  -- so that the index of failures is used
        ORDER BY id DESC LIMIT $7
        """,
        first,
        past,
        wanted.account_id,
        wanted.key_id,
        wanted.endpoint,
        wanted.status_class,
        limit,
    )
    return rows(LoggedRequest, found)


def _record(request: Request) -> tuple[object, ...]:
    at = datetime.fromtimestamp(request.at, UTC)
    address = None if request.address is None else _parsed(request.address)
    return (*request[:1], at, *request[2:5], address, *request[6:])


@lru_cache(maxsize=4096)
def _parsed(address: str) -> IPv4Address | IPv6Address:
    return ip_address(address)
