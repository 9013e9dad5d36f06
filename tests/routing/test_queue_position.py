import asyncio
import time
from collections.abc import Sequence

from generations.kit import Owner, new, owner, with_database
from seedance_api.foundation.db import Database
from seedance_api.generations.estimates import Estimates
from seedance_api.generations.queries import queue, reads
from seedance_api.generations.write import Writer
from seedance_api.routing import queue_position
from seedance_api.routing.queue_position import MAX_POSITION

FILL = """
INSERT INTO generation (id, account_id, key_id, livemode, provider, model, params, metadata, keep_seconds,
                        quoted_tokens, deadline_at)
SELECT $1 || lpad(n::text, 20, '0'), $2, $3, false, 'sandbox', 'm' || n % 3, $5, '{}', 3600, 0, now()
FROM generate_series(1, $4) AS n
"""


async def standing(db: Database, ids: Sequence[str], estimates: Estimates | None = None) -> list[int | None]:
    """Where these generations stand."""
    found = {seen.id: seen for seen in await reads.seen_by_ids(db, list(ids))}
    return [seen.queue_position for seen in await (estimates or Estimates(db)).add([found[one] for one in ids])]


def test_one_account_is_served_in_its_order(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, write = await owner(db), Writer(db)
        ids = [(await write(new(me))).generation_id for _ in range(4)]
        assert await standing(db, ids) == [1, 2, 3, 4]
        await db.execute("UPDATE generation SET state = 'submitting' WHERE id = $1", ids[0])
        assert await standing(db, ids) == [None, 1, 2, 3]

    with_database(database_url, verb)


def test_accounts_take_turns_and_the_position_is_the_order_of_the_dispatch(database_url: str) -> None:
    async def verb(db: Database) -> None:
        people = [await owner(db, f"{n}@example.org") for n in range(4)]
        write = Writer(db)
        many = [(await write(new(people[0]))).generation_id for _ in range(5)]
        two = [(await write(new(people[1]))).generation_id for _ in range(2)]
        one = [(await write(new(person))).generation_id for person in people[2:]]
        # the own r − 1 before it, and of each other account as many as it has, up to r
        assert await standing(db, many) == [1, 5, 7, 8, 9]
        assert await standing(db, two) == [2, 6]
        assert await standing(db, one) == [3, 4]
        busy = (await write(new(people[2]))).generation_id
        await db.execute("UPDATE generation SET state = 'running' WHERE id = $1", busy)
        ids = [*many, *two, *one]
        told = dict(zip(await standing(db, ids), ids, strict=True))
        async with db.transaction() as connection:
            order = await queue.next_in_queue(connection, "sandbox", {new(people[0]).order.model: 50}, 50, 50)
        assert [told[place] for place in sorted(told, key=lambda place: place or 0)] == order

    with_database(database_url, verb)


def test_each_provider_has_its_own_queue(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, write = await owner(db), Writer(db)
        ids = [(await write(new(me, provider=name))).generation_id for name in ("a", "b", "a", "b")]
        assert await standing(db, ids) == [1, 1, 2, 2]

    with_database(database_url, verb)


async def fill(db: Database, start: str, whose: Owner, count: int) -> None:
    await db.pool.execute(FILL, f"vid_{start}", whose.account_id, whose.key_id, count, new(whose).order)


def test_no_more_than_a_thousand_are_counted(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        await fill(db, "000000", me, 30_000)
        last = (await Writer(db)(new(me))).generation_id
        other = (await Writer(db)(new(await owner(db, "two@example.org")))).generation_id
        started = time.monotonic()
        assert await standing(db, [last, other]) == [MAX_POSITION, 2]
        assert time.monotonic() - started < 5

    with_database(database_url, verb)


def test_many_accounts_with_long_queues_are_looked_at_a_little_each(database_url: str) -> None:
    async def verb(db: Database) -> None:
        for n in range(40):
            await fill(db, f"{n:06}", await owner(db, f"{n}@example.org"), 300)
        ids = ["vid_000007" + f"{n:020}" for n in (1, 2, 25, 300)]
        assert await standing(db, ids) == [8, 48, 24 * 40 + 8, MAX_POSITION]

    with_database(database_url, verb)


def test_the_queue_is_looked_at_once_however_many_ask(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, write = await owner(db), Writer(db)
        ids = [(await write(new(me))).generation_id for _ in range(3)]
        estimates = Estimates(db)
        assert await asyncio.gather(*(standing(db, ids, estimates) for _ in range(20))) == [[1, 2, 3]] * 20
        await db.execute("UPDATE generation SET state = 'submitting' WHERE id = $1", ids[0])
        assert await standing(db, ids[1:], estimates) == [2, 3]  # a second old at most
        late = (await write(new(me))).generation_id
        deadline = time.monotonic() + 10
        while await standing(db, [ids[1], late], estimates) != [1, 3]:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)

    with_database(database_url, verb)


def test_a_generation_that_is_not_known_yet_has_no_position() -> None:
    line = queue_position._Line({"vid_a": 1}, whole=True, at=100.0, took=0.001)
    assert queue_position._serves(line, ["vid_a"], 100.9)
    assert not queue_position._serves(line, ["vid_a"], 101.1)
    assert queue_position._serves(line, ["vid_b"], 100.1)
    assert not queue_position._serves(line, ["vid_b"], 100.3)
    slow = queue_position._Line({}, whole=False, at=100.0, took=0.2)
    assert queue_position._serves(slow, ["vid_b"], 103.9)  # a twentieth of the time at most is spent on it
