"""What is observed of limits, of Redis and of the request log."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from seedance_api.foundation.errors import AppError
from seedance_api.foundation.ids import new_id
from seedance_api.traffic.gcra import Quota, Standing
from seedance_api.traffic.limit_stores import MemoryStore
from seedance_api.traffic.metrics import LIMITS_UNAVAILABLE, RATE_LIMIT_REFUSALS, REDIS_UP, REQUEST_LOG_DROPPED
from seedance_api.traffic.rate_limits import Limits, RateLimits
from seedance_api.traffic.redis_store import RedisStore
from seedance_api.traffic.request_log import RequestLog
from seedance_api.traffic.rows import Request

ONE = Limits(classes={"read": Quota(1), "create": Quota(1)}, address=Quota(1))


class _Gone:
    async def take(self, wanted: Sequence[tuple[str, Quota]]) -> list[Standing]:
        raise ConnectionError(wanted)

    async def close(self) -> None:
        pass


async def _refused(limits: RateLimits, rate: Any) -> str:
    with pytest.raises(AppError) as refusal:
        await (limits.admit_address("192.0.2.1") if rate == "address" else limits.admit(rate, "acc", is_account=True))
    return refusal.value.code


@pytest.mark.parametrize("rate", ["read", "create", "address"])
def test_what_a_limit_refuses_is_counted_by_the_limit(rate: Any) -> None:
    before = RATE_LIMIT_REFUSALS.series.get((rate,), 0.0)

    async def run() -> None:
        limits = RateLimits(MemoryStore(), ONE)
        await (limits.admit_address("192.0.2.1") if rate == "address" else limits.admit(rate, "acc", is_account=True))
        assert await _refused(limits, rate) == "rate_limited"

    asyncio.run(run())
    assert RATE_LIMIT_REFUSALS.series[rate,] == before + 1


def test_what_is_refused_because_nobody_counts_is_counted() -> None:
    before = LIMITS_UNAVAILABLE.series[()]
    assert asyncio.run(_refused(RateLimits(_Gone(), ONE), "create")) == "limits_unavailable"
    assert LIMITS_UNAVAILABLE.series[()] == before + 1


def test_a_redis_that_is_gone_is_told_of() -> None:
    async def run() -> None:
        store = RedisStore("redis://127.0.0.1:1/0")
        with pytest.raises(ConnectionError):
            await store.take([("x", Quota(1))])
        await store.close()

    asyncio.run(run())
    assert REDIS_UP.series == {(): 0.0}


def test_requests_that_find_no_room_in_the_log_are_counted() -> None:
    before = REQUEST_LOG_DROPPED.series[()]
    database: Any = None
    log = RequestLog(database, max_waiting=2)
    for _ in range(5):
        log(Request(new_id("req"), 0.0, "GET /v1/models", None, None, None, 200, 1, 1))
    assert log.waiting == 2
    asyncio.run(log.stop())
    assert REQUEST_LOG_DROPPED.series[()] == before + 5, "three found no room, and two were never written"
