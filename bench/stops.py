"""Stops: PostgreSQL goes without a goodbye, and is there again within seconds."""

import asyncio
import random
import signal
import threading
import time
from pathlib import Path

from seedance_api.foundation.postmaster import Postmaster, is_over

_PAUSE_SECONDS = (5.0, 20.0)
_DOWN_SECONDS = (0.0, 5.0)
"""What DBOS tests itself with."""
_STOP_SECONDS = 60.0


class Stops:
    """Stops the server of `folder`, which nobody else starts again, until it was done so often.

    `done` gets for how many seconds it was away each time.
    """

    def __init__(self, folder: Path, done: list[float], *, count: int) -> None:
        self._server, self._done, self._count = Postmaster(folder.resolve()), done, count
        self._is_away = False
        self._back_at = 0.0

    async def run(self, until: float) -> None:
        """All of it; the server is there afterwards."""
        while len(self._done) < self._count and time.monotonic() < until:
            await asyncio.sleep(random.uniform(*_PAUSE_SECONDS))
            await self._stop_for(random.uniform(*_DOWN_SECONDS))

    def was_away(self, since: float) -> bool:
        """Whether it was away at any moment since then, by the monotonic clock."""
        return self._is_away or self._back_at > since

    async def _stop_for(self, seconds: float) -> None:
        since, self._is_away = time.monotonic(), True
        await asyncio.to_thread(self._stop)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self._server.start, threading.Event(), lambda: None)
        self._back_at, self._is_away = time.monotonic(), False
        self._done.append(self._back_at - since)

    def _stop(self) -> None:
        with self._server.hold() as process:
            if process is None:
                raise RuntimeError("PostgreSQL has died by itself")
            signal.pidfd_send_signal(process, signal.SIGQUIT)  # `pg_ctl stop -m immediate` sends no other
            if not is_over(process, _STOP_SECONDS):
                raise RuntimeError("PostgreSQL does not stop")
