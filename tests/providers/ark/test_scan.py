"""A long list is read to its end, or says that it was cut: what was not read is never taken for what is not there."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fakes.ark.run import FakeArk
from providers.ark.kit import TLS, commission, model_of, provider, search
from seedance_api.foundation.call import Caller
from seedance_api.providers.ark import find as finding
from seedance_api.providers.ark.scan import Listed, Scans, scan
from seedance_api.providers.ark.wire import PAGE_SIZE, Wire
from seedance_api.providers.provider import FindOutcome, NotMade, Search, Started, Unclear

MINI = model_of("seedance-2.0-mini").clouds[1].ids[0]
OTHER = model_of("seedance-1.0-pro-fast").clouds[1].ids[0]


@pytest.fixture(scope="module")
def running() -> Iterator[FakeArk]:
    with FakeArk(speed=200, enforce_budgets=False, fetch=False, concurrency=0, rpm=0) as fake:
        yield fake


@pytest.fixture
def fake(running: FakeArk) -> FakeArk:
    running.reset()
    return running


@asynccontextmanager
async def wire(fake: FakeArk, **options: Any) -> AsyncIterator[Wire]:
    made = Wire(
        Caller(base_url=fake.url, bearer=fake.key, tls=TLS), list_a_second=100.0, gets_a_second=500.0, **options
    )  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.aclose()


async def look(fake: FakeArk, sought: Search, *, pages: int) -> FindOutcome:
    async with wire(fake) as line:
        return await finding.find(
            sought, vendor_id=MINI, vendor_ids=(MINI,), wire=line, scans=Scans(line, pages=pages), settle_seconds=1.0
        )


def test_an_attempt_is_found_among_more_than_4000_tasks_of_a_quarter_of_an_hour(fake: FakeArk) -> None:
    async def story() -> FindOutcome:
        async with provider(fake, callbacks=False) as ark:
            made = commission()
            started = await ark.start(made)
            assert isinstance(started, Started)
            await asyncio.to_thread(fake.make, 4_100, body={"model": OTHER})
            found = await ark.find(search(made))
            assert found == started or (isinstance(found, Started) and found.operation["id"] == started.operation["id"])
            return await ark.find(search(commission("att_never", customer="d" * 64)))

    assert asyncio.run(story()) == NotMade(certain=False)


def test_more_than_10000_tasks_of_three_days_are_all_known(fake: FakeArk) -> None:
    fake.make(10_100, body={"model": MINI}, age=3600)

    async def story() -> int:
        async with provider(fake) as ark:
            asked = datetime.now(UTC) - timedelta(hours=72)
            listing = await ark.known_since(asked)
            assert listing is not None
            assert listing.since == asked
            return len(listing.tasks)

    assert asyncio.run(story()) == 10_100


def test_a_list_that_is_cut_says_from_when_on_it_is_whole(fake: FakeArk) -> None:
    fake.make(PAGE_SIZE, body={"model": MINI}, age=600)
    fake.make(PAGE_SIZE, body={"model": MINI}, age=60)

    async def story() -> None:
        async with wire(fake) as line:
            cut = await scan(line, tier="default", model=None, since=time.time() - 900, pages=1)
            assert isinstance(cut, Listed)
            assert cut.since is not None
            assert 30 < time.time() - cut.since < 90
            assert len(cut.tasks) == PAGE_SIZE
            whole = await scan(line, tier="default", model=None, since=time.time() - 300, pages=2)
            assert isinstance(whole, Listed)
            assert (whole.since, len(whole.tasks)) == (None, PAGE_SIZE)

    asyncio.run(story())


def test_what_is_behind_the_cut_is_unknown_and_never_not_made(fake: FakeArk) -> None:
    fake.make(PAGE_SIZE + 1, body={"model": MINI}, age=150)
    sought = search(commission("att_behind"), seconds_since=200.0)
    cut = asyncio.run(look(fake, sought, pages=1))
    assert cut == Unclear("the provider's list is longer than can be read")
    assert asyncio.run(look(fake, sought, pages=2)) == NotMade(certain=False)


def test_a_list_that_is_too_long_is_narrowed_to_the_model(fake: FakeArk) -> None:
    fake.make(PAGE_SIZE + 1, body={"model": OTHER}, age=150)
    sought = search(commission("att_behind"), seconds_since=200.0)
    assert asyncio.run(look(fake, sought, pages=1)) == NotMade(certain=False)


def test_a_list_that_becomes_shorter_while_it_is_read_loses_nothing(fake: FakeArk) -> None:
    kept = set(fake.make(PAGE_SIZE, body={"model": MINI}, status="succeeded"))
    gone = fake.make(PAGE_SIZE, body={"model": MINI}, status="succeeded")  # in front of the others
    calls = 0

    async def story() -> None:
        @asynccontextmanager
        async def slot() -> AsyncIterator[None]:
            nonlocal calls
            calls += 1
            if calls == 2:  # the first page is read: those of the second move to where the first was
                for one in gone[:40]:
                    assert await line.delete(one) == 200
            yield

        async with wire(fake, slot=slot) as line:
            listed = await scan(line, tier="default", model=None, since=time.time() - 900)
            assert isinstance(listed, Listed)
            assert kept <= {task.id for task in listed.tasks}

    asyncio.run(story())
