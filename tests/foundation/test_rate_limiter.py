"""Calls that keep apart, and the name of whoever calls from an address."""

import asyncio
import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedance_api.foundation.rate_limiter import Pacer, neighbourhood


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"), ("fe80::1%eth0", "fe80::/64"), (None, "unknown"), ("x", "unknown"),
    ],
)  # fmt: skip
def test_who_calls_is_known_by_his_network(address: str | None, name: str) -> None:
    assert neighbourhood(address) == name


class Sleeper:
    """A clock that a sleep moves on at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(asyncio, "sleep", self.sleep)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def begin(pacer: Pacer, clock: Sleeper) -> float:
    async with pacer.slot():
        return clock.now


@settings(max_examples=50)
@given(gap=st.floats(0.01, 10), waits=st.lists(st.floats(0, 5), max_size=30))
def test_slots_are_never_closer_than_the_gap(gap: float, waits: list[float]) -> None:
    async def run(clock: Sleeper) -> list[float]:
        pacer, begun = Pacer(gap, clock=clock), list[float]()
        for wait in waits:
            clock.now += wait
            begun.append(await begin(pacer, clock))
        return begun

    with pytest.MonkeyPatch.context() as patch:
        begun = asyncio.run(run(Sleeper(patch)))
    assert all(later - earlier >= gap * 0.999999 for earlier, later in itertools.pairwise(begun))


def test_a_slot_comes_at_once_when_nobody_was_there_and_a_postponed_one_never_earlier(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run(clock: Sleeper) -> None:
        pacer = Pacer(1.0, clock=clock)
        assert await begin(pacer, clock) == 1000.0
        clock.now = 1000.25
        assert await begin(pacer, clock) == 1001.0
        clock.now = 1100.0
        assert await begin(pacer, clock) == 1100.0
        pacer.postpone(10.0)
        pacer.postpone(5.0)
        assert await begin(pacer, clock) == 1110.0

    asyncio.run(run(Sleeper(monkeypatch)))


@pytest.mark.parametrize(("alone", "min_gap"), [(False, 0.03), (True, 0.06)])
def test_calls_of_a_pacer_keep_apart(alone: bool, min_gap: float) -> None:
    """With `alone` the time that a call takes comes on top."""

    async def run() -> list[float]:
        pacer, begun = Pacer(0.03, alone=alone), list[float]()

        async def call() -> None:
            async with pacer.slot():
                begun.append(time.monotonic())
                await asyncio.sleep(0.03)

        await asyncio.gather(*(call() for _ in range(5)))
        return begun

    begun = asyncio.run(run())
    assert all(later - earlier >= min_gap - 0.002 for earlier, later in itertools.pairwise(begun))


def test_a_canceled_call_gives_its_slot_back() -> None:
    async def run() -> None:
        pacer = Pacer(0.001, alone=True)

        async def hang() -> None:
            async with pacer.slot():
                await asyncio.sleep(30)

        task = asyncio.create_task(hang())
        await asyncio.sleep(0.01)
        task.cancel()
        async with asyncio.timeout(5), pacer.slot():
            pass

    asyncio.run(run())
