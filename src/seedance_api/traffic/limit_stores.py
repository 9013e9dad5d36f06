"""Where the counts of rate limits are kept: in the memory of one process, or in Redis (`redis_store.py`)."""

import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Protocol

from seedance_api.traffic.gcra import Quota, Standing, stand

MAX_NAMES = 100_000
"""About 20 MB. Beyond it the names that were first heard of longest ago are forgotten: their quotas begin anew."""


class LimitStore(Protocol):
    """Counts a request against several quotas, all of them or, where one is used up, none."""

    async def take(self, wanted: Sequence[tuple[str, Quota]]) -> list[Standing]:
        """How each name stands with its quota afterwards. Raises ConnectionError where nobody can tell."""
        ...

    async def close(self) -> None:
        """Close what it holds open."""
        ...


class MemoryStore:
    """A store of one process. Its clock is monotonic: a step of the system's neither refills nor freezes a quota."""

    def __init__(self, *, max_names: int = MAX_NAMES, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_names = max_names
        self._clock = clock
        self._tats: dict[str, float] = {}

    async def take(self, wanted: Sequence[tuple[str, Quota]]) -> list[Standing]:
        """Count a request against all of these, or none."""
        now = self._clock()
        standings = [stand(quota, self._tats.get(name), now) for name, quota in wanted]
        if not any(standing.retry_seconds for standing in standings):
            for (name, _), standing in zip(wanted, standings, strict=True):
                self._tats[name] = standing.tat
            if len(self._tats) > self._max_names:
                self._forget(now)
        return standings

    def take_one(self, name: str, quota: Quota) -> Standing:
        """The same for one quota, without waiting for anything."""
        now = self._clock()
        standing = stand(quota, self._tats.get(name), now)
        if not standing.retry_seconds:
            self._tats[name] = standing.tat
            if len(self._tats) > self._max_names:
                self._forget(now)
        return standing

    async def close(self) -> None:
        """There is nothing to close."""

    def _forget(self, now: float) -> None:
        """Those whose quota is full have nothing to forget; then the oldest tenth."""
        self._tats = {name: tat for name, tat in self._tats.items() if tat > now}
        excess = len(self._tats) - self._max_names * 9 // 10
        for name in list(islice(self._tats, max(0, excess))):
            del self._tats[name]
