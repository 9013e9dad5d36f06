"""The fast lane belongs to those that answer: whoever hangs leaves it, and no account has all of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.models import Job

from generations.kit import engine, owner, with_database
from seedance_api.foundation.db import Database
from seedance_api.notifications.send import Notifier
from seedance_api.traffic.retain import RequestDays
from seedance_api.webhooks.announce import nudge
from seedance_api.webhooks.claim import FAST_SHARE, Deliverer
from seedance_api.webhooks.endpoints import endpoints_for
from seedance_api.webhooks.rows import Lane
from seedance_api.webhooks.schedule import deliver
from seedance_api.worker import Tasks, build
from webhooks.kit import Came, deliverer, endpoint, happen, outbound, receiver, status

DAYS = RequestDays(requests=180, addresses=30)


async def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


@asynccontextmanager
async def lanes(url: str, told: Deliverer) -> AsyncIterator[None]:
    """Both lanes, as the worker has them."""
    connections = [await asyncpg.connect(url) for _ in range(2)]
    quick, slow = [PgQueuer.from_asyncpg_connection(one) for one in connections]

    @quick.entrypoint("deliver")
    async def _(job: Job) -> None:
        await deliver((job.payload or b"").decode(), told)

    @slow.entrypoint("deliver_slow")
    async def _(job: Job) -> None:
        await deliver((job.payload or b"").decode(), told, slow=True)

    every = timedelta(seconds=5)
    running = [
        asyncio.create_task(queue.run(dequeue_timeout=every, batch_size=64, max_concurrent_tasks=most))
        for queue, most in ((quick, 384), (slow, 256))
    ]
    try:
        yield
    finally:
        for queue in (quick, slow):
            queue.shutdown.set()
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for connection in connections:
            await connection.close()


def test_600_hanging_addresses_of_one_account_delay_no_other_account(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, other = await owner(db), await owner(db, "two@example.org")
        gone = asyncio.Event()

        async def hang(came: Came, writer: asyncio.StreamWriter) -> None:
            await gone.wait()

        async with receiver() as bad, receiver() as good, deliverer(db, bad, good, connections=3072) as told:
            bad.answer = hang
            async with lanes(database_url, told):
                mine = await endpoint(db, other, good.url)
                ids = [await endpoint(db, me, f"{bad.url}&video={n}", hidden=True) for n in range(600)]
                async with db.transaction() as connection:
                    await connection.execute(
                        """
                        WITH e AS (
                            INSERT INTO event (id, account_id, livemode, type, data, created_at)
                            SELECT event_id(clock_timestamp()), $2, true, 'video.completed', '{}', now()
                            FROM generate_series(1, 1) RETURNING id
                        )
                        INSERT INTO delivery (endpoint_id, event_id, account_id, livemode)
                        SELECT n.id, e.id, $2, true FROM e, unnest($1::text[]) AS n (id)
                        """,
                        ids,
                        me.account_id,
                    )
                    await nudge(connection, [Lane(one, slow=False) for one in ids])
                await until(lambda: bad.under_way > FAST_SHARE, 30)
                for count in range(1, 6):
                    await happen(db, other)
                    await until(lambda count=count: len(good.came) == count, 10)  # type: ignore[misc]
                    await asyncio.sleep(0.5)
                assert mine
                assert sum(told.fast.values()) <= FAST_SHARE + 64
                gone.set()
                await until(lambda: not told.late, 20)

    with_database(database_url, verb)


def test_a_job_that_turns_slow_leaves_and_its_attempt_ends_and_is_noted(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        gone = asyncio.Event()

        async def hang(came: Came, writer: asyncio.StreamWriter) -> None:
            await gone.wait()
            await status(200)(came, writer)

        async with receiver() as there, deliverer(db, there) as told:
            there.answer = hang
            mine = await endpoint(db, me, there.url)
            await happen(db, me, 5)
            await db.execute("DELETE FROM pgqueuer")
            await asyncio.wait_for(deliver(mine, told), 10)
            assert (len(told.late), told.fast.total()) == (4, 0)
            gone.set()
            await told.drain(10)
            assert await db.fetchval("SELECT count(*) FROM delivery WHERE state = 'delivered'") == 4
            assert await db.fetchval("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'deliver_slow'") > 0

    with_database(database_url, verb)


def test_what_would_be_more_than_an_account_s_share_waits_among_the_slow_ones(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        async with receiver() as there, deliverer(db, there) as told:
            mine = await endpoint(db, me, there.url)
            await happen(db, me)
            await db.execute("DELETE FROM pgqueuer")
            told.fast[me.account_id] = FAST_SHARE
            await deliver(mine, told)
            assert there.came == []
            assert await db.fetchval("SELECT entrypoint FROM pgqueuer") == "deliver_slow"
            await deliver(mine, told, slow=True)
            assert len(there.came) == 1
            assert told.fast[me.account_id] == FAST_SHARE

    with_database(database_url, verb)


def test_a_new_address_is_as_slow_as_the_one_before_it_at_its_host(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, other = await owner(db), await owner(db, "two@example.org")

        async def made(account_id: str, url: str) -> bool:
            async with db.transaction() as connection:
                (one,) = (await endpoints_for(connection, [(account_id, True, url)])).values()
            return await db.fetchval("SELECT slow FROM webhook_endpoint WHERE id = $1", one)

        assert not await made(me.account_id, "https://a.example/1")
        await db.execute("UPDATE webhook_endpoint SET slow = true")
        assert await made(me.account_id, "https://a.example/2")
        assert not await made(me.account_id, "https://b.example/2")
        assert not await made(other.account_id, "https://a.example/2")
        await db.execute("UPDATE webhook_endpoint SET slow = false WHERE url LIKE '%a.example/2'")
        assert not await made(me.account_id, "https://a.example/3")

    with_database(database_url, verb)


def test_notices_have_a_lane_of_their_own_for_a_mail_server_may_hang(database_url: str) -> None:
    async def verb(db: Database) -> None:
        connections = [await asyncpg.connect(database_url) for _ in range(6)]
        notifier = Notifier(db=db, outbound=outbound(), url=None, mailbox=None)
        async with deliverer(db) as told:
            tasks = Tasks(
                engine=engine(db),
                notifier=notifier,
                deliverer=told,
                event_days=30,
                request_days=DAYS,
                analytics_days=730,
                rate_tiers=(),
                spending_floor=50,
            )
            names = [set(queue.qm.entrypoint_registry) for queue in build(connections, tasks)]
        assert {"notify"} in names
        for one in connections:
            await one.close()

    with_database(database_url, verb)
