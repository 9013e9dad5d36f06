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


def test_what_the_queue_notes_about_its_jobs_is_pruned_some_rows_at_a_time(database_url: str) -> None:
    async def verb(db: Database) -> None:
        ages = "unnest(ARRAY[interval '6 days', interval '8 days', interval '9 days', interval '10 days']) AS age"
        await db.execute(  # what was never aggregated grows as well
            "INSERT INTO pgqueuer_log (created, job_id, status, priority, entrypoint, aggregated)"
            f" SELECT now() - age, 1, 'successful', 0, 'advance', age > interval '9 days' FROM {ages}"
        )
        await db.execute(
            "INSERT INTO pgqueuer_statistics (created, count, priority, status, entrypoint)"
            f" SELECT now() - age, 1, 0, 'successful', 'advance' FROM {ages}"
        )
        await jobs.prune(db, rows=2)
        assert await db.fetchval("SELECT count(*) FROM pgqueuer_log") == 1
        assert await db.fetchval("SELECT count(*) FROM pgqueuer_statistics") == 1

    with_database(database_url, verb)


def test_every_table_of_the_queue_that_grows_is_pruned(database_url: str) -> None:
    async def verb(db: Database) -> None:
        found = await db.fetch("SELECT tablename FROM pg_tables WHERE tablename LIKE 'pgqueuer%' ORDER BY 1")
        # jobs leave the queue when they are over, and there is a row for each schedule that was ever named
        assert [row["tablename"] for row in found] == [
            "pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics",
        ]  # fmt: skip

    with_database(database_url, verb)
