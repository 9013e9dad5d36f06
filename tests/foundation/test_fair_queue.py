"""Places at what all share: bounded, in turns among owners, and never leaked, however waiting ends."""

import asyncio
import random
from collections import Counter
from contextlib import suppress

import pytest

from seedance_api.foundation.errors import AppError
from seedance_api.foundation.fair_queue import FairQueue


async def settle() -> None:
    """Let everybody go on as far as they can."""
    for _ in range(20):
        await asyncio.sleep(0)


class Visit:
    """Somebody who wants a place, and keeps it until told."""

    def __init__(self, queue: FairQueue, owner: str) -> None:
        self.has_place = False
        self.over = asyncio.Event()
        self.task = asyncio.create_task(self._stay(queue, owner))

    async def _stay(self, queue: FairQueue, owner: str) -> None:
        async with queue.place(owner):
            self.has_place = True
            await self.over.wait()


def test_an_owner_has_a_share_and_the_rest_is_for_others() -> None:
    async def verb() -> None:
        queue = FairQueue(3, share=2)
        greedy = [Visit(queue, "a") for _ in range(10)]
        await settle()
        assert sum(one.has_place for one in greedy) == 2
        other = Visit(queue, "b")
        await settle()
        assert other.has_place
        for one in [*greedy, other]:
            one.over.set()
        await asyncio.gather(*(one.task for one in [*greedy, other]))

    asyncio.run(verb())


def test_owners_take_turns_however_many_each_has_waiting() -> None:
    async def verb() -> None:
        queue = FairQueue(1)
        order: list[str] = []

        async def visit(owner: str) -> None:
            async with queue.place(owner):
                order.append(owner)
                await asyncio.sleep(0)

        await asyncio.gather(*(visit("a") for _ in range(6)), *(visit("b") for _ in range(2)), visit("c"))
        assert "".join(order) == "aabcabaaa"

    asyncio.run(verb())


def test_what_waits_is_bounded_in_all_and_of_one_owner() -> None:
    async def verb() -> None:
        queue = FairQueue(1, max_waiting=3, max_waiting_of_one=2)
        visits = [Visit(queue, owner) for owner in ("a", "a", "a")]
        await settle()
        for owner in ("a", "b", "c"):
            if owner == "b":
                visits.append(Visit(queue, "b"))
                await settle()
                continue
            with pytest.raises(AppError) as refused:  # "a" has its two, and "c" finds three waiting
                async with queue.place(owner):
                    pass
            assert (refused.value.code, refused.value.status) == ("too_busy", 503)
            assert int(refused.value.headers["Retry-After"]) > 0
        for one in visits:
            one.over.set()
        await asyncio.gather(*(one.task for one in visits))
        assert queue.waiting == 0

    asyncio.run(verb())


def test_nobody_waits_for_ever() -> None:
    async def verb() -> None:
        queue = FairQueue(1, max_seconds=0.05)
        holder = Visit(queue, "a")
        await settle()
        with pytest.raises(AppError) as refused:
            async with queue.place("b"):
                pass
        assert refused.value.code == "too_busy"
        assert queue.waiting == 0
        holder.over.set()
        await holder.task

    asyncio.run(verb())


def test_no_place_is_lost_when_those_who_wait_leave_at_any_moment() -> None:
    async def verb() -> None:
        chance = random.Random(7)
        queue = FairQueue(3, share=2, max_seconds=0.003)
        inside: Counter[str] = Counter()

        async def visit(owner: str) -> None:
            async with queue.place(owner):
                inside[owner] += 1
                assert inside[owner] <= 2
                assert inside.total() <= 3
                try:
                    await asyncio.sleep(chance.random() / 1000)
                finally:
                    inside[owner] -= 1

        for _ in range(60):
            visits = [asyncio.create_task(visit(chance.choice("abc"))) for _ in range(20)]
            for _ in range(chance.randrange(5)):
                await asyncio.sleep(chance.random() / 1000)
                chance.choice(visits).cancel()
            for one in visits:
                with suppress(asyncio.CancelledError, AppError):
                    await one
        assert queue.waiting == 0
        last = [Visit(queue, owner) for owner in "aab"]  # all of them are free again
        await settle()
        assert all(one.has_place for one in last)
        for one in last:
            one.over.set()
        await asyncio.gather(*(one.task for one in last))

    asyncio.run(verb())
