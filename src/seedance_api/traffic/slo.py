"""Service level objectives: what is promised, measured by the hour from the tables, and what is left of the budget.

A level is a share: of the events of an hour, those that were good. The error budget is what may be bad of 30 days.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, get_args

import msgspec

from seedance_api.foundation.db import Database
from seedance_api.traffic import slo_queries
from seedance_api.traffic.hours import OWN_MILLISECONDS

Name = Literal["availability", "create_latency", "completion_delay", "webhook_delay", "purge_lag"]
Window = Literal["1h", "24h", "30d"]
CREATE_MILLISECONDS = 500
COMPLETION_SECONDS = 60.0
WEBHOOK_SECONDS = 30.0
PURGE_SECONDS = 3600.0
KEEP_DAYS = 90
WINDOWS: Mapping[Window, int] = {"1h": 1, "24h": 24, "30d": 720}
"""Hours of each."""
_LATE_HOURS = 2
"""What was measured of these hours is measured again: some of what belongs to an hour ends after it."""
_MAX_HOURS = 72
"""Measured in one go, when no worker ran for longer the rest is left out."""
_HOUR = timedelta(hours=1)


class Slo(msgspec.Struct, frozen=True):
    """An objective: the share of events that are to be good, and which events and what is good of them."""

    objective: float
    events: str
    good: str


SLOS: Mapping[Name, Slo] = {
    "availability": Slo(0.999, "requests but those for health", "not answered with 5xx"),
    "create_latency": Slo(
        0.99, "accepted `POST /v1/videos`", f"answered within {CREATE_MILLISECONDS} ms of our own time"
    ),
    "completion_delay": Slo(
        0.99,
        "videos that their provider has finished",
        f"stored, marked and completed within {COMPLETION_SECONDS:g} s",
    ),
    "webhook_delay": Slo(
        0.99, "deliveries to endpoints that answer", f"sent within {WEBHOOK_SECONDS:g} s of the event"
    ),
    "purge_lag": Slo(0.999, "content that was due for deletion", f"deleted within {PURGE_SECONDS:g} s"),
}
assert SLOS.keys() == set(get_args(Name))


class Level(msgspec.Struct, frozen=True):
    """How many events there were in a window, and how many of them were good."""

    good: int = 0
    total: int = 0

    @property
    def ratio(self) -> float | None:
        """The good share; None where nothing happened."""
        return self.good / self.total if self.total else None

    def budget_left(self, objective: float) -> float | None:
        """Which part of what may be bad is left: 1 is all, 0 none, below 0 the objective is missed."""
        return 1 - (self.total - self.good) / ((1 - objective) * self.total) if self.total else None


class Report(msgspec.Struct, frozen=True):
    """The levels of each objective by window. `until` is the end of the last hour that was measured."""

    until: datetime | None
    levels: Mapping[Name, Mapping[Window, Level]]


async def measure_slos(db: Database) -> None:
    """Measure the whole hours since the last ones, and forget those that are too old. Safe to do at any time."""
    now: datetime = await db.fetchval("SELECT date_trunc('hour', clock_timestamp(), 'UTC')")
    last = await slo_queries.last_hour(db)
    first = max(now - _MAX_HOURS * _HOUR, last - _LATE_HOURS * _HOUR if last else now - _LATE_HOURS * _HOUR)
    fast_cells = OWN_MILLISECONDS.index(CREATE_MILLISECONDS) + 1
    while first < now:
        await slo_queries.measure_requests(db, first, fast_cells)
        await slo_queries.measure_completions(db, first, COMPLETION_SECONDS)
        await slo_queries.measure_webhooks(db, first, WEBHOOK_SECONDS)
        await slo_queries.measure_purges(db, first, PURGE_SECONDS)
        first += _HOUR
    await slo_queries.forget(db, now - timedelta(days=KEEP_DAYS))


async def report(db: Database) -> Report:
    """How the service stands with its objectives."""
    last = await slo_queries.last_hour(db)
    until = last + _HOUR if last else None
    levels: dict[Name, dict[Window, Level]] = {name: dict[Window, Level]() for name in SLOS}
    for window, hours in WINDOWS.items():
        sums = await slo_queries.sums(db, until - hours * _HOUR) if until else {}
        for name in SLOS:
            levels[name][window] = Level(*sums.get(name, (0, 0)))
    return Report(until, levels)
