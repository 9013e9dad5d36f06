"""Endpoints of forgotten requests are deleted, and no other."""

import asyncio
from datetime import UTC, datetime, timedelta

from generations.kit import new, owner, with_database
from seedance_api.billing.books import Books
from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import id_at
from seedance_api.generations.cancel import cancel
from seedance_api.generations.write import Writer
from seedance_api.webhooks.endpoints import forget_hidden
from seedance_api.webhooks.retain import retain
from webhooks.kit import endpoint
from webhooks.test_plans import statement


async def hidden(db: Database) -> int:
    return await db.fetchval("SELECT count(*) FROM webhook_endpoint WHERE hidden")


def test_a_hidden_endpoint_goes_when_nothing_needs_it_any_more(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        await endpoint(db, me, "https://mine.example/")
        made = await Writer(db)(new(me, webhook_url="https://hook.example/"))
        await retain(db, 30)
        assert await hidden(db) == 1  # it is young
        await db.execute("UPDATE webhook_endpoint SET created_at = now() - interval '31 days'")
        await retain(db, 30)
        assert await hidden(db) == 1  # its video is not finished
        await cancel(db, made.generation_id, once=None, books=Books(db))
        await retain(db, 30)
        assert await hidden(db) == 1  # its delivery is kept
        await db.execute("DELETE FROM delivery")
        await retain(db, 30)
        assert await hidden(db) == 0
        assert await db.fetchval("SELECT count(*) FROM webhook_endpoint") == 1

    with_database(database_url, verb)


def test_one_that_a_create_is_just_using_stays(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        first = await Writer(db)(new(me, webhook_url="https://hook.example/"))
        await db.execute("UPDATE generation SET state = 'canceled', finished_at = now()")
        await db.execute("UPDATE webhook_endpoint SET created_at = now() - interval '31 days'")
        async with db.transaction() as connection:
            await connection.execute("SELECT FROM webhook_endpoint WHERE hidden FOR KEY SHARE")
            await asyncio.wait_for(retain(db, 30), 10)
            assert await hidden(db) == 1
        await asyncio.gather(
            retain(db, 30),
            *(Writer(db)(new(me, body=bytes([n]), webhook_url="https://hook.example/")) for n in range(8)),
        )
        lost = await db.fetch(
            """
            SELECT g.id FROM generation g LEFT JOIN webhook_endpoint e ON e.id = g.webhook_endpoint_id
            WHERE e.id IS NULL AND g.finished_at IS NULL
            """
        )
        assert lost == []
        assert first.generation_id

    with_database(database_url, verb)


def test_all_that_are_forgotten_go_at_once_by_an_index(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        await Writer(db)(new(me, webhook_url="https://hook.example/"))  # is not finished: nothing passes over the rest
        await db.execute("UPDATE webhook_endpoint SET created_at = now() - interval '90 days'")
        await db.execute(
            """
            INSERT INTO webhook_endpoint (id, account_id, livemode, hidden, url, event_types, created_at)
            SELECT 'whe_' || n, $1, true, true, 'https://a.example/' || n, '{}', now() - interval '40 days'
            FROM generate_series(1, 1200) n
            """,
            me.account_id,
        )
        assert await forget_hidden(db, 30) == 1200
        assert await hidden(db) == 1
        async with db.transaction() as connection:
            await connection.execute("SET LOCAL enable_seqscan = off")
            old = (datetime(2020, 1, 1, tzinfo=UTC), "")
            lines = await connection.fetch(f"EXPLAIN {statement('lock_unused_hidden')}", 30, *old, 500)
        assert "webhook_endpoint_old" in str(lines)

    with_database(database_url, verb)


def test_a_day_of_deliveries_that_is_held_keeps_its_events(database_url: str) -> None:
    async def verb(db: Database) -> None:
        day = datetime.now(UTC).date() - timedelta(days=40)
        first, end = (id_at("evt", datetime(*one.timetuple()[:3], tzinfo=UTC)) for one in (day, day + timedelta(1)))
        for table in ("event", "delivery"):
            await db.pool.execute(
                f"CREATE TABLE {table}_{day:%Y%m%d} PARTITION OF {table} FOR VALUES FROM ('{first}') TO ('{end}')"
            )
        there = f"SELECT to_regclass('event_{day:%Y%m%d}') IS NOT NULL"
        async with db.transaction() as connection:
            await connection.execute(f"LOCK TABLE delivery_{day:%Y%m%d} IN ACCESS SHARE MODE")  # a reader
            await retain(db, 30)
            assert await db.pool.fetchval(there)
        await retain(db, 30)
        assert not await db.pool.fetchval(there)
        assert not await db.pool.fetchval(there.replace("event_", "delivery_"))

    with_database(database_url, verb)
