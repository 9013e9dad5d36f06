"""One note for everything that happens once: keys, contents, retries, claims."""

import asyncio
import time
from collections.abc import Callable

import pytest
from msgspec import structs

from generations.kit import Owner, owner, with_database
from seedance_api.foundation import idempotency
from seedance_api.foundation.claim_key import claimed
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.idempotency import Done, Finder, Kind, Once, forget_expired, take, untake

ROUTE = "test POST /v1/videos"


def once(me: Owner, key: str = "k", *, kind: Kind = Kind.KEY, said: bytes = b"said", ago: float = 0) -> Once:
    return Once(
        account_id=me.account_id, route=ROUTE, key=key, fingerprint=said, kind=kind, arrived=time.monotonic() - ago
    )


async def do(db: Database, work: list[Once], *outcomes: str) -> list[bool]:
    async with db.transaction() as connection:
        return await take(connection, work, list(outcomes))


def refused(code: str) -> "pytest.RaisesExc[AppError]":
    return pytest.raises(AppError, match=f"^{code}$")


def test_a_key_is_done_once_and_found_ever_after(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, find = await owner(db), Finder(db)
        assert await find(once(me)) is None
        assert await do(db, [once(me)], "vid_1") == [True]
        assert await do(db, [once(me)], "vid_2") == [False]
        assert await find(once(me)) == Done("vid_1", None)
        with refused("idempotency_mismatch"):
            await find(once(me, said=b"else"))
        other = await owner(db, "two@example.org")
        assert await do(db, [once(other)], "vid_3") == [True]
        assert await do(db, [structs.replace(once(me), route="live POST /v1/videos")], "vid_4") == [True]

    with_database(database_url, verb)


def test_of_several_in_one_transaction_the_first_is_done(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        assert await do(db, [once(me), once(me, "l"), once(me)], "1", "2", "3") == [True, True, False]

    with_database(database_url, verb)


def test_what_nobody_marks_is_done_each_time_and_a_marked_retry_finds_the_last(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, find = await owner(db), Finder(db)
        first, retry = once(me, kind=Kind.CONTENT), once(me, kind=Kind.RETRY)
        assert await find(first) is None
        assert await do(db, [first, structs.replace(first)], "vid_1", "vid_1b") == [True, True]
        assert await do(db, [once(me, kind=Kind.CONTENT)], "vid_2") == [True]
        assert await find(once(me, kind=Kind.CONTENT)) is None
        assert await find(retry) == Done("vid_2", None)
        assert await do(db, [retry], "vid_3") == [False]
        await db.execute("UPDATE idempotency SET expires_at = now()")  # the two minutes are over
        assert await find(retry) is None
        assert await do(db, [retry], "vid_3") == [True]

    with_database(database_url, verb)


def test_a_first_request_that_its_own_retry_overtook_joins_it(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, find = await owner(db), Finder(db)
        assert await do(db, [once(me, kind=Kind.RETRY, ago=1)], "vid_retry") == [True]
        stuck = once(me, kind=Kind.CONTENT, ago=60)
        assert await do(db, [stuck], "vid_stuck") == [False]
        assert await find.earlier(stuck) == Done("vid_retry", None)
        assert await do(db, [once(me, kind=Kind.CONTENT)], "vid_new") == [True]  # one that came later is new

    with_database(database_url, verb)


def test_a_claim_keeps_others_out_until_it_is_done_or_let_go(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, find = await owner(db), Finder(db)
        async with claimed(db, once(me)) as mine:
            assert mine is not None
            async with claimed(db, once(me)) as other:
                assert other is None
            with refused("idempotency_in_progress"):
                await find(once(me))
            with refused("idempotency_in_progress"):  # what it says does not count before it is done
                await find(once(me, said=b"else"))
            assert await do(db, [once(me)], "vid_other") == [False]
            assert await do(db, [mine], "vid_1") == [True]
        assert await find(once(me)) == Done("vid_1", None)
        with pytest.raises(ZeroDivisionError):
            async with claimed(db, once(me, "fails")):
                raise ZeroDivisionError
        assert await find(once(me, "fails")) is None

    with_database(database_url, verb)


def test_a_claim_of_a_dead_process_ends_and_a_slow_one_that_lost_its_claim_does_nothing(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        async with claimed(db, once(me)) as slow:
            assert slow is not None
            await db.execute("UPDATE idempotency SET expires_at = now()")
            async with claimed(db, once(me)) as quick:
                assert quick is not None
                assert await do(db, [slow], "vid_slow") == [False]
                assert await do(db, [quick], "vid_quick") == [True]
        assert await Finder(db)(once(me)) == Done("vid_quick", None)

    with_database(database_url, verb)


def test_a_refusal_leaves_the_key_free(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        async with db.transaction() as connection:
            assert await take(connection, [once(me)], ["vid_1"]) == [True]
            await untake(connection, [once(me)], ["vid_1"])
        assert await Finder(db)(once(me)) is None

    with_database(database_url, verb)


def test_many_at_once_over_many_pools_are_done_once_each(database_url: str, schedules: Callable[[int], None]) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        pools = [await Database.connect(database_url, max_connections=4) for _ in range(4)]

        async def batch(at: int) -> int:
            # each of 64 batches wants the same keys, in an order of its own
            keys = [f"key {(at * 7 + number) % 16}" for number in range(16)]
            return sum(await do(pools[at % 4], [once(me, key) for key in keys], *[f"vid_{at}"] * 16))

        assert sum(await asyncio.gather(*(batch(at) for at in range(64)))) == 16
        for pool in pools:
            await pool.close()

    with_database(database_url, verb)
    schedules(64)


def test_a_hundred_thousand_keys_are_found_by_an_index_and_go_in_steps(database_url: str) -> None:
    """A million differ in time only; `bench` is for times."""

    async def verb(db: Database) -> None:
        me = await owner(db)
        await db.execute(
            """
            INSERT INTO idempotency (account_id, route, key, fingerprint, subject, expires_at)
            SELECT $1, $2, 'key ' || n, 'x', 'vid_' || n, now() - interval '1 second'
            FROM generate_series(1, 100000) AS n
            """,
            me.account_id,
            ROUTE,
        )
        await do(db, [once(me, "fresh")], "vid_fresh")
        await db.execute("ANALYZE idempotency")
        plan = await db.fetch(
            "EXPLAIN SELECT 1 FROM idempotency WHERE account_id = $1 AND route = $2 AND key = 'key 5'",
            me.account_id,
            ROUTE,
        )
        assert any("idempotency_pkey" in line[0] for line in plan)
        assert await do(db, [once(me, "key 5")], "vid_again") == [True]  # its time is over
        assert await forget_expired(db) == 99_999
        assert await db.fetchval("SELECT count(*) FROM idempotency") == 2

    with_database(database_url, verb)
    assert idempotency.KEY_SECONDS == 72 * 3600
