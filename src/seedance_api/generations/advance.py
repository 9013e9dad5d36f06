"""Advance: take one step with a due generation and record where it leads.

Decide, act, record. The network is used with no transaction open; what a step leads to is written in one.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import assert_never

import asyncpg
import msgspec
import structlog

from seedance_api.billing.books import Books
from seedance_api.delivery.store import Storage, StoreOutcome, Unstored, discard
from seedance_api.foundation import kill_points
from seedance_api.foundation.db import UNREACHABLE, Database
from seedance_api.generations import decide
from seedance_api.generations.pseudonym import Pseudonyms
from seedance_api.generations.queries import attempts, inputs, queue
from seedance_api.generations.record import Entry
from seedance_api.generations.recorder import Recorder
from seedance_api.generations.rows import Claimed, Opened
from seedance_api.generations.states import AttemptState, State
from seedance_api.generations.step_batches import Sending, StepBatches
from seedance_api.providers.provider import (
    Busy,
    Commission,
    Done,
    Failed,
    Input,
    NotMade,
    NotSent,
    Operation,
    Provider,
    Refused,
    Search,
    Started,
    StartOutcome,
    Unclear,
)
from seedance_api.references import assets
from seedance_api.routing import circuit_breaker
from seedance_api.routing.admission import Admission, learn, rest_seconds
from seedance_api.routing.router import Router, allowed

_CALL_SECONDS = 60.0
_PATIENCE_SECONDS = 5.0
"""A longer wait at one provider is a reason to ask another."""
_log = structlog.get_logger()


class Engine(msgspec.Struct, frozen=True):
    """What the steps of a generation need. `account_concurrency` bounds what one account has under way at a provider.

    `laps` are the providers that this process is asking, `looks` how many attempts it asks each about singly.
    """

    db: Database
    providers: dict[str, Provider]
    router: Router
    pseudonyms: Pseudonyms
    storage: Storage
    books: Books
    batches: StepBatches
    record: Recorder
    lease_seconds: float
    account_concurrency: int
    laps: set[str] = msgspec.field(default_factory=set[str])
    looks: Counter[str] = msgspec.field(default_factory=Counter[str])


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


async def _discard(step: decide.Step, engine: Engine) -> None:
    if isinstance(step, decide.Complete):
        await discard(step.stored, engine.storage)


async def _take_step(generation: Claimed, engine: Engine) -> decide.Step:
    provider = engine.providers.get(generation.provider)
    if provider is None:
        _log.error("provider.gone", provider=generation.provider, generation_id=generation.id)
        return decide.without_provider(
            generation, await engine.batches.open(generation.id), await _elsewhere(generation, engine)
        )
    match generation.state:
        case State.SUBMITTING:
            return await _submit(generation, provider, engine)
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


async def _submit(generation: Claimed, provider: Provider, engine: Engine) -> decide.Step:
    attempt = await engine.batches.open(generation.id)
    assert attempt is not None, "submitting generations have an open attempt"
    if attempt.state is not AttemptState.PLANNED:
        return await _look_for(generation, attempt, provider, engine)
    refusal = decide.before_sending(generation, attempt)
    if refusal is not None:
        return refusal
    if generation.livemode and not allowed(provider.capabilities.region, generation.regions):
        return decide.out_of_region(attempt, await _elsewhere(generation, engine))
    if attempt.number > 1 and (seconds := await rest_seconds(engine.db, provider.name, generation.model)) > 0:
        return await _wait(generation, attempt, seconds, engine)
    commission = await _commission(generation, attempt, engine)
    named = [one.asset for one in commission.inputs if one.asset is not None]
    if await assets.refused(engine.db, generation.account_id, named):
        return decide.without_asset(attempt)
    capacity = provider.capabilities.models.get(generation.model)
    latest = asyncio.get_running_loop().time() + _CALL_SECONDS
    admission = await engine.batches.send(
        Sending(attempt.id, generation.seconds_left, provider.name, generation.model, capacity)
    )
    if admission.wait_seconds > 0:
        return await _wait(generation, attempt, admission.wait_seconds, engine)
    kill_points.reach("advance.sent")
    answer = await _start(provider, msgspec.structs.replace(commission, nonce=admission.nonce), latest)
    kill_points.reach("advance.started")
    try:
        elsewhere = await _learn(generation, attempt, provider, admission, answer, engine)
    except (*UNREACHABLE, asyncpg.PostgresError):  # the answer is worth more than what follows from it
        _log.warning("advance.learn_failed", generation_id=generation.id, exc_info=True)
        elsewhere = None
    return decide.after_sending(generation, attempt, answer, elsewhere)


async def _learn(
    generation: Claimed, attempt: Opened, provider: Provider, admission: Admission, answer: StartOutcome, engine: Engine
) -> str | None:
    """Note what the answer says about the provider's health; returns another provider where one is wanted."""
    fine = admission.healthy and isinstance(answer, Started | Refused)  # then there is nothing to learn
    # what stays on this machine is not shut for all by the test value of one
    if not fine and provider.capabilities.region is not None:
        trouble = await learn(engine.db, provider.name, generation.model, answer, admission.failures)
        if trouble is not None:
            _log.warning(
                "provider.trouble",
                provider=provider.name,
                model=generation.model,
                attempt_id=attempt.id,
                reason=trouble.reason,
                closed_seconds=trouble.wait_seconds,
                operator_must_act=isinstance(answer, Busy) and answer.operator,
            )
    return await _elsewhere(generation, engine) if isinstance(answer, Busy | NotSent) else None


