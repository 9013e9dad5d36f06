"""Counts in Redis: by the same rule as in memory, exact over processes, and nobody waits for a Redis that is gone."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from multiprocessing import get_context
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from seedance_api.foundation.errors import AppError
from seedance_api.traffic.gcra import Quota, Standing, stand
from seedance_api.traffic.rate_limits import Limits, RateLimits
from seedance_api.traffic.redis_store import PREFIX, SCRIPT, SECONDS, RedisStore
from stage import free_port
from traffic.redis_server import Server, redis_server

LONG = 86_400.0
"""Seconds of a quota of which nothing comes back while a test runs."""
SLACK = 2.0
"""Seconds that a busy machine may add to any bound."""
Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="module")
def lasting() -> Iterator[Server]:
    """A server that no test disturbs."""
    with redis_server() as server:
        yield server


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of the test's own."""
    with redis_server() as one:
        yield one


@asynccontextmanager
async def store(url: str) -> Any:
    one = RedisStore(url)
    try:
        yield one
    finally:
        await one.close()


async def take(one: RedisStore, *wanted: tuple[str, Quota]) -> list[Standing]:
    return await one.take(wanted)


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
        assert [key for key in await client.keys("*") if not key.startswith(PREFIX)] == []
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


def limits(one: RedisStore) -> RateLimits:
    classes: Any = dict.fromkeys(("read", "write", "create", "upload", "verify", "webhook_test"), Quota(5, LONG))
    return RateLimits(one, Limits(classes=classes, address=Quota(100, LONG)))


async def refusal(ask: Awaitable[object]) -> AppError:
    with pytest.raises(AppError) as refused:
        await ask
    return refused.value


async def are_bounded_and_costly_ones_stop(rates: RateLimits) -> None:
    """Reads and writes pass at once, up to their limits; what costs is refused at once."""
    began = time.monotonic()
    await rates.admit_address("192.0.2.7")  # the one that waits to find out
    assert time.monotonic() - began < SECONDS + SLACK
    began = time.monotonic()
    for rate in ("read", "write"):
        left = [(await rates.admit(rate, "acc", is_account=True)).remaining for _ in range(5)]
        assert left == [4, 3, 2, 1, 0]
        assert (await refusal(rates.admit(rate, "acc", is_account=True))).code == "rate_limited"
    for rate in ("create", "upload", "verify", "webhook_test"):
        refused = await refusal(rates.admit(rate, "acc", is_account=True))
        assert (refused.status, refused.code) == (503, "limits_unavailable")
        assert int(refused.headers["Retry-After"]) >= 1
    assert time.monotonic() - began < SECONDS + SLACK


async def is_back(rates: RateLimits, remaining: int) -> None:
    """Creates pass again within seconds, and nobody had to do anything."""
    deadline = time.monotonic() + 20
    while True:
        try:
            assert (await rates.admit("create", "acc", is_account=True)).remaining == remaining
            return
        except AppError as error:
            if error.code != "limits_unavailable" or time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


