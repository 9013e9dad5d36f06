"""Failed keys: one wrong API key after another is refused without a look, for longer each time.

They are counted for the address that sends them, and for the key whose id they have: its first characters may be known,
its secret cannot be guessed. A key that was right since the process started, and the right one of an id that is tried,
are refused by neither (`Authenticator.knows`): behind one address may be a whole company, and strangers may try a key.
Each process counts for itself, in memory: what is refused is what would cost it a query.
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
MAX_NAMES = 10_000
"""Addresses, and ids of keys; about 2 MB of each. Beyond it those that failed longest ago are forgotten."""
_log = structlog.get_logger()


class _Failures(NamedTuple):
    number: int
    last_at: float


def block_seconds(count: int, max_failures: int) -> float:
    """For how long a name is blocked after its failure number `count`: 1 s, 2 s, 4 s, up to 5 minutes."""
    return 0.0 if count < max_failures else min(MAX_BLOCK_SECONDS, 2.0 ** min(count - max_failures, 60))


class _Streaks:
    """Failures that follow each other, by name."""

    def __init__(self, max_failures: int, clock: Callable[[], float]) -> None:
        self._max_failures = max_failures
        self._clock = clock
        self._failures: dict[str, _Failures] = {}
        """The one that failed last stands last."""

    def blocked(self, name: str) -> tuple[int, int] | None:
        """How often it has failed and how many seconds are left, while it is blocked."""
        found = self._failures.get(name)
        if found is None:
            return None
        wait = found.last_at + block_seconds(found.number, self._max_failures) - self._clock()
        return (found.number, math.ceil(wait)) if wait > 0 else None

    def count(self, name: str) -> int:
        """Count a failure; which one it is."""
        now = self._clock()
        before = self._failures.pop(name, None)
        number = 1 if before is None or now - before.last_at > FORGET_SECONDS else before.number + 1
        self._failures[name] = _Failures(number, now)
        if len(self._failures) > MAX_NAMES:
            del self._failures[next(iter(self._failures))]
        return number


class FailedKeys:
    """Counts wrong keys by address (of IPv6 by /64) and by the id of the key that they were to be (its handle)."""

    def __init__(self, max_failures: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_failures = max_failures
        self._addresses = _Streaks(max_failures, clock)
        self._handles = _Streaks(max_failures, clock)

    def check(self, address: str, handle: str | None = None) -> None:
        """Raises AppError 429 while the address is blocked, or wrong secrets for the key with this handle are.

        Only for a key that is not known to be right.
        """
        if blocked := self._addresses.blocked(address):
            number, seconds = blocked
            raise _refusal(f"{number} requests from this address had a wrong API key.", seconds)
        if handle is not None and (blocked := self._handles.blocked(handle)):
            number, seconds = blocked
            raise _refusal(f"{number} requests had the id of this API key and a wrong secret.", seconds)

    def count(self, address: str, handle: str | None = None) -> int | None:
        """The address has sent a wrong key, with the handle of one where it was well formed.

        Returns how many wrong secrets the handle has had, each time that as many more came as block it: its owner is to
        be told.
        """
        metrics.FAILED_KEYS.add()
        if self._addresses.count(address) == self._max_failures:
            _log.warning("failed_keys.blocked", count=self._max_failures)
        if handle is None:
            return None
        number = self._handles.count(handle)
        return None if number % self._max_failures else number


def _refusal(says: str, seconds: int) -> AppError:
    metrics.FAILED_KEY_REFUSALS.add()
    message = f"{says} Correct the key, and send the next request in {seconds} s."
    return AppError("too_many_failed_keys", message, headers={"Retry-After": str(seconds)})
