"""The vendor's limits are kept: turns are far enough apart, however long a call takes."""

import asyncio
import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedance_api.providers.ark.pace import Lane, Pacer


@given(st.floats(0.01, 10), st.lists(st.floats(0, 5), max_size=30))
def test_turns_are_never_closer_than_the_gap(gap, waits):
    pacer, now, turns = Pacer(gap), 1000.0, []
    for wait in waits:
        now += wait
        turns.append(now + pacer.reserve(now))
    assert all(later - earlier >= gap * 0.999999 for earlier, later in itertools.pairwise(turns))


def test_a_turn_comes_at_once_when_nobody_was_there():
    pacer = Pacer(1.0)
    assert pacer.reserve(5.0) == 0.0
    assert pacer.reserve(5.25) == 0.75
    assert pacer.reserve(100.0) == 0.0


def test_a_postponed_turn_comes_later_and_never_earlier():
    pacer = Pacer(1.0)
    pacer.postpone(10.0)
    pacer.postpone(5.0)
    assert pacer.reserve(4.0) == 6.0


@pytest.mark.parametrize(("alone", "least"), [(False, 0.03), (True, 0.06)])
def test_calls_of_a_lane_keep_apart(alone, least):
    """With `alone` the time that a call takes comes on top."""

    async def run() -> list[float]:
        lane, begun = Lane(0.03, alone=alone), []

        async def call() -> None:
            async with lane.turn():
                begun.append(time.monotonic())
                await asyncio.sleep(0.03)

        await asyncio.gather(*(call() for _ in range(5)))
        return begun

    begun = asyncio.run(run())
    assert all(later - earlier >= least - 0.002 for earlier, later in itertools.pairwise(begun))


def test_a_canceled_call_gives_its_turn_back():
    async def run() -> None:
        lane = Lane(0.001, alone=True)

        async def hang() -> None:
            async with lane.turn():
                await asyncio.sleep(30)

        task = asyncio.create_task(hang())
        await asyncio.sleep(0.01)
        task.cancel()
        async with asyncio.timeout(5), lane.turn():
            pass

    asyncio.run(run())
