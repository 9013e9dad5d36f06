"""Submit: hand a generation to its provider, or look for it where it was sent without an answer."""

import asyncio
import random

import asyncpg
import msgspec
import structlog

from seedance_api.foundation import kill_points
from seedance_api.foundation.db import UNREACHABLE
from seedance_api.generations import decide, steps
from seedance_api.generations.attempt_rows import Opened
from seedance_api.generations.engine import CALL_SECONDS, Engine
from seedance_api.generations.queries import attempts
from seedance_api.generations.rows import Claimed
from seedance_api.generations.states import AttemptState
from seedance_api.generations.step_batches import Sending
from seedance_api.providers.provider import (
    Busy,
    Commission,
    Input,
    NotMade,
    NotSent,
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
from seedance_api.routing.router import allowed

_PATIENCE_SECONDS = 5.0
"""A longer wait at one provider is a reason to ask another."""
_log = structlog.get_logger()


async def submit(generation: Claimed, provider: Provider, engine: Engine) -> steps.Step:
    """Send a planned attempt, if it may be sent now; look for one that was sent already."""
    attempt = await engine.batches.open(generation.id)
    assert attempt is not None, "submitting generations have an open attempt"
    if attempt.state is not AttemptState.PLANNED:
        return await _look_for(generation, attempt, provider, engine)
    refusal = decide.before_sending(generation, attempt)
    if refusal is not None:
        return refusal
    if generation.livemode and not allowed(provider.capabilities.region, generation.regions):
        return decide.out_of_region(attempt, await other_provider(generation, engine))
    if attempt.number > 1 and (seconds := await rest_seconds(engine.db, provider.name, generation.model)) > 0:
        return await _wait(generation, attempt, seconds, engine)
    commission = await _commission(generation, attempt, engine)
    named = [one.asset for one in commission.inputs if one.asset is not None]
    if await assets.refused(engine.db, generation.account_id, named):
        return decide.without_asset(attempt)
    capacity = provider.capabilities.models.get(generation.model)
    latest = asyncio.get_running_loop().time() + CALL_SECONDS
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
    return await other_provider(generation, engine) if isinstance(answer, Busy | NotSent) else None


async def _wait(generation: Claimed, attempt: Opened, seconds: float, engine: Engine) -> steps.Step:
    if seconds > _PATIENCE_SECONDS and (elsewhere := await other_provider(generation, engine)):
        return steps.Requeue(attempt.id, AttemptState.REJECTED, "the provider's circuit breaker is open", elsewhere)
    return steps.PutOff(min(seconds, 60.0) + random.uniform(0, 0.2))  # noqa: S311 it only spreads them


async def _start(provider: Provider, commission: Commission, latest: float) -> StartOutcome:
    """Hand it over, unless this process was held up since it was marked as sent: another may look for it by now."""
    if asyncio.get_running_loop().time() >= latest:
        return Unclear("held up")
    try:
        async with asyncio.timeout_at(latest):
            return await provider.start(commission)
    except TimeoutError:
        return Unclear("timeout")


async def _look_for(generation: Claimed, attempt: Opened, provider: Provider, engine: Engine) -> steps.Step:
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
        async with asyncio.timeout(CALL_SECONDS):
            found = await provider.find(search)
    except TimeoutError:
        found = Unclear("timeout")
    elsewhere = await other_provider(generation, engine) if isinstance(found, NotMade) else None
    return decide.after_looking(generation, attempt, found, elsewhere)


async def other_provider(generation: Claimed, engine: Engine) -> str | None:
    """Another provider that may make it and that nothing is known against, by the operator's preference."""
    if generation.pinned:
        return None
    able = [name for name in engine.router.able(generation.params, generation.regions) if name != generation.provider]
    if not able or not generation.livemode:
        return None
    known = await circuit_breaker.of_providers(engine.db, able)
    shut = {one.provider for one in known if one.wait_seconds > 0 and one.model in ("", generation.model)}
    return next((name for name in able if name not in shut), None)


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
