"""A job that must be done is done again after it failed; others are over."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from generations.kit import with_database
from seedance_api.foundation import jobs
from seedance_api.foundation.db import Database
from seedance_api.foundation.instruments import Counter, Gauge, Histogram
from seedance_api.foundation.queue import JobInstruments, Queue


def test_a_job_that_fails_is_done_again_where_it_must_be(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def verb(db: Database) -> None:
        connection = await asyncpg.connect(database_url)
        observed = JobInstruments(
            Counter("done", "D.", ("job_kind", "outcome")),
            Histogram("seconds", "S.", ("job_kind",), bounds=(60.0,)),
            Gauge("running", "R.", ("job_kind",)),
        )
        queue = Queue(connection, 8, observed)
        tried: dict[str, int] = {"must": 0, "may": 0}

        async def fail_once(name: str) -> None:
            tried[name] += 1
            if tried[name] == 1:
                raise OSError("a store that is away")

        queue.serve("must", fail_once, concurrency=8, again_seconds=0.05)
        queue.serve("may", fail_once, concurrency=8)
        async with db.transaction() as writing:
            await jobs.enqueue(writing, "must", ["must"])
            await jobs.enqueue(writing, "may", ["may"])
        running = asyncio.create_task(queue.work())
        async with asyncio.timeout(30):
            while tried["must"] < 2 or await db.fetchval("SELECT count(*) FROM pgqueuer"):
                await asyncio.sleep(0.05)
        queue.shutdown.set()
        await running
        connection.terminate()
        assert tried == {"must": 2, "may": 1}
        assert observed.done.series == {("must", "failed"): 1, ("must", "succeeded"): 1, ("may", "failed"): 1}
        assert observed.seconds.series["must",][0] == 2
        assert observed.running.series == {("must",): 0, ("may",): 0}
        texts = await db.fetch("SELECT traceback::text AS text FROM pgqueuer_log WHERE traceback IS NOT NULL")
        assert not [row for row in texts if "a store that is away" in row["text"]]

    with_database(database_url, verb)


def test_schedules_of_a_worker_that_is_gone_run_again_soon(database_url: str) -> None:
    assert jobs._SILENT_SECONDS <= 6, "the engine itself would wait for 30 s"

    async def verb(db: Database) -> None:
        now, hour, every = "now()", "now() + interval '1 hour'", "* * * * * */5"
        for name, status, next_run, heartbeat in (
            ("gone", "picked", now, "now() - interval '7 s'"),
            ("alive", "picked", now, "now() - interval '1 s'"),
            ("set back", "queued", hour, now),  # the database's clock was
            ("set back, gone", "picked", hour, hour),
            ("due soon", "queued", "now() + interval '5 s'", now),
        ):
            sql: Any = f"""
                INSERT INTO pgqueuer_schedules (entrypoint, expression, status, next_run, heartbeat)
                VALUES ($1, $2, $3::pgqueuer_status, {next_run}, {heartbeat})
                """
            await db.execute(sql, name, every, status)
        names = ("gone", "alive", "set back", "set back, gone", "due soon")
        wanted = {(one, every): timedelta(0) for one in names}
        await jobs.release_schedules(db, wanted)
        found = await db.fetch(
            "SELECT entrypoint FROM pgqueuer_schedules WHERE status = 'queued' AND next_run <= now() ORDER BY 1"
        )
        assert [row["entrypoint"] for row in found] == ["gone", "set back", "set back, gone"]

    with_database(database_url, verb)
