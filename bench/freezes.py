"""Freezes: processes that stand still for a while, backends that end, connections that fall silent."""

import asyncio
import random
import sys
import time
from collections import Counter
from contextlib import suppress

import asyncpg
import psutil

from bench.service import Service
from bench.stage import ROOT
from seedance_api.foundation.db import UNREACHABLE

sys.path.append(str(ROOT / "tests"))  # the proxy stands with the tests
from faults.proxy import Proxy

_FREEZES = {"api": 3, "worker": 3, "backend": 4, "connections": 2}
_FROZEN_SECONDS = (2.0, 60.0)


class Freezes:
    """Stops processes for a while, ends backends and lets connections fall silent, until it was done so often."""

    def __init__(self, service: Service, proxy: Proxy, done: Counter[str], *, count: int) -> None:
        self._service, self._proxy, self._done, self._count = service, proxy, done, count
        self._frozen: set[asyncio.Task[None]] = set()

    async def run(self, until: float) -> None:
        """All of it; what is frozen then goes on."""
        done = self._done
        try:
            while done.total() < self._count and time.monotonic() < until:
                await asyncio.sleep(random.uniform(1.0, 4.0))
                (target,) = random.choices(list(_FREEZES), weights=list(_FREEZES.values()))
                match target:
                    case "backend":
                        done[target] += await self._end_a_backend()
                    case "connections":
                        done[target] += bool(self._proxy.freeze())
                    case _:
                        found = self._service.apis() if target == "api" else self._service.worker()
                        done[target] += self._freeze(random.choice(found)) if found else 0
            if self._frozen:
                await asyncio.wait(self._frozen)
        finally:
            for one in self._frozen:
                one.cancel()
            await asyncio.gather(*self._frozen, return_exceptions=True)

    def _freeze(self, process: psutil.Process) -> int:
        try:
            process.suspend()
        except psutil.Error:  # somebody has just killed it
            return 0
        # short ones are more frequent, as they are in life
        low, high = _FROZEN_SECONDS
        task = asyncio.create_task(_thaw_later(process, low * (high / low) ** random.random()))
        self._frozen.add(task)
        task.add_done_callback(self._frozen.discard)
        return 1

    async def _end_a_backend(self) -> int:
        try:
            connection = await asyncpg.connect(self._service.database_url)
        except (OSError, *UNREACHABLE):  # it is stopped just now
            return 0
        try:
            return await connection.fetchval(
                """
                SELECT count(pg_terminate_backend(pid)) FROM (
                    SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                    ORDER BY random() LIMIT 1
                ) one
                """
            )
        finally:
            await connection.close()


async def _thaw_later(process: psutil.Process, seconds: float) -> None:
    try:
        await asyncio.sleep(seconds)
    finally:
        with suppress(psutil.Error):
            process.resume()
