"""The request log when it is long: its pages, and the day that is dropped."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from bench.figures import Figure
from bench.stage import Ground, Stage
from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import id_at, new_id
from seedance_api.traffic.hours import count_hours
from seedance_api.traffic.queries import add_to_hours, copy_requests
from seedance_api.traffic.read import requests_page
from seedance_api.traffic.retain import RequestDays, retain_requests
from seedance_api.traffic.rows import Request, RequestFilter

_ROWS = 10_000_000
_DAYS = 10
_ACCOUNTS = 200
_PAGES = 200
_BATCH = 20_000
_ENDPOINTS = ("GET /v1/videos/{video_id}", "POST /v1/videos", "GET /v1/videos", "GET /v1/videos/{video_id}/content")


def measure(stage: Stage) -> list[Figure]:
    """Pages of the first account, which has half of all rows, and of an account of many."""
    count = _ROWS if not stage.quick else _ROWS // 50
    ground = stage.ground()
    stage.say(f"{count:,} rows of the request log over {_DAYS} days")
    return asyncio.run(_measure(stage, ground, count))


async def _measure(stage: Stage, ground: Ground, count: int) -> list[Figure]:
    db = await Database.connect(ground.url, max_connections=4)
    try:
        await _fill(db, count)
        stage.say("pages: newest, by endpoint, by status, by key, from the middle")
        pages = await _pages(db)
        stage.say("dropping a day")
        dropped = await _drop(db)
    finally:
        await db.close()
    ordered = sorted(pages)
    return [
        Figure(
            name="a page of the request log",
            how=f"20 of {count:,} requests over {_DAYS} days, one account having half of them; the 99th percentile of "
            f"{len(ordered)} pages with and without filters, from the newest and from the middle, in the database",
            values=[ordered[int(len(ordered) * 0.99)] * 1000],
            unit="ms",
            sides={"median": [ordered[len(ordered) // 2] * 1000]},
            side_unit="ms",
            bar=5.0,
            is_minimum=False,
        ),
        Figure(
            name="dropping a day of the request log",
            how=f"one run of the job with one day over, of {count // _DAYS:,} requests",
            values=[dropped],
            unit="s",
            bar=1.0,
            is_minimum=False,
        ),
    ]


async def _fill(db: Database, count: int) -> None:
    """Rows over the days, newest last, each day with a partition, as the job of a running service makes them."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - timedelta(days=_DAYS - 1)
    for number in range(_DAYS):
        day = first + timedelta(days=number)
        begin, end = id_at("req", day), id_at("req", day + timedelta(days=1))
        async with db.connection() as connection:
            await connection.execute(
                f"CREATE TABLE IF NOT EXISTS request_log_{day:%Y%m%d} PARTITION OF request_log"
                f" FOR VALUES FROM ('{begin}') TO ('{end}')"
            )
    seconds = (datetime.now(UTC) - first).total_seconds()
    for at in range(0, count, _BATCH):
        some = [_request(number, first.timestamp() + seconds * number / count) for number in range(at, at + _BATCH)]
        async with db.transaction() as connection:
            await copy_requests(connection, some)
            await add_to_hours(connection, count_hours(some))
    async with db.connection() as connection:
        await connection.execute("ANALYZE")


def _request(number: int, at: float) -> Request:
    account = 0 if number % 2 else 1 + number // 2 % _ACCOUNTS
    status = 404 if number % 53 == 0 else 503 if number % 5003 == 0 else 200
    endpoint = _ENDPOINTS[0] if number % 7 else _ENDPOINTS[1 + number % 3]
    return Request(
        new_id("req", at=at),
        at,
        endpoint,
        f"acc_{account}",
        f"key_{account}_{number % 3}",
        "192.0.2.1",
        status,
        900,
        500,
    )


async def _pages(db: Database) -> list[float]:
    """Seconds of each page; one of each kind before, so that what they read is in memory as that of a busy day is."""
    middle = datetime.now(UTC) - timedelta(days=_DAYS / 2)
    wanted = [
        RequestFilter(account_id="acc_0"),
        RequestFilter(account_id="acc_7"),
        RequestFilter(account_id="acc_0", endpoint=_ENDPOINTS[2]),
        RequestFilter(account_id="acc_7", endpoint=_ENDPOINTS[3]),
        RequestFilter(account_id="acc_0", status_class=5),
        RequestFilter(account_id="acc_7", status_class=4),
        RequestFilter(account_id="acc_0", key_id="key_0_1"),
        RequestFilter(account_id="acc_7", until=middle),
    ]
    for one in wanted:
        await requests_page(db, one, after=None, limit=20)
    spent: list[float] = []
    for number in range(_PAGES):
        began = time.perf_counter()
        found = await requests_page(db, wanted[number % len(wanted)], after=None, limit=20)
        spent.append(time.perf_counter() - began)
        assert found, "there are such requests"
    return spent


async def _drop(db: Database) -> float:
    """Seconds of the job with the oldest day over."""
    began = time.perf_counter()
    await retain_requests(db, RequestDays(requests=_DAYS - 1, addresses=_DAYS - 1))
    return time.perf_counter() - began