async def _wait(generation: Claimed, attempt: Opened, seconds: float, engine: Engine) -> decide.Step:
    if seconds > _PATIENCE_SECONDS and (elsewhere := await _elsewhere(generation, engine)):
        return decide.Requeue(attempt.id, AttemptState.REJECTED, "the provider's circuit breaker is open", elsewhere)
    return decide.PutOff(min(seconds, 60.0) + random.uniform(0, 0.2))  # noqa: S311 it only spreads them


async def _start(provider: Provider, commission: Commission, latest: float) -> StartOutcome:
    """Hand it over, unless this process was held up since it was marked as sent: another may look for it by now."""
    if asyncio.get_running_loop().time() >= latest:
        return Unclear("held up")
    try:
        async with asyncio.timeout_at(latest):
            return await provider.start(commission)
    except TimeoutError:
        return Unclear("timeout")


async def _look_for(generation: Claimed, attempt: Opened, provider: Provider, engine: Engine) -> decide.Step:
    """It was sent without an answer, by us or by a worker that died: look for it, never send it again blindly."""
    assert attempt.sent_at is not None, "it was sent"
    search = Search(
        attempt_id=attempt.id,
        order=generation.params,
        customer=engine.pseudonyms.customer(generation.account_id),
        sent_at=attempt.sent_at,
        seconds_since=attempt.seconds_since or 0.0,
        seconds_left=attempt.seconds_left or 0.0,
        nonce=attempt.nonce,
        draft=await attempts.draft_operation(engine.db, generation.id) if generation.draft_id else None,
        told=attempt.told,
        others=await attempts.other_operations(engine.db, attempt),
        rival=await attempts.has_rival(engine.db, attempt),
    )
    try:
        async with asyncio.timeout(_CALL_SECONDS):
            found = await provider.find(search)
    except TimeoutError:
        found = Unclear("timeout")
    elsewhere = await _elsewhere(generation, engine) if isinstance(found, NotMade) else None
    return decide.after_looking(generation, attempt, found, elsewhere)


async def _elsewhere(generation: Claimed, engine: Engine) -> str | None:
    """Another provider that may make it and that nothing is known against, by the operator's preference."""
    if generation.pinned:
        return None
    able = [name for name in engine.router.able(generation.params, generation.regions) if name != generation.provider]
    if not able or not generation.livemode:
        return None
    known = await circuit_breaker.of_providers(engine.db, able)
    shut = {one.provider for one in known if one.wait_seconds > 0 and one.model in ("", generation.model)}
    return next((name for name in able if name not in shut), None)


async def _stop(generation: Claimed, provider: Provider, engine: Engine) -> decide.Step:
    attempt = await engine.batches.open(generation.id)
    assert attempt is not None, "running generations have an acknowledged attempt"
    assert attempt.operation is not None, "running generations have an acknowledged attempt"
    try:
        async with asyncio.timeout(_CALL_SECONDS):
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


async def _commission(generation: Claimed, attempt: Opened, engine: Engine) -> Commission:
    made_from = await engine.batches.inputs(generation.id)
    return Commission(
        attempt_id=attempt.id,
        order=generation.params,
        prompt=made_from.prompt or "",
        inputs=tuple(
            Input(
                kind=medium.kind,
                role=medium.role,
                object_key=medium.object_key,
                asset=medium.asset,
                media_type=medium.media_type,
                width=medium.width,
                height=medium.height,
                seconds=medium.seconds,
            )
            for medium in made_from.media
        ),
        customer=engine.pseudonyms.customer(generation.account_id),
        draft=await attempts.draft_operation(engine.db, generation.id) if generation.draft_id else None,
        callback_url=engine.pseudonyms.callback_url(attempt.id),
        deadline_at=generation.deadline_at,
        seconds_left=generation.seconds_left,
    )


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
