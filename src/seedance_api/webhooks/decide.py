"""Decisions about deliveries: pure functions from how an attempt went to what becomes of it and of its endpoint."""

import math
from typing import Literal, assert_never

import msgspec

from seedance_api.foundation.address import Blocked
from seedance_api.foundation.outcome import Post, Posted, TooSlow, Unreachable

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
SCHEDULE = (0.0, 5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
"""Seconds before each try, from the one before it: Standard Webhooks 1.0.0."""
JITTER = 0.2
CONCURRENCY = 4
"""Deliveries of one endpoint under way at once."""
DELIVERING, DELIVERING_SLOWLY = 512, 256
"""Endpoints at a time in each lane; of those that stand well none should have to wait for one that hangs.

The first counts what has left its lane as well.
"""
OPENS_AT = 5
"""After so many failures in a row only one delivery at a time goes out, until one arrives."""
PROBE_SECONDS = (5.0, 300.0)
"""Between probes: this, doubled with each, up to that."""
THROTTLE_SECONDS = (5.0, 300.0)
MAX_RETRY_AFTER = HOUR
SLOW_SECONDS = 3.0
WARN_SECONDS = 1 * DAY
DISABLE_SECONDS = 5 * DAY

How = Literal["delivered", "status", "redirect", "gone", "throttled", "timeout", "unreachable"]
"""How a try went. What our own rules refuse is `unreachable` as well: it must not tell what is behind a name."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A try, as it is kept and shown. Where nothing answered there is no time: it would tell a closed port."""

    at: int
    outcome: How
    status: int | None = None
    milliseconds: int | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How a try went. `seconds` it took."""

    how: How
    seconds: float
    status: int | None = None
    retry_after: float | None = None

    def attempt(self, at: int) -> Attempt:
        """The same, to be kept."""
        timed = self.how != "unreachable"
        return Attempt(
            at=at, outcome=self.how, status=self.status, milliseconds=round(self.seconds * 1000) if timed else None
        )


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint stands: failures in a row, and for how long there has been nothing else."""

    failures: int = 0
    failing_seconds: float = 0.0
    warned: bool = False
    slow: bool = False
    moved: bool = False
    """Whether it has another address than the one that was tried, and that says nothing of."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a delivery and of its endpoint.

    `again_seconds` until the next try; None when there is none. `closed_seconds` for which nothing is sent to the
    endpoint. `reopened` lets everything go that waits. `warned` says that the owner must have heard of it.
    """

    delivered: bool
    again_seconds: float | None
    failures: int
    slow: bool
    closed_seconds: float = 0.0
    reopened: bool = False
    disabled: Literal["gone", "failing"] | None = None
    warned: bool = False


def read(post: Post, seconds: float) -> Result:
    """What an attempt's answer means."""
    match post:
        case Posted(status, retry_after):
            asked = retry_after if retry_after is not None and math.isfinite(retry_after) else None
            return Result(how=_read_status(status), status=status, seconds=seconds, retry_after=asked)
        case TooSlow() | Unreachable(code="timeout"):
            return Result(how="timeout", seconds=seconds)
        case Blocked() | Unreachable():
            return Result(how="unreachable", seconds=seconds)
        case _:
            assert_never(post)


def _read_status(status: int) -> How:
    if 200 <= status < 300:
        return "delivered"
    if 300 <= status < 400:
        return "redirect"
    if status == 410:
        return "gone"
    return "throttled" if status in (429, 502, 503, 504) else "status"


def decide(result: Result, tries: int, standing: Standing, luck: float) -> Verdict:
    """What follows from a try that was the delivery's `tries`-th. `luck` is a number from 0 to 1."""
    slow = result.seconds >= SLOW_SECONDS
    if result.how == "delivered":
        return Verdict(
            delivered=True, again_seconds=None, failures=0, slow=slow, reopened=standing.failures >= OPENS_AT
        )
    failures = standing.failures + 1
    wait = min(result.retry_after or 0.0, MAX_RETRY_AFTER)
    too_long = standing.failing_seconds >= DISABLE_SECONDS
    return Verdict(
        delivered=False,
        again_seconds=None if tries >= len(SCHEDULE) else max(SCHEDULE[tries] * (1 + JITTER * luck), wait),
        failures=failures,
        slow=slow,
        closed_seconds=max(wait, _pause(result.how, failures)),
        disabled="gone" if result.how == "gone" else "failing" if too_long else None,
        warned=standing.warned or standing.failing_seconds >= WARN_SECONDS,
    )


def _pause(how: How, failures: int) -> float:
    """How long an endpoint is left alone: one that says it has too much to do, and one that fails all the time."""
    if failures >= OPENS_AT:
        minimum, maximum = PROBE_SECONDS
        return min(minimum * 2 ** min(failures - OPENS_AT, 30), maximum)
    if how == "throttled":
        minimum, maximum = THROTTLE_SECONDS
        return min(minimum * 2 ** (failures - 1), maximum)
    return 0.0