def test_a_frozen_redis_delays_one_request_and_is_found_again(
    server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        async with store(server.url) as one:
            rates = limits(one)
            assert (await rates.admit("create", "acc", is_account=True)).remaining == 4
            server.freeze()
            await are_bounded_and_costly_ones_stop(rates)
            server.thaw()
            await is_back(rates, 3)
            assert (await rates.admit("read", "acc", is_account=True)).remaining == 4, "it knows nothing of ours"

    asyncio.run(run())
    said = capfd.readouterr().out
    assert (said.count("redis.gone"), said.count("redis.back")) == (1, 1)
    assert "there was no answer in time" in said


def test_many_at_once_wait_for_a_frozen_redis_only_once(server: Server) -> None:
    async def run() -> None:
        async with store(server.url) as one:
            rates = limits(one)
            await rates.admit_address("192.0.2.7")
            server.freeze()
            began = time.monotonic()
            await asyncio.gather(*(rates.admit_address(f"192.0.2.{number}") for number in range(300)))
            assert time.monotonic() - began < SECONDS + SLACK

    asyncio.run(run())


def test_a_killed_redis_is_found_again_once_it_is_started(server: Server) -> None:
    async def run() -> None:
        async with store(server.url) as one:
            rates = limits(one)
            assert (await rates.admit("create", "acc", is_account=True)).remaining == 4
            server.kill()
            await are_bounded_and_costly_ones_stop(rates)
            server.start()
            await is_back(rates, 4)

    asyncio.run(run())


def test_a_restart_between_two_requests_is_noticed_by_nobody(server: Server) -> None:
    async def run() -> None:
        async with store(server.url) as one:
            await take(one, ("name", Quota(5, LONG)))
            server.kill()
            server.start()
            await asyncio.sleep(0)
            assert (await take(one, ("name", Quota(5, LONG))))[0].remaining == 4

    asyncio.run(run())


async def junk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(4096):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n\x00\xff*-7\r\n$x\r\n")


async def numbers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(4096):
        writer.write(b":1\r\n")


async def okay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(4096):
        writer.write(b"+OK\r\n" * 8)


async def depths(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(4096):
        writer.write(b"*1\r\n" * 5000)


async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(4096)


async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(4096):
        for byte in b"$1000000\r\n" + b"x" * 1000:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)


def says(answer: str) -> Connected:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            writer.write(f"-{answer}\r\n".encode() * 4)

    return connected


@pytest.mark.parametrize(
    ("connected", "reason"),
    [
        (junk, "what answers there is no Redis"),
        (numbers, "what answers there is no Redis"),
        (okay, "what answers there is no Redis"),
        (depths, None),
        (nothing, "the connection was closed"),
        (slow, "there was no answer in time"),
        (says("LOADING Redis is loading the dataset in memory"), "it is starting up, and reads its data"),
        (says("READONLY You can't write against a read only replica."), "it is a replica, which takes no writes"),
        (says("OOM command not allowed when used memory > 'maxmemory'."), "its memory is full"),
        (says("NOPERM this user has no permissions"), "its user may not run scripts, or not use these keys"),
        (says("MISCONF Redis is configured to save RDB snapshots"), "it cannot save to its disk, and takes no writes"),
        (says("MOVED 3999 127.0.0.1:6381"), "it is a Redis Cluster, and must be one server"),
        (says("NOSCRIPT No matching script."), "NoScriptError"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_whatever_answers_instead_of_redis_is_a_redis_that_is_gone(connected: Connected, reason: str | None) -> None:
    async def run() -> None:
        async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await connected(reader, writer)
            except (ConnectionError, asyncio.CancelledError):
                pass
            finally:
                writer.close()

        listening = await asyncio.start_server(connect, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        async with store(f"redis://127.0.0.1:{port}") as one:
            await are_bounded_and_costly_ones_stop(limits(one))
        async with store(f"redis://127.0.0.1:{port}") as one:
            with pytest.raises(ConnectionError) as gone:
                await take(one, ("name", Quota(5)))
            assert reason is None or str(gone.value) == reason
        listening.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://127.0.0.1:{port}", "the connection is refused: nothing listens there"),
        ("unix:///nonexistent/redis", "there is no such socket"),
        ("redis://no-such-host.invalid", "the name of its host is not found"),
        ("rediss://127.0.0.1:{port}", "the connection is refused: nothing listens there"),
    ],
)
def test_an_address_where_no_redis_is_is_told_of_without_it(url: str, reason: str) -> None:
    async def run() -> None:
        async with store(url.format(port=free_port("127.0.0.1"))) as one:
            with pytest.raises(ConnectionError) as gone:
                await take(one, ("name", Quota(5)))
            assert str(gone.value) in (reason, "there was no answer in time")

    asyncio.run(run())


def test_a_wrong_password_is_told_of_without_it() -> None:
    async def run(url: str, *, right: str) -> None:
        for wrong in (":hunter2@", ""):
            async with store(url.replace("unix://", f"unix://{wrong}")) as one:
                with pytest.raises(ConnectionError) as gone:
                    await take(one, ("name", Quota(5)))
                assert str(gone.value) == "the password is wrong or missing, or there is no such user"
        async with store(url.replace("unix://", f"unix://:{right}@")) as one:
            assert (await take(one, ("name", Quota(5, LONG))))[0].remaining == 4

    with redis_server("--requirepass", "hunter3") as one:
        asyncio.run(run(one.url, right="hunter3"))
