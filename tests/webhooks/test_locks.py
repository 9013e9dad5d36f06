"""What one endpoint's lock, or the number of deliveries that wait for it, is to the others: nothing."""

import asyncio
import time
from collections.abc import Callable

import asyncpg

from generations.kit import Owner, owner, with_database
from seedance_api.foundation.db import Database
from seedance_api.webhooks import endpoints, standing_queries
from seedance_api.webhooks.schedule import deliver
from seedance_api.webhooks.sweep import sweep_deliveries
from webhooks.kit import age, deliverer, endpoint, happen, receiver, run_jobs, status


async def fill(db: Database, endpoint_id: str, me: Owner, count: int) -> None:
    """So much waits for tomorrow."""
    await db.pool.execute(
        """
        WITH e AS (
            INSERT INTO event (id, account_id, livemode, type, data, created_at)
            SELECT event_id(clock_timestamp()), $2, true, 'balance.low', '{}', now() FROM generate_series(1, $3::int)
            RETURNING id
        )
        INSERT INTO delivery (endpoint_id, event_id, account_id, livemode, due_at)
        SELECT $1, id, $2, true, now() + interval '1 day' FROM e
        """,
        endpoint_id, me.account_id, count, timeout=300,
    )  # fmt: skip


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def test_one_that_is_locked_delays_no_other_and_loses_nothing(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        async with receiver() as there, deliverer(db, there) as told:
            locked, free = await endpoint(db, me, there.url + "&locked"), await endpoint(db, me, there.url)
            await happen(db, me)
            await db.execute("DELETE FROM pgqueuer")
            other = await asyncpg.connect(database_url)
            async with other.transaction():
                await standing_queries.lock_endpoints(other, [locked])  # type: ignore[arg-type]
                both = [asyncio.create_task(deliver(one, told)) for one in (locked, free)]
                await until(lambda: len(there.came) == 1)
                await asyncio.wait_for(asyncio.gather(*both), 20)
                assert len(there.came) == 1
            await other.close()
            await run_jobs(db, told)
            assert [came.path.endswith("&locked") for came in there.came] == [False, True]

    with_database(database_url, verb)


def test_when_it_reopens_everything_goes_but_in_steps_and_what_fails_again_keeps_its_time(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        async with receiver() as there, deliverer(db, there) as told:
            there.answer = status(500)
            mine = await endpoint(db, me, there.url)
            await happen(db, me, 5)
            await deliver(mine, told)
            assert await db.fetchval("SELECT failures FROM webhook_endpoint") == 5
            await fill(db, mine, me, 300)
            await age(db, 400)
            there.answer = status(200)
            await deliver(mine, told)
            assert len({came.event["id"] for came in there.came}) == 305
            assert await db.fetchval("SELECT count(*) FROM delivery WHERE state <> 'delivered'") == 0

            await fill(db, mine, me, 300)
            there.answer = status(500)
            await db.execute("UPDATE delivery SET due_at = now() WHERE event_id = (SELECT max(event_id) FROM delivery)")
            await db.execute("UPDATE webhook_endpoint SET reopened_at = now() - interval '2 seconds'")
            before = len(there.came)
            for _ in range(8):
                await deliver(mine, told)
                await db.execute("UPDATE webhook_endpoint SET failures = 0, closed_until = NULL")
            assert len(there.came) == len({came.event["id"] for came in there.came[before:]}) + before

    with_database(database_url, verb)


def test_disabling_takes_no_longer_the_more_waits_and_the_sweep_drops_it(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        mine = await endpoint(db, me, "https://mine.example/")
        whose = endpoints.Owner(me.account_id, livemode=True)
        await fill(db, mine, me, 5000)
        await endpoints.update_endpoint(db, whose, mine, endpoints.Wanted(enabled=False), None)
        waiting = "SELECT count(*) FROM delivery WHERE state = 'pending'"
        assert await db.fetchval(waiting) == 4000
        async with deliverer(db) as told:
            await sweep_deliveries(told)
            assert await db.fetchval(waiting) == 0
            assert await db.fetchval("SELECT count(*) FROM delivery WHERE state = 'dropped'") == 5000
            await endpoints.update_endpoint(db, whose, mine, endpoints.Wanted(enabled=True), None)
            await happen(db, me)
            await sweep_deliveries(told)
            assert await db.fetchval(waiting) == 1  # it is enabled

    with_database(database_url, verb)


def test_deleting_and_noting_an_answer_do_not_wait_for_each_other(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        mine = await endpoint(db, me, "https://mine.example/")
        await fill(db, mine, me, 2500)
        noting = await asyncpg.connect(database_url)
        async with noting.transaction():
            await standing_queries.lock_endpoints(noting, [mine])  # type: ignore[arg-type]
            whose = endpoints.Owner(me.account_id, livemode=True)
            deleting = asyncio.create_task(endpoints.delete_endpoint(db, whose, mine))
            while not await db.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.02)
            await noting.execute("UPDATE delivery SET tries = tries + 1 WHERE endpoint_id = $1", mine)
        await noting.close()
        await asyncio.wait_for(deleting, 10)
        assert await db.fetchval("SELECT count(*) FROM delivery") == 0
        assert await db.fetchval("SELECT count(*) FROM webhook_endpoint") == 0

    with_database(database_url, verb)


def test_what_waits_for_an_endpoint_that_is_gone_is_dropped(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        mine = await endpoint(db, me, "https://mine.example/")
        await happen(db, me)
        await db.execute("DELETE FROM webhook_endpoint WHERE id = $1", mine)
        async with deliverer(db) as told:
            await sweep_deliveries(told)
        assert await db.fetchval("SELECT state FROM delivery") == "dropped"

    with_database(database_url, verb)


def test_the_sweep_comes_to_everybody_however_many_are_always_due_and_heaps_up_no_jobs(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        for slow in (True, False):  # more than one sweep takes of each lane, and all of them before the last
            await db.execute(
                """
                WITH e AS (
                    INSERT INTO webhook_endpoint (id, account_id, livemode, hidden, url, event_types, slow)
                    SELECT 'whe_0' || $2::bool || n, $1, true, true, 'https://a.example/' || $2::bool || n, '{}', $2
                    FROM generate_series(1, 2500) n RETURNING id
                )
                INSERT INTO delivery (endpoint_id, event_id, account_id, livemode)
                SELECT id, event_id(clock_timestamp()), $1, true FROM e
                """,
                me.account_id,
                slow,
            )
        mine = await endpoint(db, me, "https://mine.example/")
        await happen(db, me)
        await db.execute("DELETE FROM pgqueuer")
        async with deliverer(db) as told:
            for _ in range(12):
                await sweep_deliveries(told)
        count = "SELECT count(*) FROM pgqueuer WHERE entrypoint = $1"
        assert await db.fetchval("SELECT count(*) FROM pgqueuer WHERE payload = $1", mine.encode()) == 1
        assert (await db.fetchval(count, "deliver"), await db.fetchval(count, "deliver_slow")) == (2501, 2500)

    with_database(database_url, verb)
