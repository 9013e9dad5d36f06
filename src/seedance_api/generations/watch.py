"""Watch: one lap over everything a provider is working on, one call for up to 500 operations."""

import time
from typing import assert_never

import structlog

from seedance_api.foundation import jobs, kill
from seedance_api.foundation.db import Database
from seedance_api.generations import decide, queries
from seedance_api.generations.advance import Engine
from seedance_api.generations.record import record
from seedance_api.generations.rows import Running
from seedance_api.providers.provider import Check, Done, Failed, Lost, Pending, Provider

_MOST = 500
_log = structlog.get_logger()


async def watch(name: str, engine: Engine) -> None:
    """Ask about every running operation, record what changed, and come back while anything runs."""
    provider = engine.providers[name]
    behind = ""
    seen = False
    while running := await queries.running_of(engine.db, name, behind, _MOST):
        seen = True
        behind = running[-1].id
        checks = await provider.check_many([one.operation for one in running])
        kill.reach("watch.checked")
        await _note_progress(engine.db, running, checks)
        for one, check in zip(running, checks, strict=True):
            try:
                await _finish(one, check, provider, engine)
            except Exception:  # noqa: BLE001 one row must not hold up those behind it
                _log.error("watch.failed", generation_id=one.id, exc_info=True)
        if len(running) < _MOST:
            break
    if seen:
        await _come_back(provider, engine.db)


async def _note_progress(db: Database, running: list[Running], checks: list[Check]) -> None:
    ids: list[str] = []
    progress: list[int] = []
    for one, check in zip(running, checks, strict=True):
        if isinstance(check, Pending):
            now = decide.pending_progress(check)
            if now is not None and now > one.progress:
                ids.append(one.id)
                progress.append(now)
    if ids:
        await queries.set_progress(db, ids, progress)


async def _finish(one: Running, check: Check, provider: Provider, engine: Engine) -> None:
    match check:
        case Pending():
            return
        case Done() | Failed() | Lost():
            step = decide.after_check(one.attempt_id, check)
        case _:
            assert_never(check)
    async with engine.db.transaction() as connection:
        written = await record(
            connection,
            step,
            generation_id=one.id,
            version=one.version,
            provider=provider.name,
            books=engine.books,
        )
        kill.reach("watch.recorded")
    kill.reach("watch.committed")
    if not written:  # a cancel or another watcher was quicker; the next lap sees what is left
        _log.info("watch.overtaken", generation_id=one.id)


async def _come_back(provider: Provider, db: Database) -> None:
    # the key is the next tick of the clock, so that several chains of laps melt into one
    tick = int(time.time() / provider.check_interval_seconds) + 1
    async with db.transaction() as connection:
        await jobs.enqueue(
            connection,
            "watch",
            [provider.name],
            after_seconds=provider.check_interval_seconds,
            keys=[f"watch {provider.name} {tick}"],
        )
