"""Counts in Redis: by the same rule as in memory, and exact over processes."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from seedance_api.traffic.gcra import Quota, stand
from seedance_api.traffic.redis_store import PREFIX, SCRIPT
from traffic.redis_server import LONG, Server, redis_server, store, take


@pytest.fixture(scope="module")
def lasting() -> Iterator[Server]:
    """A server that no test disturbs."""
    with redis_server() as server:
        yield server


def names(count: int, label: str) -> list[str]:
    return [f"{label} {number} {time.monotonic_ns()}" for number in range(count)]


def test_what_one_quota_refuses_costs_none_of_the_others(lasting: Server) -> None:
    async def run() -> None:
        first, second = names(2, "all or none")
        small, large = (first, Quota(2, LONG)), (second, Quota(10, LONG))
        async with store(lasting.url) as one:
            told = [await take(one, small, large) for _ in range(5)]
            assert [standings[0].retry_seconds > 0 for standings in told] == [False, False, True, True, True]
            assert [standings[0].remaining for standings in told] == [1, 0, 0, 0, 0]
            assert (await take(one, large))[0].remaining == 7
            at_once = await asyncio.gather(*(take(one, large) for _ in range(20)))
            assert sum(not standing.retry_seconds for (standing,) in at_once) == 7

    asyncio.run(run())


QUOTAS = st.builds(Quota, st.integers(1, 100_000), st.sampled_from([0.001, 0.5, 1.0, 7.0, 60.0, 3600.0]))
KEPT = st.one_of(st.none(), st.floats(-100, 5000))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(st.tuples(QUOTAS, KEPT), min_size=1, max_size=3), min_size=1, max_size=3))
def test_the_script_decides_as_the_rule_does(
    lasting: Server, requests: Sequence[Sequence[tuple[Quota, float | None]]]
) -> None:
    """Whatever is kept there, also by a clock that was set back."""

    async def run() -> None:
        client = Redis.from_url(lasting.url, decode_responses=True)
        await client.flushall()
        second = int((await client.time())[0])
        wanted = [[(f"{i} {j}", quota) for j, (quota, _) in enumerate(one)] for i, one in enumerate(requests)]
        keys = [f"{PREFIX}{name}" for one in wanted for name, _ in one]
        kept = [tat for one in requests for _, tat in one]
        for key, tat in zip(keys, kept, strict=True):
            if tat is not None:
                await client.set(key, f"{second} {tat!r}")
        arguments = [
            str(x) for one in requests for x in (len(one), *(y for q, _ in one for y in (q.requests, q.seconds)))
        ]
        answer = await client.eval(SCRIPT, len(keys), *keys, *arguments)
        nows, tats = [float(one) for one in answer[::2]], [float(one) if one else None for one in answer[1::2]]
        assert tats == kept
        place = 0
        for one in wanted:
            part = slice(place, place := place + len(one))
            told = [
                stand(quota, *of) for (_, quota), of in zip(one, zip(tats[part], nows[part], strict=True), strict=True)
            ]
            fits = not any(standing.retry_seconds for standing in told)
            for key, standing, tat, now in zip(keys[part], told, kept[part], nows[part], strict=True):
                found, left = await client.get(key), await client.pttl(key)
                if not fits:
                    assert found == (None if tat is None else f"{second} {tat!r}")
                elif found is not None:  # it may have expired by now
                    assert float(found.split()[1]) == standing.tat
                    assert left <= standing.quota.seconds * 1000
                    assert left <= (standing.tat - now) * 1000 + 1
        await client.aclose()

    asyncio.run(run())


def test_a_large_quota_is_counted_to_the_last_request(lasting: Server) -> None:
    """The intervals of 60 s / 12,000 add up without an error, and so do those that no double holds."""

    async def run() -> None:
        for requests in (997, 1000):
            async with store(lasting.url) as one:
                (name,) = names(1, "large")
                told = await asyncio.gather(*(take(one, (name, Quota(requests, LONG))) for _ in range(requests + 50)))
                assert sum(not standing.retry_seconds for (standing,) in told) == requests

    asyncio.run(run())


def _ask(url: str, name: str, requests: int, limit: int) -> int:
    async def run() -> int:
        async with store(url) as one:
            told = await asyncio.gather(*(take(one, (name, Quota(limit, LONG))) for _ in range(requests)))
            return sum(not standing.retry_seconds for (standing,) in told)

    return asyncio.run(run())


def test_four_processes_admit_together_exactly_the_limit(lasting: Server) -> None:
    (name,) = names(1, "four")
    with ProcessPoolExecutor(4, get_context("fork")) as pool:
        admitted = [pool.submit(_ask, lasting.url, name, 50, 73) for _ in range(4)]
        assert sum(one.result(60) for one in admitted) == 73


def test_a_key_is_kept_no_longer_than_its_quota_and_has_its_own_prefix(lasting: Server) -> None:
    async def run() -> None:
        client = Redis.from_url(lasting.url, decode_responses=True)
        async with store(lasting.url) as one:
            for _ in range(4):
                await take(one, ("address 192.0.2.1", Quota(3, 60.0)))
        assert 0 < await client.pttl("seedance:limit:address 192.0.2.1") <= 60_000
        assert [key for key in await client.keys("*") if not str(key).startswith(PREFIX)] == []
        await client.aclose()

    asyncio.run(run())


def test_scripts_that_redis_has_forgotten_are_sent_again(lasting: Server) -> None:
    async def run() -> None:
        client = Redis.from_url(lasting.url)
        (name,) = names(1, "flushed")
        async with store(lasting.url) as one:
            await take(one, (name, Quota(5, LONG)))
            await client.script_flush()
            assert (await take(one, (name, Quota(5, LONG))))[0].remaining == 3
        await client.aclose()

    asyncio.run(run())
