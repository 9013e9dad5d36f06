"""Failed keys: an address that sends one wrong API key after another is refused without a look, for longer each time.

Keys that have been right since the process started are looked up all the same: behind one address may be a whole
company. Each process counts for itself, in memory: what is refused is what would cost it a query.
"""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import structlog

from seedance_api.foundation.errors import AppError
from seedance_api.traffic import metrics

MAX_BLOCK_SECONDS = 300.0
FORGET_SECONDS = 3600.0
"""After the last failure."""
MAX_ADDRESSES = 10_000
"""About 2 MB. Beyond it those that failed longest ago are forgotten."""
_log = structlog.get_logger()


class _Failures(NamedTuple):
    number: int
    last_at: float


def block_seconds(count: int, max_failures: int) -> float:
    """For how long an address is blocked after its failure number `count`: 1 s, 2 s, 4 s, up to 5 minutes."""
    return 0.0 if count < max_failures else min(MAX_BLOCK_SECONDS, 2.0 ** min(count - max_failures, 60))


class FailedKeys:
    """Counts wrong keys by address (of IPv6 by /64)."""

    def __init__(self, max_failures: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_failures = max_failures
        self._clock = clock
        self._failures: dict[str, _Failures] = {}
        """The one that failed last stands last."""

    def check(self, address: str) -> None:
        """Raises AppError 429 while the address is blocked."""
        found = self._failures.get(address)
        if found is None:
            return
        wait = found.last_at + block_seconds(found.number, self._max_failures) - self._clock()
        if wait > 0:
            metrics.FAILED_KEY_REFUSALS.add()
            seconds = math.ceil(wait)
            message = (
                f"{found.number} requests from this address had a wrong API key. Correct the key, and send the next "
                f"request in {seconds} s."
            )
            raise AppError("too_many_failed_keys", message, headers={"Retry-After": str(seconds)})

    def count(self, address: str) -> None:
        """The address has sent a wrong key."""
        metrics.FAILED_KEYS.add()
        now = self._clock()
        before = self._failures.pop(address, None)
        count = 1 if before is None or now - before.last_at > FORGET_SECONDS else before.number + 1
        self._failures[address] = _Failures(count, now)
        if count == self._max_failures:
            _log.warning("failed_keys.blocked", count=count)
        if len(self._failures) > MAX_ADDRESSES:
            del self._failures[next(iter(self._failures))]
