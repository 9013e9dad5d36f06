"""A slow upstream delays nobody else: whatever hangs there, another's work is done in about its usual time."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from delivery.kit import made_certificate
from generations.kit import engine, new, owner, with_database
from seedance_api import worker
from seedance_api.delivery.mark import Marking
from seedance_api.foundation import jobs
from seedance_api.foundation.db import Database
from seedance_api.generations.engine import Engine
from seedance_api.generations.provider_callback import receive_callback
from seedance_api.generations.sweep import sweep
from seedance_api.generations.write import Writer
from seedance_api.notifications.send import Notifier
from seedance_api.providers.provider import (
    Capabilities,
    Capacity,
    Check,
    Commission,
    Done,
    FetchOutcome,
    FindOutcome,
    Listing,
    Operation,
    Output,
    Pending,
    Search,
    Started,
    StartOutcome,
    Unclear,
    Unfetched,
)
from seedance_api.traffic.retain import RequestDays
from webhooks.kit import deliverer, outbound

DAYS = RequestDays(requests=180, addresses=30)

_numbers = itertools.count(1)
SOON = 4.0
"""Many times what it takes where nothing hangs."""


class Upstream:
    """A provider each call of which may hang; files cannot be had there, so that a video ends as soon as it is made."""

    def __init__(self, name: str, *, hangs: str = "", done: bool = True) -> None:
        self.name, self.hangs, self.done = name, hangs, done
        self.asked: dict[str, int] = {}
        self.released = asyncio.Event()
        self.capabilities = Capabilities(
            models={"seedance-2.0-mini": Capacity(concurrency=10_000)}, check_seconds=0.1, region="ap"
        )

    async def _called(self, call: str) -> None:
        self.asked[call] = self.asked.get(call, 0) + 1
        if call == self.hangs:
            await self.released.wait()

    async def start(self, commission: Commission) -> StartOutcome:
        await self._called("start")
        return Started({"id": f"{self.name} {commission.attempt_id}"})

    async def find(self, search: Search) -> FindOutcome:
        del search
        return Unclear("never")

    async def check_many(self, operations: Sequence[Operation]) -> list[Check]:
        await self._called("check")
        return [Done(Output()) if self.done else Pending()] * len(operations)

    async def cancel(self, operation: Operation) -> bool:
        del operation
        return False

    async def fetch(self, operation: Operation, variant: str, to: Path) -> FetchOutcome:
        del operation, variant, to
        await self._called("fetch")
        return Unfetched("there is none", gone=True)

    async def forget(self, operation: Operation) -> bool:
        del operation
        await self._called("forget")
        return True

    async def known_since(self, moment: datetime) -> Listing | None:
        del moment
        return None


@asynccontextmanager
async def working(db: Database, parts: Engine) -> AsyncIterator[None]:
    """Every lane of a worker, without its schedules."""
    connections = [await asyncpg.connect(db.url) for _ in worker._BATCHES]
    notifier = Notifier(db=db, outbound=outbound(), url=None, mailbox=None)
    async with deliverer(db) as told:
        queues = worker.build(
            connections,
            worker.Tasks(
                engine=parts,
                notifier=notifier,
                deliverer=told,
                event_days=30,
                request_days=DAYS,
                analytics_days=730,
                rate_tiers=(),
                spending_floor=50,
            ),
        )
        for queue in queues:
            queue.sm.registry.clear()
        running = [asyncio.create_task(queue.work()) for queue in queues]
        try:
            yield
        finally:
            for provider in parts.providers.values():
                assert isinstance(provider, Upstream)
                provider.released.set()
            for one in running:
                one.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            for connection in connections:
                connection.terminate()


async def until(met: Callable[[], Awaitable[bool]], seconds: float, what: str) -> float:
    """Wait for it; how long that was."""
    began = time.monotonic()
    while not await met():
        assert time.monotonic() - began < seconds, what
        await asyncio.sleep(0.02)
    return time.monotonic() - began


def two(db: Database, tmp_path: Path, hangs: str, **slow: Any) -> tuple[Upstream, Upstream, Engine]:
    """An upstream one call of which hangs, and another."""
    hung, good = Upstream("hung", hangs=hangs, **slow), Upstream("good")
    parts = engine(db, providers={"hung": hung, "good": good}, account_concurrency=10_000)
    parts.storage._scratch = tmp_path
    parts.storage._marking = Marking(operator="Acme Video", certificate=made_certificate(tmp_path / "marking"))
    return hung, good, msgspec.structs.replace(parts, lease_seconds=60)


async def order(db: Database, provider: str, count: int) -> list[str]:
    me = await owner(db, f"{next(_numbers)}@example.org")
    made = [new(me, key=f"{number}", provider=provider, livemode=True) for number in range(count)]
    write = Writer(db)
    await asyncio.gather(*(write(one) for one in made))
    return [one.id for one in made]


async def is_over(db: Database, generation_id: str) -> bool:
    return await db.fetchval("SELECT finished_at IS NOT NULL FROM generation WHERE id = $1", generation_id)


@pytest.mark.parametrize(
    ("call", "crowd", "state"), [("start", 300, "submitting"), ("fetch", 48, "storing"), ("check", 4, "running")]
)
def test_what_hangs_at_one_upstream_delays_no_other_upstream_s_videos(
    call: str, crowd: int, state: str, database_url: str, tmp_path: Path
) -> None:
    async def verb(db: Database) -> None:
        hung, _, parts = two(db, tmp_path, call)
        async with working(db, parts):
            await order(db, "hung", crowd)
            at = "SELECT count(*) = $1 FROM generation WHERE state = $2"
            await until(lambda: db.fetchval(at, crowd, state), 30, f"all are {state}")
            await until(lambda: _is(hung.asked.get(call, 0) > 0), 30, f"one hangs in {call}")
            await asyncio.sleep(0.3)  # as many as may hang do
            (mine,) = await order(db, "good", 1)
            await until(lambda: is_over(db, mine), SOON, f"not over although only the other upstream hangs in {call}")

    with_database(database_url, verb)


def test_deletions_that_hang_delay_no_video_neither_there_nor_elsewhere(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        hung, good, parts = two(db, tmp_path, "forget")
        gone = await order(db, "hung", 100)
        await db.execute(
            "UPDATE generation SET state = 'failed', finished_at = now(), deleted_at = now(), error_code = 'x',"
            " error_message = 'x'"
        )
        await db.execute(
            "INSERT INTO attempt (id, generation_id, provider, state, operation, sent_at, resolved_at)"
            " SELECT 'att_' || id, id, provider, 'failed', jsonb_build_object('id', id), now(), now() FROM generation"
        )
        await db.execute("DELETE FROM pgqueuer")
        async with db.transaction() as connection:
            await jobs.enqueue(connection, "tidy", gone)
        async with working(db, parts):
            await until(lambda: _is(hung.asked.get("forget", 0) > 3), 30, "some hang")
            await asyncio.sleep(0.3)
            for provider in ("hung", "good"):
                (mine,) = await order(db, provider, 1)
                await until(lambda mine=mine: is_over(db, mine), SOON, f"a video of {provider} waits")  # type: ignore[misc]
            assert good.asked["fetch"] == 1
            assert hung.asked["forget"] <= 8, "more than its share of them"
            waiting = "SELECT count(*) FROM pgqueuer WHERE entrypoint = 'forget:hung' AND status = 'queued'"
            assert await db.fetchval(waiting) >= 100 - 8 - 16, "they wait in the table, and not in memory"

    with_database(database_url, verb)


def test_an_upstream_that_does_not_answer_about_its_callbacks_leaves_others_theirs(
    database_url: str, tmp_path: Path
) -> None:
    async def verb(db: Database) -> None:
        hung, good, parts = two(db, tmp_path, "check")
        good.done = False
        async with working(db, parts):
            await order(db, "hung", 20)
            (mine,) = await order(db, "good", 1)
            running = "SELECT count(*) = 21 FROM generation WHERE state = 'running'"
            await until(lambda: db.fetchval(running), 30, "all run")
            ids = [one["id"] for one in await db.fetch("SELECT id FROM attempt WHERE provider = 'hung'")]
            for one in ids:
                await receive_callback(db, one, None)
            await until(lambda: _is(hung.asked.get("check", 0) >= 8), 20, "some are asked about")
            await asyncio.sleep(0.3)
            assert hung.asked["check"] <= 9, "a lap, and no more than eight singly"
            parts.laps.add("good")  # nobody but the callback's own question
            good.done, before = True, good.asked.get("check", 0)
            await receive_callback(db, await db.fetchval("SELECT id FROM attempt WHERE provider = 'good'"), None)
            await until(lambda: is_over(db, mine), SOON, "nobody asked")
            assert good.asked["check"] > before

    with_database(database_url, verb)


def test_work_of_an_upstream_that_was_taken_away_finds_somebody(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        _, _, parts = two(db, tmp_path, "")
        (mine,) = await order(db, "away", 1)
        assert await db.fetchval("SELECT entrypoint FROM pgqueuer") == "dispatch:away"
        await sweep(parts)
        assert await db.fetchval("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'dispatch'") == 0, "it may be served"
        await db.execute("UPDATE pgqueuer SET execute_after = now() - interval '2 minutes'")
        await sweep(parts)
        assert await db.fetchval("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'dispatch'") > 0
        assert mine

    with_database(database_url, verb)


async def _is(value: bool) -> bool:
    return value
