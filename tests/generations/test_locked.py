"""What one account has locked holds up no other: creates split by account, steps by generation, permits by model."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from generations.kit import engine, new, owner
from money.bank import Bank
from seedance_api.foundation.batch import Batches
from seedance_api.foundation.db import CONTENDED, Database
from seedance_api.foundation.session import API, open_connection
from seedance_api.generations import write
from seedance_api.generations.dispatch import dispatch
from seedance_api.generations.write import Writer


def with_api_sessions(url: str, verb: Callable[[Database], Awaitable[None]]) -> None:
    async def main() -> None:
        db = await Database.connect(url, max_connections=8, session=API)
        try:
            async with asyncio.timeout(60):
                await verb(db)
        finally:
            await db.close()

    asyncio.run(main())


@asynccontextmanager
async def locked(url: str, sql: str, *values: object) -> AsyncGenerator[None, None]:
    """A transaction of somebody else holds a lock."""
    connection = await open_connection(url, API)
    await connection.execute("SET idle_in_transaction_session_timeout = '1min'")
    async with connection.transaction():
        assert await connection.fetch(sql, *values)
        yield
    await connection.close()


_WALLET = "SELECT 1 FROM wallet WHERE account_id = $1 FOR UPDATE"


def test_a_locked_wallet_holds_up_no_other_account(database_url: str) -> None:
    async def verb(db: Database) -> None:
        one, two = await Bank.open(db, 1000), await Bank.open(db, 1000, "two@example.org")
        writer = Writer(db)
        async with locked(database_url, _WALLET, one.me.account_id):
            began = time.monotonic()
            stuck = [asyncio.create_task(writer(await one.compose(quoted=1, most=1))) for _ in range(3)]
            for _ in range(3):
                free = await asyncio.gather(*[writer(await two.compose(quoted=1, most=1)) for _ in range(5)])
                assert not any(created.replayed for created in free)
            assert time.monotonic() - began < 1.9, "less than the locked account's creates wait"
            assert not any(task.done() for task in stuck)
            found = await asyncio.gather(*stuck, return_exceptions=True)
            assert all(isinstance(error, CONTENDED) for error in found), found
            assert time.monotonic() - began < 10
        assert (await one.wallet()).held == 0
        await writer(await one.compose(quoted=1, most=1))
        assert ((await one.wallet()).held, (await two.wallet()).held) == (1, 15)
        await one.is_sound()

    with_api_sessions(database_url, verb)


def test_creates_that_waited_for_their_wallet_go_together(database_url: str) -> None:
    async def verb(db: Database) -> None:
        one, two = await Bank.open(db, 1000), await Bank.open(db, 1000, "two@example.org")
        writer = Writer(db)
        async with locked(database_url, _WALLET, one.me.account_id):
            waiting = [asyncio.create_task(writer(await one.compose(quoted=1, most=1))) for _ in range(60)]
            await writer(await two.compose(quoted=1, most=1))
            await asyncio.sleep(0.8)  # they have given up waiting together, and wait apart
        made = await asyncio.gather(*waiting)
        transactions = await db.fetchval(
            "SELECT count(DISTINCT xmin::text) FROM generation WHERE id = ANY ($1)", [one.generation_id for one in made]
        )
        assert transactions <= 3
        assert (await one.wallet()).held == 60
        assert not writer._apart._batches, "nobody waits, and nothing is left of it"

    with_api_sessions(database_url, verb)


def test_a_locked_note_of_a_key_holds_up_no_other_account(database_url: str) -> None:
    async def verb(db: Database) -> None:
        one, two = await owner(db), await owner(db, "two@example.org")
        writer = Writer(db)
        await writer(new(one, key="k"))
        note = "UPDATE idempotency SET expires_at = now() - interval '1 s' WHERE account_id = $1 RETURNING 1"
        async with locked(database_url, note, one.account_id):
            stuck = asyncio.create_task(writer(new(one, key="k")))
            began = time.monotonic()
            await writer(new(two, key="k"))
            assert time.monotonic() - began < 1.9
            with pytest.raises(CONTENDED):
                await stuck

    with_api_sessions(database_url, verb)


def test_the_bounds_of_a_create() -> None:
    assert write._IMPATIENT_SECONDS <= 0.5
    assert API.lock_seconds <= 2
    assert write._APART_SECONDS <= 10


def test_batches_of_different_keys_do_not_wait_for_each_other() -> None:
    async def main() -> None:
        gate = asyncio.Event()
        calls: list[list[str]] = []

        async def run(items: list[str]) -> list[str]:
            calls.append(items)
            if items[0].startswith("a"):
                await gate.wait()
            return items

        batches: Batches[str, str, str] = Batches(run, key=lambda item: item[0])
        first = asyncio.create_task(batches("a1"))
        await asyncio.sleep(0)
        rest = [asyncio.create_task(batches(f"a{n}")) for n in range(2, 6)]
        async with asyncio.timeout(5):
            assert await batches("b1") == "b1"
        assert "a" in batches
        assert "b" not in batches
        gate.set()
        assert await asyncio.gather(first, *rest) == ["a1", "a2", "a3", "a4", "a5"]
        assert calls == [["a1"], ["b1"], ["a2", "a3", "a4", "a5"]]
        assert "a" not in batches

    asyncio.run(main())


def test_a_dispatch_that_is_held_up_costs_nobody_a_connection(database_url: str) -> None:
    lock = "SELECT pg_advisory_xact_lock(hashtextextended('dispatch sandbox', 0)) IS NULL"

    async def verb(db: Database) -> None:
        working = engine(db)
        async with locked(database_url, lock):
            began = time.monotonic()
            assert await asyncio.gather(*(dispatch("sandbox", working) for _ in range(20))) == [0] * 20
            assert time.monotonic() - began < 1.9
            again = await db.fetchval("SELECT count(*) FROM pgqueuer WHERE split_part(entrypoint, ':', 1) = 'dispatch'")
            assert 1 <= again <= 10, "one job for each tick of the clock"

    with_api_sessions(database_url, verb)


def test_a_locked_generation_holds_up_no_other_claim(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        writer = Writer(db)
        made = await asyncio.gather(*(writer(new(me)) for _ in range(2)))
        ids = sorted(one.generation_id for one in made)
        await db.execute("UPDATE generation SET state = 'submitting', due_at = now()")
        batches = engine(db).batches
        async with locked(database_url, "SELECT 1 FROM generation WHERE id = $1 FOR UPDATE", ids[0]):
            began = time.monotonic()
            first, second = await asyncio.gather(*(batches.claim((own_id, 30.0)) for own_id in ids))
            assert time.monotonic() - began < 1.9
            assert first is None
            assert second is not None

    with_api_sessions(database_url, verb)
