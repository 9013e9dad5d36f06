"""A Redis that is gone: nobody waits for it, what costs stops, and it is found again by itself."""

import asyncio
import time
from collections.abc import Awaitable, Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from seedance_api.foundation.errors import AppError
from seedance_api.traffic.gcra import Quota
from seedance_api.traffic.rate_limits import Limits, RateClass, RateLimits
from seedance_api.traffic.redis_store import PAUSE_SECONDS, SECONDS, RedisStore
from stage import free_port
from traffic.not_redis import Connected, depths, junk, listen, nothing, numbers, okay, says, slow
from traffic.redis_server import LONG, Server, redis_server, store, take

PASSING: tuple[RateClass, ...] = ("read", "write")
STOPPING: tuple[RateClass, ...] = ("create", "upload", "verify", "webhook_test")
SLACK = 2.0
"""Seconds that a busy machine may add to any bound."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of the test's own."""
    with redis_server() as one:
        yield one


def limits(one: RedisStore) -> RateLimits:
    classes: Any = dict.fromkeys((*PASSING, *STOPPING), Quota(5, LONG))
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
    for rate in PASSING:
        left = [(await rates.admit(rate, "acc", is_account=True)).remaining for _ in range(5)]
        assert left == [4, 3, 2, 1, 0]
        assert (await refusal(rates.admit(rate, "acc", is_account=True))).code == "rate_limited"
    for rate in STOPPING:
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


def test_a_frozen_redis_delays_one_request_and_is_found_again(server: Server) -> None:
    async def run() -> None:
        async with store(server.url) as one:
            rates = limits(one)
            assert (await rates.admit("create", "acc", is_account=True)).remaining == 4
            server.freeze()
            await are_bounded_and_costly_ones_stop(rates)
            server.thaw()
            await is_back(rates, 3)
            assert (await rates.admit("read", "acc", is_account=True)).remaining == 4, "it knows nothing of ours"

    with capture_logs() as said:
        asyncio.run(run())
    assert [(one["event"], one["log_level"]) for one in said] == [("redis.gone", "error"), ("redis.back", "info")]
    assert "there was no answer in time" in said[0]["reason"]


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


def test_a_process_that_is_busy_itself_does_not_take_redis_for_gone(server: Server) -> None:
    async def run() -> None:
        async with store(server.url) as one:
            await take(one, ("name", Quota(5, LONG)))
            told = asyncio.ensure_future(take(one, ("name", Quota(5, LONG))))
            for _ in range(3):  # until it is asked
                await asyncio.sleep(0)
            time.sleep(SECONDS + 0.1)  # noqa: ASYNC251 what a busy process does
            assert (await told)[0].remaining == 3

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


def test_a_redis_that_is_gone_is_asked_once_a_second() -> None:
    async def run() -> None:
        asked, now = 0, 100.0

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal asked
            asked += 1
            writer.close()

        listening = await asyncio.start_server(connected, "127.0.0.1", 0)
        one = RedisStore(f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}", clock=lambda: now)
        for second in range(3):
            for _ in range(50):
                with pytest.raises(ConnectionError):
                    await take(one, ("name", Quota(5)))
            assert asked == second + 1
            now += PAUSE_SECONDS
        await one.close()
        listening.close()

    asyncio.run(run())


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
        listening = await listen(connected)
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
        ("unix:///nonexistent/redis", "there is no such socket, or no such file of certificates"),
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
