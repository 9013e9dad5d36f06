"""Watch: ask a provider about what it is working on, many operations in one call, and record what changed."""

import asyncio
from typing import assert_never

import structlog

from seedance_api.foundation import kill_points
from seedance_api.foundation.db import Database
from seedance_api.generations import decide
from seedance_api.generations.engine import Engine
from seedance_api.generations.enqueue import watch_soon
from seedance_api.generations.queries import checks, moves
from seedance_api.generations.record import Entry
from seedance_api.generations.rows import Running
from seedance_api.providers.provider import Check, Done, Failed, Lost, Pending, Provider, Unseen
from seedance_api.routing import durations
from seedance_api.routing.durations import Pace
from seedance_api.routing.progress import Timing, progress

_LEASE_SECONDS = 15.0
"""How long the operations of one lap are left to it; a lap that died is taken up then."""
_MAX_LOOKS = 8
"""How many of a provider are asked about singly at once."""
_LONGEST_PAUSE = 30.0
_log = structlog.get_logger()


async def watch(name: str, engine: Engine) -> None:
    """One lap: ask about what is due, record what changed, and come back while anything runs.

    A lap asks about as many operations as the provider takes in one call, so its memory is bounded by that number.
    A process has one lap of a provider at a time: others would only wait for their turn, with what they have claimed.
    """
    provider = engine.providers.get(name)
    if provider is None:  # the operator took it out of the configuration; `advance` has the last word
        return
    if name in engine.laps:  # that one comes back
        return
    engine.laps.add(name)
    try:
        due = await checks.claim_checks(engine.db, name, provider.capabilities.checks, _LEASE_SECONDS)
        if due:
            await _check(due, provider, engine)
    finally:
        engine.laps.discard(name)
    seconds = await checks.seconds_to_check(engine.db, name)
    if seconds is not None:
        await _come_back(name, engine.db, seconds)


async def look(attempt_id: str, engine: Engine) -> None:
    """Ask about one operation now, because its provider called. In a rush the next lap does, for many in one call."""
    found = await checks.running_attempt(engine.db, attempt_id)
    if found is None or found[0] not in engine.providers:
        return
    name, running = found
    if engine.looks[name] >= _MAX_LOOKS:
        return
    engine.looks[name] += 1
    try:
        await _check([running], engine.providers[name], engine)
    finally:
        engine.looks[name] -= 1


async def _check(asked: list[Running], provider: Provider, engine: Engine) -> None:
    answers = await provider.check_many([one.operation for one in asked])
    kill_points.reach("watch.checked")
    unfinished: list[tuple[Running, Check]] = []
    finished: list[tuple[Running, Done | Failed | Lost]] = []
    for one, check in zip(asked, answers, strict=True):
        match check:
            case Pending() | Unseen():
                unfinished.append((one, check))
            case Done() | Failed() | Lost():
                finished.append((one, check))
            case _:
                assert_never(check)
    await asyncio.gather(*(_try_to_finish(one, check, provider, engine) for one, check in finished))
    await _put_off(unfinished, provider, engine.db)


async def _try_to_finish(one: Running, check: Done | Failed | Lost, provider: Provider, engine: Engine) -> None:
    try:
        await _finish(one, check, provider, engine)
    except Exception:  # noqa: BLE001 one row must not hold up those behind it
        _log.error("watch.failed", generation_id=one.id, exc_info=True)


async def _put_off(unfinished: list[tuple[Running, Check]], provider: Provider, db: Database) -> None:
    """Note the progress, and when to ask again: often when it is about to be finished, seldom before."""
    if not unfinished:
        return
    paces = await durations.paces_of(db, provider.name)
    raised = {
        one.id: told
        for one, check in unfinished
        if isinstance(check, Pending) and (told := _progress(one, check, _pace(one, paces))) > one.progress
    }
    if raised:
        await moves.set_progress(db, list(raised), list(raised.values()))
    await checks.put_off_checks(
        db,
        [one.attempt_id for one, _ in unfinished],
        [next_check(one, check, _pace(one, paces), provider.capabilities.check_seconds) for one, check in unfinished],
        [one.begun or (isinstance(check, Pending) and check.begun) for one, check in unfinished],
    )


def _pace(one: Running, paces: dict[tuple[str, str, int], Pace]) -> Pace | None:
    return paces.get((one.model, one.params.resolution, round(one.params.seconds)))


def _progress(one: Running, check: Pending, pace: Pace | None) -> int:
    """What the provider tells, or what the time says: written down, it never goes back, and listeners hear of it."""
    told = decide.pending_progress(check)
    if told is not None:
        return told
    if pace is None or not check.begun:
        return one.progress
    timing = Timing(since=0.0, elapsed=one.seconds, p50=pace.p50, p90=pace.p90)
    return progress(timing, one.progress)


def next_check(one: Running, check: Check, pace: Pace | None, min_seconds: float) -> float:
    """Seconds until it is worth while to ask again. A provider that tells progress is asked as often as it likes."""
    if isinstance(check, Pending) and check.progress is not None:
        return min_seconds
    if pace is None:
        return max(min_seconds, min(5.0, one.seconds / 4))
    if one.seconds < pace.p10 and isinstance(check, Pending) and check.begun:
        return max(min_seconds, min(_LONGEST_PAUSE, pace.p10 - one.seconds))
    return max(min_seconds, min(10.0, (pace.p90 - pace.p10) / 20))


async def _finish(one: Running, check: Done | Failed | Lost, provider: Provider, engine: Engine) -> None:
    step = decide.after_check(one.attempt_id, check)
    if not await engine.record(Entry(one.id, one.version, provider.name, step)):
        # a cancel or another watcher was quicker; the next lap sees what is left
        _log.info("watch.overtaken", generation_id=one.id)


async def _come_back(name: str, db: Database, seconds: float) -> None:
    async with db.transaction() as connection:
        await watch_soon(connection, name, max(0.0, min(seconds, 5.0)))
