"""The promises of the protocol, kept by each provider. `pytest -s` prints a line for each that was kept."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from obstore.store import LocalStore

from fakes.ark.run import FakeArk
from providers.ark import kit
from providers.conformance import PROMISES, Promise, Stand
from seedance_api.catalog.order import Order
from seedance_api.providers.provider import Commission
from seedance_api.providers.sandbox.sandbox import Sandbox


def commission(attempt_id: str, prompt: str, order: Order) -> Commission:
    return Commission(
        attempt_id=attempt_id,
        order=order,
        prompt=prompt,
        customer="c" * 64,
        deadline_at=datetime.now(UTC) + timedelta(hours=6),
        seconds_left=21_600.0,
        nonce=zlib.crc32(attempt_id.encode()) % 3600,  # as of attempts that are open at once, no two have the same
    )


@asynccontextmanager
async def on_sandbox(folder: Path, _: FakeArk) -> AsyncIterator[Stand]:
    sandbox = Sandbox(store=LocalStore(folder / "store", mkdir=True), scratch=folder / "scratch", renderers=2)
    order = kit.replaced(kit.order(generate_audio=False, return_last_frame=True), frames=25, seconds=25 / 24)

    def asked(prompt: str):
        return lambda attempt_id: commission(attempt_id, prompt, order)

    @asynccontextmanager
    async def unclear(attempt_id: str) -> AsyncIterator[Commission]:
        yield commission(attempt_id, "a lake [sandbox:unclear]", order)

    try:
        yield Stand(
            provider=sandbox,
            commission=asked("a lake"),
            waiting=asked("a lake [sandbox:stall]"),
            failing=asked("a lake [sandbox:fail]"),
            refused=[asked("a lake [sandbox:input_moderated]"), asked("a lake [sandbox:nonsense]")],
            unclear=unclear,
            unknown={"id": "att_unknown"},
            repeats=True,
            folder=folder,
        )
    finally:
        await sandbox.close()


@asynccontextmanager
async def on_ark(folder: Path, fake: FakeArk) -> AsyncIterator[Stand]:
    fake.reset()
    fake.clear_faults()
    order = kit.order(generate_audio=False, return_last_frame=True, duration=4)
    flex = kit.order(model="seedance-1.0-pro", service_tier="flex")  # waits for a quarter of an hour

    def asked(prompt: str, of: Order = order):
        return lambda attempt_id: commission(attempt_id, prompt, of)

    @asynccontextmanager
    async def unclear(attempt_id: str) -> AsyncIterator[Commission]:
        fake.faults({"on": "create", "do": {"reset": True, "made": True}, "times": 1})
        yield commission(attempt_id, "a lake", order)

    async with kit.provider(fake, settle_seconds=0.0) as ark:
        yield Stand(
            provider=ark,
            commission=asked("a lake"),
            waiting=asked("a lake", flex),
            failing=asked("a lake [ark:fail OutputVideoSensitiveContentDetected]"),
            refused=[
                asked("a lake [ark:InputTextSensitiveContentDetected]"),
                asked("a lake [ark:InvalidParameter.TaskTypeConstraint]"),
                asked("a lake [ark:SomethingNew]"),
            ],
            unclear=unclear,
            unknown={"id": "cgt-20260101000000-aaaaa", "tier": "default", "model": None, "at": None},
            repeats=False,
            folder=folder,
        )


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeArk]:
    with FakeArk(speed=50, seconds=(5, 10), enforce_budgets=False) as running:
        yield running


STANDS = {"sandbox": on_sandbox, "ark": on_ark}


@pytest.mark.parametrize("name", STANDS)
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_a_promise_is_kept(name: str, promise: Promise, fake: FakeArk, tmp_path: Path) -> None:
    async def keep() -> None:
        async with STANDS[name](tmp_path, fake) as stand:
            await promise(stand)

    asyncio.run(keep())
    print(f"{name:8} keeps: {promise.__doc__}")  # noqa: T201 – this is what it is for
