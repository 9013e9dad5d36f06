import asyncio

from generations.kit import with_database
from seedance_api.foundation import jobs
from seedance_api.foundation.db import Database


def test_a_job_is_there_exactly_when_its_transaction_commits(database_url: str) -> None:
    async def verb(db: Database) -> None:
        async with db.transaction() as connection:
            await jobs.enqueue(connection, "advance", ["one"])
        try:
            async with db.transaction() as connection:
                await jobs.enqueue(connection, "advance", ["two"])
                raise RuntimeError
        except RuntimeError:
            pass
        rows = await db.fetch("SELECT payload FROM pgqueuer")
        assert [bytes(row["payload"]) for row in rows] == [b"one"]

    with_database(database_url, verb)


def test_a_key_that_is_taken_makes_it_a_no_op(database_url: str) -> None:
    async def enqueue(db: Database) -> None:
        async with db.transaction() as connection:
            await jobs.enqueue(connection, "advance", ["one", "two"], keys=["a", "b"])

    async def verb(db: Database) -> None:
        await asyncio.gather(*(enqueue(db) for _ in range(5)))
        assert await db.fetchval("SELECT count(*) FROM pgqueuer") == 2

    with_database(database_url, verb)


def test_the_log_of_jobs_is_pruned(database_url: str) -> None:
    async def verb(db: Database) -> None:
        await db.execute(
            """
            INSERT INTO pgqueuer_log (created, job_id, status, priority, entrypoint, aggregated)
            SELECT now() - age, 1, 'successful', 0, 'advance', true
            FROM unnest(ARRAY[interval '6 days', interval '8 days']) AS age
            """
        )
        await jobs.prune(db)
        assert await db.fetchval("SELECT count(*) FROM pgqueuer_log") == 1

    with_database(database_url, verb)
