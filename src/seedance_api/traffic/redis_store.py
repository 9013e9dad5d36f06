"""Counts of rate limits in Redis: exact over all processes and machines, by one script that Redis runs at a stroke.

The script decides as `gcra.stand` does, and returns what `stand` tells the standing from: the rule has one text in each
language, and a test holds them together. Every wait is bounded. Of a Redis that is gone nobody waits but one caller a
second, who finds out whether it is back.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import chain
from typing import Protocol, cast

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from seedance_api.foundation.batch import Batch
from seedance_api.traffic.gcra import Quota, Standing, stand
from seedance_api.traffic.metrics import REDIS_UP
from seedance_api.traffic.redis_trouble import reason_of

PREFIX = "seedance:limit:"
SECONDS = 0.5
"""For connecting, asking and the answer together."""
_LATE_SECONDS = 0.1
"""A process that was busy itself for all of them looks once more for what has come meanwhile."""
PAUSE_SECONDS = 1.0
"""Between two questions whether it is back."""
_CALLS = 2
"""Under way at once in a process, each for all that is asked for meanwhile: more connections would not be faster."""
_MEANWHILE = (
    "Until it is back, each API process counts for itself, and creates, quotes, uploads, verifications and tests of "
    "webhooks are refused"
)
_log = structlog.get_logger()

# ARGV has for each request how many quotas it counts against, then requests and seconds of each; KEYS has their names.
# A value is `began tat`: the TAT in seconds since the whole second in which the quota was last full. In seconds since
# 1970 a double is too coarse to add up the intervals of a large quota. The clock is Redis' own, for hosts disagree.
SCRIPT = """
local clock = redis.call('TIME')
local second, fraction = tonumber(clock[1]), tonumber(clock[2]) / 1000000
local answer, key, arg = {}, 0, 1
while ARGV[arg] do
    local quotas, fits, new = tonumber(ARGV[arg]), true, {}
    for i = 1, quotas do
        local requests, seconds = tonumber(ARGV[arg + 2 * i - 1]), tonumber(ARGV[arg + 2 * i])
        local interval = seconds / requests
        local began, tat = string.match(redis.call('GET', KEYS[key + i]) or '', '^(%d+) (%S+)$')
        began, tat = tonumber(began) or second, tonumber(tat)
        local now = second - began + fraction
        local before = now
        if tat and now < tat and tat <= now + seconds + interval then before = tat end
        local after = before + interval
        fits = fits and after - seconds - now <= 0.000001
        local left = math.min(math.ceil((after - now) * 1000), math.ceil(seconds * 1000))
        new[i] = {string.format('%d %.17g', began, after), left}
        answer[#answer + 1] = string.format('%.17g', now)
        answer[#answer + 1] = tat and string.format('%.17g', tat) or ''
    end
    for i = 1, fits and quotas or 0 do
        redis.call('SET', KEYS[key + i], new[i][1], 'PX', new[i][2])
    end
    key, arg = key + quotas, arg + 1 + 2 * quotas
end
return answer
"""

Wanted = Sequence[tuple[str, Quota]]


class _Pools(Protocol):
    """What redis-py leaves out of its types, as what follows."""

    def from_url(self, url: str, **options: object) -> BlockingConnectionPool: ...


class _Script(Protocol):
    def __call__(self, keys: Sequence[str], args: Sequence[str]) -> Awaitable[list[str]]: ...


class RedisStore:
    """A store that all processes share. Its clock here only tells when to ask again a Redis that is gone."""

    def __init__(self, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        pool = cast("_Pools", BlockingConnectionPool).from_url(
            url,
            max_connections=_CALLS,
            timeout=SECONDS,
            socket_timeout=None,  # one bound of ours is around everything
            socket_connect_timeout=None,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            driver_info=None,  # nothing to say before the first question
            decode_responses=True,
        )
        self._redis = Redis.from_pool(pool)
        self._script = cast("_Script", self._redis.register_script(SCRIPT))
        self._batch = Batch(self._count, concurrency=_CALLS)
        self._clock = clock
        self._gone_at: float | None = None
        self._ask_again_at = 0.0

    async def take(self, wanted: Wanted) -> list[Standing]:
        """Count a request against all of these, or none. Raises ConnectionError, which says why, where nobody can."""
        return await self._batch(wanted)

    async def close(self) -> None:
        """Close the connections."""
        with suppress(TimeoutError, OSError, RedisError):
            async with asyncio.timeout(SECONDS):
                await self._redis.aclose()

    async def _count(self, asked: list[Wanted]) -> list[list[Standing]]:
        if self._gone_at is not None:
            if self._clock() < self._ask_again_at:
                raise ConnectionError("it was gone a moment ago")
            self._ask_again_at = self._clock() + PAUSE_SECONDS  # others do not wait for what this one finds out
        try:
            standings = _standings(asked, await self._ask(asked))
        except Exception as error:  # noqa: BLE001 whatever it is that answers, and however the client fails on it
            reason = reason_of(error)
            self._lose(reason)
            raise ConnectionError(reason) from None
        self._find()
        return standings

    async def _ask(self, asked: list[Wanted]) -> list[str]:
        answer = asyncio.ensure_future(self._script(*_question(asked)))
        try:
            for seconds in (SECONDS, _LATE_SECONDS):
                await asyncio.wait({answer}, timeout=seconds)
                if answer.done():
                    return answer.result()
        finally:
            answer.cancel()
        raise TimeoutError

    def _lose(self, reason: str) -> None:
        REDIS_UP.set(0.0)
        self._ask_again_at = self._clock() + PAUSE_SECONDS
        if self._gone_at is None:
            self._gone_at = self._clock()
            _log.error("redis.gone", reason=f"SEEDANCE_REDIS_URL: {reason}. {_MEANWHILE}")

    def _find(self) -> None:
        REDIS_UP.set(1.0)
        if self._gone_at is not None:
            _log.info("redis.back", seconds=round(self._clock() - self._gone_at, 1))
            self._gone_at = None


def _question(asked: list[Wanted]) -> tuple[list[str], list[str]]:
    keys = [f"{PREFIX}{name}" for wanted in asked for name, _ in wanted]
    arguments: list[str] = []
    for wanted in asked:
        arguments.append(str(len(wanted)))
        arguments += chain.from_iterable((str(quota.requests), repr(float(quota.seconds))) for _, quota in wanted)
    return keys, arguments


def _standings(asked: list[Wanted], answer: list[str]) -> list[list[Standing]]:
    """What the script has found, by the one rule. Raises ValueError or TypeError for what is none of its answers."""
    if len(answer) != 2 * sum(map(len, asked)):
        raise ValueError("not as many numbers as were asked for")
    pairs = zip(answer[::2], answer[1::2], strict=True)
    return [[_standing(quota, *next(pairs)) for _, quota in wanted] for wanted in asked]


def _standing(quota: Quota, now: str, tat: str) -> Standing:
    return stand(quota, float(tat) if tat else None, float(now))
