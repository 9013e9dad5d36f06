"""Days are made ahead, dropped when they are over, and rows without a day are deleted by their age."""

import asyncio
from datetime import UTC, datetime, timedelta

from generations.kit import with_database
from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import id_at
from seedance_api.foundation.partitions import AHEAD, keep_partitions
from seedance_api.webhooks.delivery_queries import PARTITIONED

_INSERT = """
    INSERT INTO event (id, account_id, livemode, type, data, created_at)
    SELECT event_id(m), 'acc_1', true, 'balance.low', '{}', m FROM (SELECT now() - $1::interval AS m) n
"""


async def places(db: Database) -> dict[str, int]:
    found = await db.fetch("SELECT tableoid::regclass::text AS place, count(*) FROM event GROUP BY 1")
    return {one["place"]: one["count"] for one in found}


async def partitions(db: Database) -> set[str]:
    found = await db.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'event'::regclass"
    )
    return {one["name"] for one in found}


def days(*ago: int) -> set[str]:
    today = datetime.now(UTC).date()
    return {f"event_{today - timedelta(days=one):%Y%m%d}" for one in ago}


def test_days_are_made_ahead_and_again_is_nothing(database_url: str) -> None:
    async def verb(db: Database) -> None:
        await asyncio.gather(*(keep_partitions(db, PARTITIONED, 30) for _ in range(3)))
        assert await partitions(db) == {"event_rest"} | days(*range(-AHEAD, 1))
        await db.execute(_INSERT, timedelta(0))
        assert await places(db) == {days(0).pop(): 1}
        indexes = await db.fetchval("SELECT count(*) FROM pg_indexes WHERE tablename = $1", days(0).pop())
        assert indexes == 1

    with_database(database_url, verb)


def test_a_day_that_has_begun_in_the_default_one_stays_there(database_url: str) -> None:
    async def verb(db: Database) -> None:
        await db.execute(_INSERT, timedelta(0))
        await keep_partitions(db, PARTITIONED, 30)
        assert days(0).isdisjoint(await partitions(db))
        await db.execute(_INSERT, timedelta(0))
        assert await places(db) == {"event_rest": 2}
        await keep_partitions(db, PARTITIONED, 30)
        assert await places(db) == {"event_rest": 2}

    with_database(database_url, verb)


def test_what_is_over_is_dropped_and_old_rows_without_a_day_deleted(database_url: str) -> None:
    async def verb(db: Database) -> None:
        await keep_partitions(db, PARTITIONED, 30)
        for ago in (3, 31, 40):
            day = datetime.now(UTC).date() - timedelta(days=ago)
            first, end = (id_at("evt", datetime(*one.timetuple()[:3], tzinfo=UTC)) for one in (day, day + timedelta(1)))
            await db.pool.execute(
                f"CREATE TABLE event_{day:%Y%m%d} PARTITION OF event FOR VALUES FROM ('{first}') TO ('{end}')"
            )
        for ago in (0.001, 3, 31, 40, 5, 35, 33):
            await db.execute(_INSERT, timedelta(days=ago))
        assert (await places(db))["event_rest"] == 3
        await keep_partitions(db, PARTITIONED, 30)
        assert await partitions(db) == {"event_rest"} | days(*range(-AHEAD, 1), 3)
        assert sum((await places(db)).values()) == 3
        assert (await places(db))["event_rest"] == 1

    with_database(database_url, verb)


def test_who_reads_the_table_holds_it_up_for_two_seconds_only(database_url: str) -> None:
    async def verb(db: Database) -> None:
        async with db.transaction() as connection:
            await connection.execute("LOCK TABLE event_rest IN ACCESS SHARE MODE")
            await asyncio.wait_for(keep_partitions(db, PARTITIONED, 30), 15)
        assert await partitions(db) == {"event_rest"}
        await keep_partitions(db, PARTITIONED, 30)
        assert len(await partitions(db)) == AHEAD + 2

    with_database(database_url, verb)


def test_ids_of_a_moment_sort_like_the_moment(database_url: str) -> None:
    async def verb(db: Database) -> None:
        moment = datetime(2026, 11, 24, 12, tzinfo=UTC)
        made = await db.fetchval("SELECT event_id($1)", moment)
        assert id_at("evt", moment) < made < id_at("evt", moment + timedelta(milliseconds=1))
        many = await db.fetch(
            "SELECT event_id(clock_timestamp()) AS id, pg_sleep(0.00001) FROM generate_series(1, 300)"
        )
        assert [one["id"] for one in many] == sorted(one["id"] for one in many)

    with_database(database_url, verb)
