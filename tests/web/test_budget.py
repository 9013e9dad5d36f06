"""What bodies hold is bounded, for all together and for each owner."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from seedance_api.foundation.errors import AppError
from seedance_api.web import budget as budgets
from seedance_api.web.budget import Budget

MIB = 1 << 20


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "_WAIT_SECONDS", 0.05)


def test_one_owner_has_half_and_the_others_find_room() -> None:
    async def run() -> None:
        budget = Budget(64 * MIB)
        async with AsyncExitStack() as stack:
            for _ in range(2):
                lease = await stack.enter_async_context(budget.lease("acc_1"))
                await lease.cover(16 * MIB)
            async with budget.lease("acc_1") as third:
                with pytest.raises(AppError) as refused:
                    await third.cover(MIB)
            assert (refused.value.status, refused.value.code) == (429, "too_many_uploads")
            assert "32 MiB" in refused.value.message
            assert int(refused.value.headers["Retry-After"]) > 0
            async with budget.lease("acc_2") as other:
                await other.cover(32 * MIB)
        assert (budget.free, dict(budget.of_owner)) == (64 * MIB, {})

    asyncio.run(run())


def test_the_free_part_of_many_small_bodies_counts_as_their_owners() -> None:
    """A thousand bodies of which each stays below what is free were a thousand MiB."""

    async def run() -> None:
        budget = Budget(64 * MIB)
        async with AsyncExitStack() as stack:
            leases = [await stack.enter_async_context(budget.lease("acc_1")) for _ in range(100)]
            found = await asyncio.gather(*(one.cover(MIB) for one in leases), return_exceptions=True)
            assert sum(one is None for one in found) == 32
            assert budget.free == 64 * MIB

    asyncio.run(run())


def test_when_all_is_taken_it_is_no_verdict_on_who_asks() -> None:
    async def run() -> None:
        budget = Budget(8 * MIB)
        async with AsyncExitStack() as stack:
            for name in ("acc_1", "acc_2"):
                lease = await stack.enter_async_context(budget.lease(name))
                await lease.cover(4 * MIB)
            for name in ("acc_3", "acc_4"):  # of which a part is in what is free
                lease = await stack.enter_async_context(budget.lease(name))
                await lease.cover(2 * MIB)
            async with budget.lease("acc_5") as late:
                await late.cover(MIB)
                with pytest.raises(AppError) as refused:
                    await late.cover(3 * MIB)
        assert (refused.value.status, refused.value.code) == (503, "too_busy")
        assert int(refused.value.headers["Retry-After"]) > 0

    asyncio.run(run())


def test_who_waits_has_the_room_that_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "_WAIT_SECONDS", 20)

    async def run() -> None:
        budget = Budget(8 * MIB)
        async with budget.lease("acc_1") as waiting:
            async with budget.lease("acc_1") as first:
                await first.cover(4 * MIB)
                turn = asyncio.create_task(waiting.cover(4 * MIB))
                await asyncio.sleep(0.01)
                assert not turn.done()
            await turn
            assert waiting.held == 3 * MIB

    asyncio.run(run())
