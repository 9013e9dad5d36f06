"""Events are read in order, and one that is committed late is never passed over."""

import asyncio
import random

from generations.kit import owner, with_database
from seedance_api.foundation.db import Database
from seedance_api.webhooks.announce import News, announce_to_accounts
from seedance_api.webhooks.read import events_after
from webhooks.kit import happen
from webhooks.test_plans import statement


def test_what_is_younger_than_a_transaction_that_writes_waits_for_it(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)

        async def read(after: str | None = None) -> list[int]:
            found = await events_after(db, me.account_id, True, after=after, kind=None, limit=100)
            return [one.data["number"] for one in found]

        await happen(db, me)
        async with db.transaction() as slow:
            await announce_to_accounts(slow, [News(kind="balance.low", account_id=me.account_id, data={"number": 7})])
            await happen(db, me, 2)  # these are committed, and younger than one that is not
            assert await read() == [0]
        assert await read() == [0, 7, 0, 1]

        async with db.transaction() as reading:  # one that only reads holds nobody up
            await reading.fetch("SELECT * FROM event")
            await happen(db, me)
            assert len(await read()) == 5

    with_database(database_url, verb)


def test_a_reader_among_many_writers_misses_nothing(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        chance = random.Random(5)

        async def write(number: int) -> None:
            async with db.transaction() as connection:
                news = News(kind="balance.low", account_id=me.account_id, data={"number": number})
                await announce_to_accounts(connection, [news])
                await connection.execute("SELECT pg_sleep($1)", chance.random() / 50)

        async def writer(first: int) -> None:
            for number in range(first, first + 30):
                await write(number)

        writing = asyncio.gather(*(writer(first * 1000) for first in range(5)))
        seen: list[int] = []
        after = None
        while True:
            ended = writing.done()
            found = await events_after(db, me.account_id, True, after=after, kind=None, limit=7)
            seen += [one.data["number"] for one in found]
            after = found[-1].id if found else after
            if ended and not found:
                break
            await asyncio.sleep(0)
        await writing
        assert sorted(seen) == sorted(first * 1000 + number for first in range(5) for number in range(30))

    with_database(database_url, verb)


def test_kinds_limits_and_places(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, other = await owner(db), await owner(db, "two@example.org")
        await happen(db, me, 5)
        await happen(db, other, 1)
        first = await events_after(db, me.account_id, True, after=None, kind=None, limit=2)
        rest = await events_after(db, me.account_id, True, after=first[-1].id, kind="balance.low", limit=10)
        assert [one.data["number"] for one in first + rest] == [0, 1, 2, 3, 4]
        assert await events_after(db, me.account_id, True, after=None, kind="video.failed", limit=2) == []
        assert await events_after(db, me.account_id, False, after=None, kind=None, limit=2) == []

    with_database(database_url, verb)


def test_a_transaction_whose_beginning_may_not_be_seen_holds_everything_up(database_url: str) -> None:
    async def verb(db: Database) -> None:
        async with db.transaction() as writing, db.transaction() as reading:
            await writing.execute("SELECT pg_current_xact_id()")
            await reading.execute("SET LOCAL ROLE pg_signal_backend")  # sees that it has written, and no more
            seen = await reading.fetchval(f"SELECT ({statement('horizon')}) = '-infinity'", 0)
            assert seen

    with_database(database_url, verb)


def test_events_keep_their_order_when_the_clock_is_set_back(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)

        async def read(after: str | None = None) -> list[str]:
            found = await events_after(db, me.account_id, True, after=after, kind=None, limit=100)
            return [one.id for one in found]

        await happen(db, me)
        # another server has taken over, whose clock is an hour behind that of the one before
        await db.execute("SELECT setval('event_clock', (extract(epoch FROM now() + interval '1 hour') * 1e6)::bigint)")
        seen = await read()
        assert len(seen) == 1
        for _ in range(3):
            await happen(db, me, 2)
            fresh = await read(seen[-1])
            assert len(fresh) == 2, "none waits for the clock, and none is behind one that was read"
            assert min(fresh) > max(seen)
            seen += fresh
        moments = await db.fetchval("SELECT count(DISTINCT created_at) FROM event")
        assert moments == len(seen)

    with_database(database_url, verb)
