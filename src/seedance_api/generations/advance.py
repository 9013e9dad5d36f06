"""Advance: take one step with a due generation and record where it leads.

Decide, act, record. The network is used with no transaction open; what a step leads to is written in one.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import assert_never

import asyncpg
import structlog

from seedance_api.delivery.store import StoreOutcome, Unstored, discard
from seedance_api.foundation import kill_points
from seedance_api.generations import decide, steps
from seedance_api.generations.engine import CALL_SECONDS, Engine
from seedance_api.generations.queries import attempts, inputs, queue
from seedance_api.generations.record import Entry
from seedance_api.generations.rows import Claimed
from seedance_api.generations.states import State
from seedance_api.generations.submit import other_provider, submit
from seedance_api.providers.provider import (
    Done,
    Failed,
    Operation,
    Provider,
)

_log = structlog.get_logger()


async def advance(generation_id: str, engine: Engine) -> None:
    """Take the step that is due, if any. Safe to call at any time, any number of times, from anywhere."""
    generation = await engine.batches.claim((generation_id, engine.lease_seconds))
    if generation is None:
        return
    kill_points.reach("advance.claimed")
    async with _kept(generation, engine):
        step = await _take_step(generation, engine)
    try:
        written = await engine.record(Entry(generation.id, generation.version, generation.provider, step))
    except asyncpg.TransactionRollbackError:  # nothing is written, so nothing will name what was stored
        await _discard(step, engine)
        raise
    if not written:
        _log.warning("advance.claim_lost", generation_id=generation.id, state=generation.state)
        await _discard(step, engine)


async def _discard(step: steps.Step, engine: Engine) -> None:
    if isinstance(step, steps.Complete):
        await discard(step.stored, engine.storage)


async def _take_step(generation: Claimed, engine: Engine) -> steps.Step:
    provider = engine.providers.get(generation.provider)
    if provider is None:
        _log.error("provider.gone", provider=generation.provider, generation_id=generation.id)
        return decide.without_provider(
            generation, await engine.batches.open(generation.id), await other_provider(generation, engine)
        )
    match generation.state:
        case State.SUBMITTING:
            return await submit(generation, provider, engine)
        case State.RUNNING:
            return await _stop(generation, provider, engine)
        case State.STORING:
            operation = await attempts.last_operation(engine.db, generation.id)
            assert operation is not None, "a generation is not storing before an attempt succeeded"
            outcome = await _store(generation, provider, operation, engine)
            kill_points.reach("advance.stored")
            return decide.after_storing(generation, outcome)
        case State.QUEUED | State.COMPLETED | State.FAILED | State.CANCELED:
            raise AssertionError("such a generation cannot be claimed")
        case _:
            assert_never(generation.state)


async def _stop(generation: Claimed, provider: Provider, engine: Engine) -> steps.Step:
    attempt = await engine.batches.open(generation.id)
    assert attempt is not None, "running generations have an acknowledged attempt"
    assert attempt.operation is not None, "running generations have an acknowledged attempt"
    try:
        async with asyncio.timeout(CALL_SECONDS):
            if generation.past_deadline:  # it may be done, and its news still on the way
                (check,) = await provider.check_many([attempt.operation])
                if isinstance(check, Done | Failed):
                    return decide.after_check(attempt.id, check)
            stopped = await provider.cancel(attempt.operation)
    except Exception:  # noqa: BLE001 a deadline must come through whatever a provider does
        _log.warning("advance.stop_failed", generation_id=generation.id, exc_info=True)
        stopped = False
    return decide.after_stopping(generation, attempt, stopped)


async def _store(generation: Claimed, provider: Provider, operation: Operation, engine: Engine) -> StoreOutcome:
    outcome = await engine.storage.store(
        generation.id,
        generation.version,
        generation.params,
        generation.output,
        provider,
        operation,
        composite=await inputs.is_composite(engine.db, generation.id),
    )
    if isinstance(outcome, Unstored) and outcome.ours is not None:  # what is made and paid for waits for the operator
        _log.error(
            "store.waiting",
            generation_id=generation.id,
            reason=outcome.ours,
            seconds_left=round(generation.seconds_left),
            operator_must_act=True,
        )
    return outcome


@asynccontextmanager
async def _kept(generation: Claimed, engine: Engine) -> AsyncGenerator[None, None]:
    async def keep() -> None:
        kept = True
        while kept:
            await asyncio.sleep(engine.lease_seconds / 3)
            try:
                kept = await queue.keep_claim(engine.db, generation.id, generation.version, engine.lease_seconds)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                # the database may be back before the lease is over
                _log.warning("advance.keep_failed", generation_id=generation.id, exc_info=True)

    keeper = asyncio.create_task(keep())
    try:
        yield
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
