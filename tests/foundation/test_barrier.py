"""Behind a barrier, every process has heard what was told before, or believes nothing any more."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from faults.proxy import Proxy
from seedance_api.foundation import barrier, listen
from seedance_api.foundation.barrier import pass_barrier
from seedance_api.foundation.db import Database
from seedance_api.foundation.heard_cache import HeardCache
from seedance_api.foundation.listen import LEASE_SECONDS, Listener


class Process:
    """What it has heard, and what it remembers."""

    def __init__(self, url: str) -> None:
        self.heard: list[str] = []
        self.listener = Listener(url, {"finished": self._hear}, self._miss)
        self.known: HeardCache[str, str] = HeardCache(hears=lambda: self.listener.hears, max_items=99, seconds=60)

    def _hear(self, name: str) -> None:
        self.heard.append(name)
        self.known.forget(name)

    def _miss(self) -> None:
        self.known.forget_all()


@asynccontextmanager
async def processes(*urls: str) -> AsyncGenerator[list[Process], None]:
    found = [Process(url) for url in urls]
    for one in found:
        await one.listener.start()
    try:
        yield found
    finally:
        for one in found:
            await one.listener.stop()


def run(url: str, verb: Callable[[Database], Awaitable[None]]) -> None:
    async def main() -> None:
        db = await Database.connect(url, max_connections=4)
        try:
            async with asyncio.timeout(60):
                await verb(db)
        finally:
            await db.close()

    asyncio.run(main())


async def tell(db: Database, name: str) -> None:
    await db.execute("SELECT pg_notify('finished', $1)", name)


def test_everyone_has_heard(database_url: str) -> None:
    async def verb(db: Database) -> None:
        async with processes(database_url, database_url, database_url) as found:
            for number in range(50):
                await tell(db, str(number))
                await pass_barrier(db)
                assert [one.heard[-1:] for one in found] == [[str(number)]] * 3

    run(database_url, verb)


def test_those_who_pass_at_the_same_time_all_wait(database_url: str) -> None:
    async def verb(db: Database) -> None:
        async with processes(database_url, database_url) as found:

            async def one(name: str) -> None:
                await tell(db, name)
                await pass_barrier(db)
                assert all(name in process.heard for process in found)

            await asyncio.gather(*(one(str(number)) for number in range(40)))

    run(database_url, verb)


def test_who_does_not_hear_believes_nothing_any_more_once_the_barrier_is_passed(database_url: str) -> None:
    async def verb(db: Database) -> None:
        with Proxy(database_url) as proxy:
            async with processes(proxy.url, database_url) as (deaf, well):
                for one in (deaf, well):
                    one.known.put("a", "old", one.known.epoch)
                    assert one.known.get("a") == "old"
                assert proxy.freeze() == 1
                await tell(db, "a")
                await pass_barrier(db)
                assert deaf.known.get("a") is None
                assert well.known.get("a") is None
                assert deaf.heard == []

    run(database_url, verb)


def test_what_is_stale_is_told_for_a_second_at_most(database_url: str) -> None:
    assert LEASE_SECONDS <= 1

    async def verb(db: Database) -> None:
        now = asyncio.get_running_loop().time
        with Proxy(database_url) as proxy:
            async with processes(proxy.url) as (deaf,):
                deaf.known.put("a", "old", deaf.known.epoch)
                frozen_at = now()
                assert proxy.freeze() == 1
                await tell(db, "a")
                at = now()
                while deaf.known.get("a") is not None:
                    assert at - frozen_at < LEASE_SECONDS + listen.HEARTBEAT_SECONDS
                    await asyncio.sleep(0.005)
                    at = now()

    run(database_url, verb)


def test_one_that_is_gone_is_not_waited_for_for_long(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    polls = 0
    ask = barrier._is_awaited

    async def counted(db: Database, number: int) -> bool:
        nonlocal polls
        polls += 1
        return await ask(db, number)

    monkeypatch.setattr(barrier, "_is_awaited", counted)

    async def verb(db: Database) -> None:
        async with processes(database_url):
            pass
        await pass_barrier(db)  # its lease may run
        before = polls
        await pass_barrier(db)
        assert polls == before + 1
        assert await db.fetchval("SELECT count(*) FROM listener") == 1

    run(database_url, verb)


def test_after_a_crash_of_the_database_everyone_is_there_again(database_url: str) -> None:
    """What a crash does to a table that is not logged."""

    async def verb(db: Database) -> None:
        async with processes(database_url) as (one,):
            await db.execute("TRUNCATE listener")
            while not await db.fetchval("SELECT count(*) FROM listener"):
                await asyncio.sleep(0.01)
            await tell(db, "a")
            await pass_barrier(db)
            assert one.heard == ["a"]

    run(database_url, verb)
