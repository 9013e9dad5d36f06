import asyncio

from generations.kit import engine, new, owner, sandbox, with_database
from seedance_api.foundation.db import Database
from seedance_api.generations.dispatch import dispatch
from seedance_api.generations.write import Writer


def test_slots_are_never_overrun_by_parallel_dispatches(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        write = Writer(db)
        await asyncio.gather(*(write(new(me)) for _ in range(30)))
        moved = await asyncio.gather(
            *(dispatch("sandbox", engine(db, providers={"sandbox": sandbox("sandbox", 8)})) for _ in range(6))
        )
        assert sum(moved) == 8
        assert await db.fetchval("SELECT count(*) FROM generation WHERE state = 'submitting'") == 8
        assert await db.fetchval("SELECT count(*) FROM attempt WHERE state = 'planned'") == 8

    with_database(database_url, verb)


def test_one_account_with_a_long_queue_does_not_hold_up_another(database_url: str) -> None:
    async def verb(db: Database) -> None:
        many, few = await owner(db), await owner(db, "two@example.org")
        write = Writer(db)
        for _ in range(12):
            await write(new(many))
        for _ in range(2):
            await write(new(few))
        await dispatch("sandbox", engine(db, providers={"sandbox": sandbox("sandbox", 4)}))
        rows = await db.fetch("SELECT account_id, count(*) FROM generation WHERE state = 'submitting' GROUP BY 1")
        assert {row["account_id"]: row["count"] for row in rows} == {many.account_id: 2, few.account_id: 2}

    with_database(database_url, verb)


def test_an_account_alone_leaves_the_last_slots_to_others(database_url: str) -> None:
    async def verb(db: Database) -> None:
        many, few = await owner(db), await owner(db, "two@example.org")
        write = Writer(db)
        parts = engine(db, providers={"sandbox": sandbox("sandbox", 4, account_concurrency=3)})
        for _ in range(12):
            await write(new(many))
        assert await dispatch("sandbox", parts) == 3
        assert await dispatch("sandbox", parts) == 0
        await write(new(few))
        assert await dispatch("sandbox", parts) == 1

    with_database(database_url, verb)


def test_within_an_account_the_oldest_goes_first(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        write = Writer(db)
        ids = [(await write(new(me))).generation_id for _ in range(5)]
        await dispatch("sandbox", engine(db, providers={"sandbox": sandbox("sandbox", 3)}))
        rows = await db.fetch("SELECT id FROM generation WHERE state = 'submitting' ORDER BY id")
        assert [row["id"] for row in rows] == ids[:3]

    with_database(database_url, verb)


def test_another_provider_has_its_own_slots(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        write = Writer(db)
        await asyncio.gather(write(new(me)), write(new(me, provider="other")))
        assert await dispatch("sandbox", engine(db, providers={"sandbox": sandbox("sandbox", 1)})) == 1
        assert await dispatch("other", engine(db, providers={"other": sandbox("other", 1)})) == 1

    with_database(database_url, verb)
