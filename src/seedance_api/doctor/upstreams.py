"""Upstreams: whether live keys can be served, what finished videos wait for, and whether the books agree."""

import msgspec

from seedance_api.doctor.remark import Remark
from seedance_api.foundation.db import Database
from seedance_api.generations import outages
from seedance_api.generations.queries import queue
from seedance_api.providers.provider import SANDBOX
from seedance_api.reconciliation import discrepancies
from seedance_api.routing import circuit_breaker

_MAX_HOURS = 24


class LiveSide(msgspec.Struct, frozen=True, kw_only=True):
    """What live keys use, as it is configured. `problem` says why it cannot be used."""

    sandbox: bool
    upstreams: tuple[str, ...] = ()
    reachable: bool = False
    calls_back: bool = False
    problem: str | None = None


async def waiting(db: Database) -> Remark:
    """Whether finished videos wait for a part of the installation."""
    causes = await outages.waiting(db)
    if not causes:
        return Remark(name="waiting", status="ok", message="no finished video waits for this installation")
    text = "; ".join(
        f"{cause.videos} for {_duration(cause.seconds)}, "
        f"the first fails in {_duration(cause.seconds_left)}: {cause.reason}"
        for cause in causes
    )
    return Remark(name="waiting", status="error", message=f"finished videos cannot be stored: {text}")


def _duration(seconds: float) -> str:
    minutes = max(0, round(seconds / 60))
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


async def configured(db: Database, live: LiveSide) -> Remark:
    """Whether what live keys use can be used."""
    if live.problem is not None:
        return Remark(name="upstream", status="error", message=live.problem)
    unserved = await queue.count_unserved(db, [*live.upstreams, SANDBOX])
    if unserved:
        text = ", ".join(
            f"{number} {'video is' if number == 1 else 'videos are'} in progress at {name}"
            for name, number in unserved.items()
        )
        message = f"{text}, which is not configured here: add its table to the file of upstreams again"
        return Remark(name="upstream", status="error", message=message)
    if live.sandbox:
        message = "SEEDANCE_LIVE_SANDBOX is on: live keys are charged for previews of the sandbox"
        return Remark(name="upstream", status="warning", message=message)
    if not live.upstreams:
        return Remark(name="upstream", status="warning", message="none is configured: live keys are refused")
    names = ", ".join(live.upstreams)
    if not live.reachable:
        text = "without SEEDANCE_PUBLIC_URL they cannot fetch input videos, nor call back"
        return Remark(name="upstream", status="warning", message=f"{names}; {text}")
    return Remark(name="upstream", status="ok", message=f"{names}; ask them with: seedance-api upstream list --check")


async def circuit_breakers(db: Database, upstreams: tuple[str, ...]) -> Remark:
    """Whether the upstreams take work."""
    standings = await circuit_breaker.of_providers(db, upstreams)
    open_breakers = [standing for standing in standings if standing.wait_seconds > 0]
    if not open_breakers:
        return Remark(name="gates", status="ok", message="every upstream takes work")
    text = "; ".join(f"{breaker.provider} {breaker.model}: {breaker.reason}" for breaker in open_breakers)
    return Remark(name="gates", status="warning", message=f"closed for now: {text}")


async def books(db: Database) -> Remark:
    """Whether what the upstreams list and bill agrees with ours."""
    count, oldest = await discrepancies.count_open(db)
    if not count:
        return Remark(name="books", status="ok", message="no difference with an upstream is open")
    text = f"{count} differences with upstreams are open, the oldest for {oldest:.0f} hours"
    status = "error" if oldest >= _MAX_HOURS else "warning"
    return Remark(name="books", status=status, message=f"{text}; see them with: seedance-api doctor --reconcile")
