"""Advance: take one step with a due generation and record where it leads.

Decide, act, record. The network is used with no transaction open; what a step leads to is written in one.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import assert_never

import asyncpg
import msgspec
import structlog

from seedance_api.billing.books import Books
from seedance_api.delivery.store import Storage, StoreOutcome, Unstored, discard
from seedance_api.foundation import kill
from seedance_api.foundation.db import Database
from seedance_api.generations import decide, queries
from seedance_api.generations.record import record
from seedance_api.generations.rows import Attempt, Claimed
from seedance_api.generations.states import AttemptState, State
from seedance_api.providers.provider import Commission, Input, Operation, Provider, Unclear

_CALL_SECONDS = 60.0
_log = structlog.get_logger()


class Engine(msgspec.Struct, frozen=True):
    """What the steps of a generation need."""

    db: Database
    providers: dict[str, Provider]
    storage: Storage
    books: Books
    lease_seconds: float


async def advance(generation_id: str, engine: Engine) -> None:
    """Take the step that is due, if any. Safe to call at any time, any number of times, from anywhere."""
    generation = await queries.claim(engine.db, generation_id, engine.lease_seconds)
    if generation is None:
        return
    kill.reach("advance.claimed")
    async with _kept(generation, engine):
        step = await _take_step(generation, engine)
    async with engine.db.transaction() as connection:
        written = await record(
            connection,
            step,
            generation_id=generation.id,
            version=generation.version,
            provider=generation.provider,
            books=engine.books,
        )
        kill.reach("advance.recorded")
    kill.reach("advance.committed")
    if not written:
        _log.warning("advance.claim_lost", generation_id=generation.id, state=generation.state)
        if isinstance(step, decide.Complete):
            await discard(step.stored, engine.storage)


async def _take_step(generation: Claimed, engine: Engine) -> decide.Step:
    provider = engine.providers[generation.provider]
    match generation.state:
        case State.SUBMITTING:
            return await _submit(generation, provider, engine)
        case State.RUNNING:
            return await _stop(generation, provider, engine)
        case State.STORING:
            operation = await queries.last_operation(engine.db, generation.id)
            assert operation is not None, "a generation is not storing before an attempt succeeded"
            outcome = await _store(generation, provider, operation, engine)
            kill.reach("advance.stored")
            return decide.after_storing(generation, outcome)
        case State.QUEUED | State.COMPLETED | State.FAILED | State.CANCELED:
            raise AssertionError("such a generation cannot be claimed")
        case _:
            assert_never(generation.state)


async def _submit(generation: Claimed, provider: Provider, engine: Engine) -> decide.Step:
    attempt = await queries.open_attempt(engine.db, generation.id)
    assert attempt is not None, "submitting generations have an open attempt"
    if attempt.state is not AttemptState.PLANNED:
        # sent without an answer, by us or by a worker that died: look for it, never send it again blindly
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                found = await provider.find(attempt.id)
        except TimeoutError:
            found = Unclear("timeout")
        return decide.after_looking(generation, attempt, found)
    refusal = decide.before_sending(generation, attempt)
    if refusal is not None:
        return refusal
    commission = await _commission(generation, attempt, engine)
    async with engine.db.transaction() as connection:
        if not await queries.attempt_sent(connection, attempt.id):
            return decide.PutOff(decide.backoff(generation.tries))
    kill.reach("advance.sent")
    try:
        async with asyncio.timeout(_CALL_SECONDS):
            answer = await provider.start(commission)
    except TimeoutError:
        answer = Unclear("timeout")
    kill.reach("advance.started")
    return decide.after_sending(generation, attempt, answer)


async def _stop(generation: Claimed, provider: Provider, engine: Engine) -> decide.Step:
    attempt = await queries.open_attempt(engine.db, generation.id)
    assert attempt is not None, "running generations have an acknowledged attempt"
    assert attempt.operation is not None, "running generations have an acknowledged attempt"
    try:
        async with asyncio.timeout(_CALL_SECONDS):
            stopped = await provider.cancel(attempt.operation)
    except Exception:  # noqa: BLE001 a deadline must come through whatever a provider does
        _log.warning("advance.stop_failed", generation_id=generation.id, exc_info=True)
        stopped = False
    return decide.after_stopping(generation, attempt, stopped)


async def _store(generation: Claimed, provider: Provider, operation: Operation, engine: Engine) -> StoreOutcome:
    try:
        return await engine.storage.store(
            generation.id, generation.version, generation.params, generation.output, provider, operation
        )
    except Exception:  # noqa: BLE001 a full disk or a store that refuses: tried again, until the deadline
        _log.error("advance.store_failed", generation_id=generation.id, exc_info=True)
        return Unstored("output_unavailable")


async def _commission(generation: Claimed, attempt: Attempt, engine: Engine) -> Commission:
    media = await queries.media_of(engine.db, generation.id)
    return Commission(
        attempt_id=attempt.id,
        order=generation.params,
        prompt=await queries.prompt_of(engine.db, generation.id) or "",
        inputs=tuple(
            Input(
                kind=medium.kind,
                role=medium.role,
                object_key=medium.object_key,
                media_type=medium.media_type,
                width=medium.width,
                height=medium.height,
                seconds=medium.seconds,
            )
            for medium in media
        ),
        deadline_at=generation.deadline_at,
    )


@asynccontextmanager
async def _kept(generation: Claimed, engine: Engine) -> AsyncGenerator[None, None]:
    async def keep() -> None:
        kept = True
        while kept:
            await asyncio.sleep(engine.lease_seconds / 3)
            try:
                kept = await queries.keep_claim(engine.db, generation.id, generation.version, engine.lease_seconds)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                # the database may be back before the lease is over
                _log.warning("advance.keep_failed", generation_id=generation.id, exc_info=True)

    keeper = asyncio.create_task(keep())
    try:
        yield
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
