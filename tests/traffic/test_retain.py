"""The request log forgets: full addresses first, then the requests, and nothing is kept longer than is said."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta

import asyncpg
import pytest

from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import id_at, new_id
from seedance_api.traffic.hours import count_hours
from seedance_api.traffic.queries import add_to_hours, copy_requests
from seedance_api.traffic.retain import RequestDays, retain_requests
from seedance_api.traffic.rows import Request
from stage import fresh_database

KEEP = RequestDays(requests=40, addresses=10)


def run(postgres: str, use: Callable[[Database, date], Awaitable[None]]) -> None:
    async def main(url: str) -> None:
        db = await Database.connect(url, max_connections=2)
        try:
            await use(db, await db.fetchval("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date"))
        finally:
            await db.close()

    with fresh_database(postgres) as url:
        asyncio.run(main(url))


async def make_day(db: Database, day: date) -> None:
    """A partition as `retain` made it when that day was ahead."""
    first, end = (id_at("req", datetime.combine(each, time(), UTC)) for each in (day, day + timedelta(days=1)))
    async with db.connection() as connection:
        await connection.execute(
            f"CREATE TABLE request_log_{day:%Y%m%d} PARTITION OF request_log FOR VALUES FROM ('{first}') TO ('{end}')"
        )


async def write(db: Database, day: date, *addresses: str) -> None:
    at = datetime.combine(day, time(12), UTC).timestamp()
    requests = [
        Request(new_id("req", at=at), at, "GET /v1/models", None, None, address, 200, 10, 5) for address in addresses
    ]
    async with db.transaction() as connection:
        await copy_requests(connection, requests)
        await add_to_hours(connection, count_hours(requests))


async def addresses(db: Database, day: date) -> list[str]:
    found = await db.fetch("SELECT abbrev(address) AS text FROM request_log WHERE at::date = $1 ORDER BY 1", day)
    return [record["text"] for record in found]


@pytest.mark.parametrize("own_day", [True, False], ids=["partition", "rest"])
def test_addresses_become_networks_and_requests_go(postgres: str, own_day: bool) -> None:
    async def use(db: Database, today: date) -> None:
        kept, truncated, dropped = (today - timedelta(days=days) for days in (9, 10, 40))
        for day in (kept, truncated, dropped):
            if own_day:
                await make_day(db, day)
            await write(db, day, "192.0.2.77", "2001:db8:1:2:3::4")
        for _ in range(2):  # a second time changes nothing
            await retain_requests(db, KEEP)
            assert await addresses(db, kept) == ["192.0.2.77", "2001:db8:1:2:3::4"]
            assert await addresses(db, truncated) == ["192.0.2.0/24", "2001:db8:1::/48"]
            assert await addresses(db, dropped) == []
            hours = await db.fetch("SELECT DISTINCT hour::date AS day FROM request_hour ORDER BY 1")
            assert [record["day"] for record in hours] == [truncated, kept]

    run(postgres, use)


def test_the_database_refuses_a_full_address_on_a_day_that_is_truncated(postgres: str) -> None:
    async def use(db: Database, today: date) -> None:
        day = today - timedelta(days=12)
        await make_day(db, day)
        await retain_requests(db, KEEP)
        with pytest.raises(asyncpg.CheckViolationError):
            await write(db, day, "192.0.2.77")

    run(postgres, use)


def test_a_truncation_that_was_broken_off_is_taken_up(postgres: str) -> None:
    async def use(db: Database, today: date) -> None:
        day = today - timedelta(days=12)
        await make_day(db, day)
        await write(db, day, *[f"192.0.2.{number}" for number in range(200)])
        async with db.connection() as connection:  # as a process leaves it that dies after the first step
            await connection.execute(
                f"ALTER TABLE request_log_{day:%Y%m%d} "
                "ADD CONSTRAINT addresses_are_truncated CHECK (masklen(address) < 32) NOT VALID"
            )
        await retain_requests(db, KEEP)
        assert set(await addresses(db, day)) == {"192.0.2.0/24"}

    run(postgres, use)
