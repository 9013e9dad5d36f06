"""GCRA: how many requests a quota still has, from one number for each name: the time at which it would be full again.

That number is the theoretical arrival time (TAT). A quota of 60 requests a minute admits 60 at once, then one a second:
https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
"""

from typing import NamedTuple

import msgspec

_ROUNDING = 1e-6
"""Seconds: what the sum of many intervals may be off."""


class Quota(msgspec.Struct, frozen=True):
    """So many requests within so many seconds, at once or spread."""

    requests: int
    seconds: float = 60.0

    @property
    def interval(self) -> float:
        """Seconds until one request more is admitted, once the quota is used up."""
        return self.seconds / self.requests


class Standing(NamedTuple):
    """How a name stands with its quota after a request.

    `tat` is to be kept where the request was admitted. `reset_seconds`: until all of the quota is there again;
    `retry_seconds`: 0 where the request was admitted, else until one would be.
    """

    quota: Quota
    tat: float
    remaining: int
    reset_seconds: float
    retry_seconds: float


def stand(quota: Quota, tat: float | None, now: float) -> Standing:
    """One request at `now`, of a name whose last admitted one left `tat`; None where there was none.

    A TAT further ahead than any request can leave it is of a clock that was set back: the quota begins anew. The script
    of `redis_store.py` is the same in Lua.
    """
    seconds, interval = quota.seconds, quota.interval
    before = tat if tat is not None and now < tat <= now + seconds + interval else now
    after = before + interval
    wait = after - seconds - now
    if wait > _ROUNDING:
        return Standing(quota, before, 0, before - now, wait)
    remaining = int((seconds - (after - now)) / interval + _ROUNDING)
    return Standing(quota, after, remaining, after - now, 0.0)
