"""Gauges: the metrics of the whole installation, read from the database at most every ten seconds."""

import asyncio
import time

from seedance_api.foundation.db import Database
from seedance_api.traffic import gauge_queries, metrics
from seedance_api.traffic.slo import SLOS, report

_FRESH_SECONDS = 10.0
_SECONDS = 3.0
_OF_INSTALLATION = (
    metrics.GENERATIONS,
    metrics.QUEUE_AGE_SECONDS,
    metrics.JOBS_WAITING,
    metrics.CIRCUIT_BREAKER_OPEN,
    metrics.WEBHOOK_BACKLOG,
    metrics.PURGE_LAG_SECONDS,
    metrics.SLO_GOOD_RATIO,
    metrics.SLO_OBJECTIVE,
)


class Gauges:
    """Reads them. What cannot be read in time is told of no more, rather than as it was once."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def read(self) -> None:
        """Bring them up to date. Never raises for a database that is away."""
        async with self._reading:
            if time.monotonic() - self._read_at < _FRESH_SECONDS:
                return
            try:
                async with asyncio.timeout(_SECONDS):
                    await self._read()
            except Exception:  # noqa: BLE001 whatever it is: the other metrics of the process are told all the same
                for gauge in _OF_INSTALLATION:
                    gauge.replace({})
                return
            self._read_at = time.monotonic()

    async def _read(self) -> None:
        numbers, ages = await gauge_queries.under_way(self._db)
        metrics.GENERATIONS.replace(numbers)
        metrics.QUEUE_AGE_SECONDS.replace(ages)
        metrics.JOBS_WAITING.replace(await gauge_queries.jobs_waiting(self._db))
        metrics.CIRCUIT_BREAKER_OPEN.replace(await gauge_queries.circuit_breakers(self._db))
        metrics.WEBHOOK_BACKLOG.set(await gauge_queries.webhook_backlog(self._db))
        metrics.PURGE_LAG_SECONDS.set(await gauge_queries.purge_lag(self._db))
        levels = (await report(self._db)).levels
        ratios = {(name,): levels[name]["24h"].ratio for name in SLOS}
        metrics.SLO_GOOD_RATIO.replace({name: ratio for name, ratio in ratios.items() if ratio is not None})
        metrics.SLO_OBJECTIVE.replace({(name,): slo.objective for name, slo in SLOS.items()})
