"""A job that must be done is done again after it failed; others are over."""

import asyncio

import asyncpg
import pytest

from generations.kit import with_database
from seedance_api import worker
from seedance_api.foundation import jobs
from seedance_api.foundation.db import Database
from seedance_api.foundation.queue import Queue


def test_a_job_that_fails_is_done_again_where_it_must_be(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def verb(db: Database) -> None:
        connection = await asyncpg.connect(database_url)
        queue = Queue(connection)
        tried: dict[str, int] = {"must": 0, "may": 0}

        async def fail_once(name: str) -> None:
            tried[name] += 1
            if tried[name] == 1:
                raise OSError("a store that is away")

        worker._job(queue, "must", fail_once, most=8, again_seconds=0.05)
        worker._job(queue, "may", fail_once, most=8)
        async with db.transaction() as writing:
            await jobs.enqueue(writing, "must", ["must"])
            await jobs.enqueue(writing, "may", ["may"])
        running = asyncio.create_task(worker._run(worker.Lane(queue, 8, 16)))
        async with asyncio.timeout(30):
            while tried["must"] < 2 or await db.fetchval("SELECT count(*) FROM pgqueuer"):
                await asyncio.sleep(0.05)
        queue.shutdown.set()
        await running
        connection.terminate()
        assert tried == {"must": 2, "may": 1}
        texts = await db.fetch("SELECT traceback::text AS text FROM pgqueuer_log WHERE traceback IS NOT NULL")
        assert not [row for row in texts if "a store that is away" in row["text"]]

    with_database(database_url, verb)
