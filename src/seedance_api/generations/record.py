"""Record a step: state, attempt, content, money, announcement and the next job in one transaction, or nothing."""

import time
from typing import assert_never

from seedance_api.billing.books import Books
from seedance_api.billing.settle import book_cost, release, settle
from seedance_api.delivery.queries import insert_content
from seedance_api.foundation import jobs
from seedance_api.foundation.db import Connection
from seedance_api.foundation.ids import new_id
from seedance_api.generations import decide, queries
from seedance_api.generations.states import AttemptState
from seedance_api.providers.provider import Original

_DISPATCH_TICK = 0.1
_WATCH_TICK = 0.5


async def record(
    connection: Connection, step: decide.Step, *, generation_id: str, version: int, provider: str, books: Books
) -> bool:
    """Write the step; False, and nothing written, when the claim was lost."""
    if not await _move(connection, step, generation_id, version):
        return False
    await _follow(connection, step, generation_id, version, provider)
    await _account(connection, step, generation_id, books)
    if not isinstance(step, decide.PutOff | decide.StayUnknown | decide.TryAgain | decide.LeaveRunning):
        await queries.announce(connection, [generation_id])
    return True


async def _move(connection: Connection, step: decide.Step, generation_id: str, version: int) -> bool:
    match step:
        case decide.Acknowledge():
            return await queries.to_running(connection, generation_id, version)
        case decide.StayUnknown(seconds=seconds) | decide.TryAgain(seconds=seconds) | decide.PutOff(seconds):
            return await queries.put_off(connection, generation_id, version, seconds)
        case decide.Requeue(provider=provider):
            return await queries.to_queued(connection, generation_id, version, provider)
        case decide.LeaveRunning():
            return await queries.wait_for_watch(connection, generation_id, version)
        case decide.Store(_, output):
            return await queries.to_storing(connection, generation_id, version, output)
        case decide.Complete(stored):
            return await queries.to_completed(connection, generation_id, version, stored.output)
        case decide.Fail(code, message):
            return await queries.to_failed(connection, generation_id, version, code, message)
        case decide.Cancel():
            return await queries.to_canceled(connection, generation_id, version)
        case _:
            assert_never(step)


async def _follow(connection: Connection, step: decide.Step, generation_id: str, version: int, provider: str) -> None:
    match step:
        case decide.Acknowledge(attempt_id, operation):
            await queries.attempt_acknowledged(connection, attempt_id, operation)
            await watch_soon(connection, provider)
        case decide.StayUnknown(attempt_id, reason, seconds):
            await queries.attempt_unknown(connection, attempt_id, reason)
            await advance_later(connection, generation_id, version, seconds)
        case decide.TryAgain(attempt_id, state, reason, seconds, original):
            await close_attempt(connection, attempt_id, state, reason, original)
            await queries.plan_attempts(connection, provider, [new_id("att")], [generation_id])
            await advance_later(connection, generation_id, version, seconds)
        case decide.Requeue(attempt_id, state, reason, other, original):
            await close_attempt(connection, attempt_id, state, reason, original)
            await dispatch_soon(connection, provider)
            await dispatch_soon(connection, other)
        case decide.PutOff(seconds):
            await advance_later(connection, generation_id, version, seconds)
        case decide.LeaveRunning():
            pass
        case decide.Store(attempt_id):
            await queries.attempt_succeeded(connection, attempt_id)
            await advance_later(connection, generation_id, version)
            await dispatch_soon(connection, provider)
        case decide.Complete(stored, keep_seconds):
            await insert_content(connection, generation_id, keep_seconds, stored.assets)
            await jobs.enqueue(connection, "tidy", [generation_id])
        case decide.Fail() | decide.Cancel():
            reason, original = (step.code, step.original) if isinstance(step, decide.Fail) else ("canceled", None)
            await close_attempt(connection, step.attempt_id, step.attempt_state, reason, original)
            await dispatch_soon(connection, provider)
            await jobs.enqueue(connection, "tidy", [generation_id])
        case _:
            assert_never(step)


async def _account(connection: Connection, step: decide.Step, generation_id: str, books: Books) -> None:
    """What the step means in money."""
    match step:
        case decide.Store(attempt_id):
            sale, order = await queries.sale_of(connection, generation_id)
            await book_cost(connection, sale, order, attempt_id, books)
        case decide.Complete():
            sale, order = await queries.sale_of(connection, generation_id)
            await settle(connection, sale, order, books)
        case decide.Fail() | decide.Cancel():
            await release(connection, generation_id)
        case (
            decide.Acknowledge()
            | decide.StayUnknown()
            | decide.TryAgain()
            | decide.Requeue()
            | decide.PutOff()
            | decide.LeaveRunning()
        ):
            pass
        case _:
            assert_never(step)


async def close_attempt(
    connection: Connection, attempt_id: str | None, state: AttemptState, reason: str, original: Original | None = None
) -> None:
    """Bring an attempt to its end."""
    if attempt_id is None:
        return
    match state:
        case AttemptState.REJECTED:
            await queries.attempt_rejected(connection, attempt_id, reason, original)
        case AttemptState.FAILED:
            await queries.attempt_failed(connection, attempt_id, reason, original)
        case AttemptState.LOST:
            await queries.attempt_lost(connection, attempt_id, reason)
        case _:
            raise ValueError(f"an attempt does not end as {state}")


async def dispatch_soon(connection: Connection, provider: str) -> None:
    """A slot is free: let the queue move."""
    await _in_a_tick(connection, "dispatch", provider, _DISPATCH_TICK)


async def watch_soon(connection: Connection, provider: str, seconds: float = 0.0) -> None:
    """Have a lap of `watch`, in so many seconds or a little later."""
    await _in_a_tick(connection, "watch", provider, _WATCH_TICK, seconds)


async def _in_a_tick(connection: Connection, job: str, provider: str, tick: float, seconds: float = 0.0) -> None:
    """Enqueue a job for the end of a tick of the clock. All that ask in one tick share it, so a rush costs no more."""
    now = time.time()
    number = int((now + seconds) / tick) + 1
    await jobs.enqueue(
        connection, job, [provider], after_seconds=number * tick - now, keys=[f"{job} {provider} {number}"]
    )


async def advance_later(connection: Connection, generation_id: str, version: int, seconds: float = 0.0) -> None:
    """Enqueue the next step, once for this version of the row."""
    await jobs.enqueue(
        connection,
        "advance",
        [generation_id],
        after_seconds=seconds,
        keys=[f"advance {generation_id} {version + 1}"],
    )
