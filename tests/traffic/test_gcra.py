"""Rate limits count exactly: a quota at once, then one an interval; all quotas of a request or none."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedance_api.traffic.gcra import Quota, Standing, stand
from seedance_api.traffic.limit_stores import MemoryStore


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def take(store: MemoryStore, *wanted: tuple[str, Quota]) -> list[Standing]:
    return asyncio.run(store.take(wanted))


def test_a_quota_is_admitted_at_once_and_then_one_an_interval() -> None:
    clock = Clock()
    store, quota = MemoryStore(clock=clock), Quota(60)
    assert [take(store, ("a", quota))[0].remaining for _ in range(60)] == list(range(59, -1, -1))
    refused = take(store, ("a", quota))[0]
    assert (refused.remaining, refused.retry_seconds) == (0, pytest.approx(1.0))
    assert refused.reset_seconds == pytest.approx(60.0)
    clock.now += refused.retry_seconds
    assert take(store, ("a", quota))[0].retry_seconds == 0
    assert take(store, ("a", quota))[0].retry_seconds == pytest.approx(1.0)
    assert take(store, ("b", quota))[0].remaining == 59


def test_what_one_quota_refuses_costs_none_of_the_others() -> None:
    store = MemoryStore(clock=Clock())
    small, large = ("key", Quota(2)), ("account", Quota(10))
    for _ in range(5):
        last = take(store, small, large)
    assert last[0].retry_seconds > 0
    assert take(store, large)[0].remaining == 7


def test_a_clock_that_was_set_back_freezes_no_quota() -> None:
    quota = Quota(60)
    full = stand(quota, 1000.0 + quota.seconds, 1000.0)
    assert (full.remaining, full.retry_seconds) == (0, pytest.approx(1.0))
    assert stand(quota, 1000.0 + quota.seconds, 1000.0 - 3600).remaining == 59


@given(st.integers(1, 500), st.floats(1, 3600), st.lists(st.floats(0, 100), max_size=200))
def test_no_window_admits_more_than_twice_and_whoever_waits_is_admitted(
    requests: int, seconds: float, pauses: Sequence[float]
) -> None:
    quota, tat, now = Quota(requests, seconds), None, 5.0
    admitted: list[float] = []
    for pause in pauses:
        now += pause
        standing = stand(quota, tat, now)
        if standing.retry_seconds:
            assert stand(quota, tat, now + standing.retry_seconds + 1e-6).retry_seconds == 0
            continue
        tat = standing.tat
        admitted.append(now)
        assert 0 <= standing.remaining < requests
    for first in admitted:  # a full quota at its beginning, and what comes back within it
        assert len([at for at in admitted if first <= at < first + seconds]) <= 2 * requests


def test_names_are_bounded_and_those_that_wait_are_kept_longest() -> None:
    clock = Clock()
    store = MemoryStore(max_names=100, clock=clock)
    for number in range(100):
        take(store, (f"old {number}", Quota(1, 1.0)))
    clock.now += 2
    for number in range(150):
        take(store, (f"new {number}", Quota(1, 1000.0)))
    assert len(store._tats) <= 101
    assert take(store, ("new 149", Quota(1, 1000.0)))[0].retry_seconds > 0
