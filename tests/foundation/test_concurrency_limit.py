"""So much at once, so many in the queue, and the next one is refused."""

import asyncio

import pytest

from seedance_api.foundation.concurrency_limit import BusyError, ConcurrencyLimit
from seedance_api.foundation.db import Database
from seedance_api.web.errors import as_app_error


def test_the_queue_is_bounded_and_in_order() -> None:
    async def run() -> None:
        limit = ConcurrencyLimit(2, 3)
        done: list[int] = []
        may_end = asyncio.Event()

        async def work(number: int) -> None:
            async with limit.turn(20):
                await may_end.wait()
                done.append(number)

        async with asyncio.TaskGroup() as tasks:
            for number in range(5):
                tasks.create_task(work(number))
            await asyncio.sleep(0)
            assert limit.is_full
            with pytest.raises(BusyError):
                await work(5)
            may_end.set()
        assert done == [0, 1, 2, 3, 4]
        assert not limit.is_full

    asyncio.run(run())


def test_a_turn_that_does_not_come_in_time_is_refused_and_not_lost() -> None:
    async def run() -> None:
        limit = ConcurrencyLimit(1, 1)
        async with limit.turn(1):
            with pytest.raises(BusyError):
                async with limit.turn(0.01):
                    pass
            assert not limit.is_full
        async with limit.turn(1):
            pass

    asyncio.run(run())


def test_busy_is_no_verdict_on_the_request() -> None:
    error = as_app_error(BusyError(), "req_1")
    assert (error.status, error.code, error.headers["Retry-After"]) == (503, "too_busy", "1")


def test_a_part_of_the_pool_leaves_the_rest_to_others(database_url: str) -> None:
    async def run() -> None:
        db = await Database.connect(database_url, max_connections=3)
        try:
            part = db.part(2)
            async with part.connection(), part.connection():
                waiting = asyncio.create_task(part.fetchval("SELECT 1"))
                assert await db.fetchval("SELECT 2") == 2
                assert not waiting.done()
            assert await waiting == 1
            async with part.connection() as kept:
                db.renew()
                assert await kept.fetchval("SELECT 3") == 3
            async with part.connection() as fresh:
                assert fresh is not kept, "what is renewed is renewed for all parts"
        finally:
            await db.close()

    asyncio.run(run())
