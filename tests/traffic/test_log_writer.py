"""The writer of the request log: bounded, exact, and behind the requests."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from typing import Any

import pytest

from seedance_api.foundation.db import Connection, Database
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.partitions import AHEAD
from seedance_api.traffic import request_log
from seedance_api.traffic.hours import OWN_MILLISECONDS, count_hours
from seedance_api.traffic.read import requests_page
from seedance_api.traffic.request_log import RequestLog
from seedance_api.traffic.retain import RequestDays, retain_requests
from seedance_api.traffic.rows import Request, RequestFilter
from stage import fresh_database


def request(at: float | None = None, **changes: Any) -> Request:
    at = time.time() if at is None else at
    plain = Request(new_id("req", at=at), at, "GET /v1/models", "acc_1", "key_1", "192.0.2.1", 200, 1500, 900)
    return plain._replace(**changes)


def run(postgres: str, use: Callable[[Database], Awaitable[None]]) -> None:
    async def main(url: str) -> None:
        db = await Database.connect(url, max_connections=4)
        try:
            await use(db)
        finally:
            await db.close()

    with fresh_database(postgres) as url:
        asyncio.run(main(url))


async def written(db: Database) -> tuple[int, int]:
    """Rows of the log, and how many the hours count."""
    counted = "SELECT coalesce(sum(requests), 0)::int FROM request_hour"
    return await db.fetchval("SELECT count(*)::int FROM request_log"), await db.fetchval(counted)


async def log_through(log: RequestLog, requests: list[Request]) -> None:
    log.start()
    for each in requests:
        log(each)
    await log.stop()


def test_all_are_written_once_and_counted(postgres: str) -> None:
    async def use(db: Database) -> None:
        log = RequestLog(db)
        await log_through(log, [request(status=status) for status in (200, 404, 499, 503) for _ in range(1500)])
        assert (await written(db), log.lost) == ((6000, 6000), 0)

    run(postgres, use)


def test_a_commit_whose_answer_was_lost_is_not_counted_twice(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real, broken = request_log.add_to_hours, []

    async def use(db: Database) -> None:
        transaction = db.transaction

        def broken_after_commit() -> Any:
            manager = transaction()
            leave = manager.__aexit__

            async def lost(*error: Any) -> Any:
                await leave(*error)
                if not broken:
                    broken.append(True)
                    raise ConnectionResetError

            manager.__aexit__ = lost  # pyright: ignore[reportAttributeAccessIssue]
            return Leaving(manager, lost)

        monkeypatch.setattr(db, "transaction", broken_after_commit)
        monkeypatch.setattr(request_log, "_RETRY_SECONDS", 0.01)
        log = RequestLog(db)
        await log_through(log, [request() for _ in range(10)])
        assert broken
        assert (await written(db), log.lost) == ((10, 10), 0)

    assert real
    run(postgres, use)


class Leaving:
    """A transaction that is left in another way."""

    def __init__(self, manager: Any, leave: Any) -> None:
        self._manager, self._leave = manager, leave

    async def __aenter__(self) -> Any:
        return await self._manager.__aenter__()

    async def __aexit__(self, *error: Any) -> Any:
        return await self._leave(*error)


def test_while_the_database_is_away_requests_wait_and_those_above_the_bound_are_counted(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "_RETRY_SECONDS", 0.01)
    away = True
    real = request_log.copy_requests

    async def copy(connection: Connection, requests: list[Request]) -> None:
        if away:
            raise ConnectionRefusedError
        await real(connection, requests)

    monkeypatch.setattr(request_log, "copy_requests", copy)

    async def use(db: Database) -> None:
        nonlocal away
        log = RequestLog(db, max_waiting=100)
        log.start()
        log(request())
        await asyncio.sleep(request_log.FLUSH_SECONDS + 0.2)  # the first is on its way by now
        for _ in range(130):
            log(request())
        assert log.lost == 30
        away = False
        await log.stop()
        assert await written(db) == (101, 101)

    run(postgres, use)


def test_what_the_database_refuses_does_not_stop_what_comes_after_it(postgres: str) -> None:
    async def use(db: Database) -> None:
        log = RequestLog(db)
        log.start()
        log(request(status=99))  # a bug: there is no such status
        log._full.set()
        await asyncio.sleep(0.3)
        log(request())
        await log.stop()
        assert (await written(db), log.lost) == ((1, 1), 1)

    run(postgres, use)


def test_a_day_without_a_partition_is_logged_all_the_same(postgres: str) -> None:
    async def use(db: Database) -> None:
        log = RequestLog(db)
        await log_through(log, [request(time.time() + 400 * 86400), request(0.0)])
        assert await db.fetchval("SELECT count(*) FROM request_log_rest") == 2
        assert await written(db) == (2, 2)

    run(postgres, use)


def test_hours_are_counted_exactly() -> None:
    at = 1_796_000_000 // 3600 * 3600
    own = [0, 999, 1000, 1001, 10_000_000, 10_000_001]
    (first, second) = count_hours([request(at + 3599.9, own_us=us) for us in own] + [request(at + 3600)])
    assert (first.requests, second.requests) == (6, 1)
    assert first.own_us == sum(own)
    assert first.own_histogram == [3, 1, *[0] * (len(OWN_MILLISECONDS) - 3), 1, 1]


@pytest.mark.parametrize("days", [0, 1, 3, 4, 30, -1, -30])
def test_a_clock_that_steps_over_midnight_loses_nothing(postgres: str, days: int) -> None:
    """The days ahead are made already. One that is further away, or past, has no partition: its rows stand in the
    default one, and are read, kept and forgotten as others are. The day is not made over them."""

    async def use(db: Database) -> None:
        today = datetime.combine(datetime.now(UTC).date(), time_of_day(), UTC)
        midnight = (today + timedelta(days=days)).timestamp()
        await retain_requests(db, RequestDays(requests=90, addresses=30))
        log = RequestLog(db)
        around = [request(midnight + seconds) for seconds in (-0.002, -0.001, 0, 0.001)]
        await log_through(log, [request(), *around, request()])
        assert (await written(db), log.lost) == ((6, 6), 0)
        in_rest = await db.fetchval("SELECT count(*)::int FROM request_log_rest")
        assert in_rest == (0 if 1 <= days <= AHEAD else 2 if days in (0, AHEAD + 1) else 4)
        await retain_requests(db, RequestDays(requests=90, addresses=30))
        page = await requests_page(db, RequestFilter(), after=new_id("req", at=midnight + 1), limit=10)
        assert {one.id for one in around} <= {one.id for one in page} if days < 0 else len(page) >= 2
        assert await written(db) == (6, 6)

    run(postgres, use)
