"""Record a step: state, attempt, content, money, announcement and the next job in one transaction, or nothing."""

import time
from collections.abc import Sequence
from typing import assert_never

import msgspec

from seedance_api.billing.books import Books
from seedance_api.billing.settle import book_costs, release, settle
from seedance_api.delivery.queries import insert_content
from seedance_api.foundation import jobs
from seedance_api.foundation.db import Connection
from seedance_api.foundation.ids import new_id
from seedance_api.generations import decide
from seedance_api.generations.queries import attempts, moves, reads
from seedance_api.generations.states import AttemptState
from seedance_api.providers.provider import Original
from seedance_api.references.queries import shorten_inline_files
from seedance_api.routing import durations
from seedance_api.webhooks.announce import announce
from seedance_api.webhooks.kinds import Kind

_DISPATCH_TICK = 0.1
_WATCH_TICK = 0.5


class Entry(msgspec.Struct, frozen=True):
    """A step of one generation, to be recorded if the generation is still at this version."""

    generation_id: str
    version: int
    provider: str
    step: decide.Step


async def record(
    connection: Connection, step: decide.Step, *, generation_id: str, version: int, provider: str, books: Books
) -> bool:
    """Write the step; False, and nothing written, when the claim was lost."""
    return (await record_alike(connection, [Entry(generation_id, version, provider, step)], books))[0]


async def record_alike(connection: Connection, entries: Sequence[Entry], books: Books) -> list[bool]:
    """Write steps: one of any kind, or several that are all starts or all ends. False for each claim that was lost."""
    entry = entries[0]
    assert len(entries) == 1 or isinstance(entry.step, decide.Acknowledge | decide.Store), "others come alone"
    match entry.step:
        case decide.Acknowledge():
            return await _acknowledge(connection, entries)
        case decide.Store():
            return await _store(connection, entries, books)
        case decide.StayUnknown() as step:
            return [await _stay_unknown(connection, entry, step)]
        case decide.TryAgain() as step:
            return [await _try_again(connection, entry, step)]
        case decide.Requeue() as step:
            return [await _requeue(connection, entry, step)]
        case decide.PutOff() as step:
            return [await _put_off(connection, entry, step)]
        case decide.LeaveRunning():
            return [await moves.wait_for_watch(connection, entry.generation_id, entry.version)]
        case decide.Complete() as step:
            return [await _complete(connection, entry, step, books)]
        case decide.Fail() as step:
            return [await _fail(connection, entry, step)]
        case decide.Cancel() as step:
            return [await _cancel(connection, entry, step)]
        case _:
            assert_never(entry.step)


async def _acknowledge(connection: Connection, entries: Sequence[Entry]) -> list[bool]:
    ids = [one.generation_id for one in entries]
    await moves.lock(connection, ids)
    moved = await moves.to_running(connection, ids, [one.version for one in entries])
    steps = [one.step for one in entries if one.generation_id in moved and isinstance(one.step, decide.Acknowledge)]
    await attempts.to_acknowledged(connection, [one.attempt_id for one in steps], [one.operation for one in steps])
    for provider in sorted({one.provider for one in entries if one.generation_id in moved}):
        await watch_soon(connection, provider)
    await moves.notify(connection, sorted(moved))
    return [one.generation_id in moved for one in entries]


async def _store(connection: Connection, entries: Sequence[Entry], books: Books) -> list[bool]:
    last = {one.generation_id: one for one in entries}  # a lap and a callback bring the same news
    steps = {one.generation_id: one.step for one in last.values() if isinstance(one.step, decide.Store)}
    await moves.lock(connection, list(steps))
    moved = await moves.to_storing(
        connection, list(steps), [one.version for one in last.values()], [step.output for step in steps.values()]
    )
    ended = [one for one in last.values() if one.generation_id in moved]
    attempt_ids = {one.generation_id: steps[one.generation_id].attempt_id for one in ended}
    await attempts.to_succeeded(connection, list(attempt_ids.values()))
    for provider in sorted({one.provider for one in ended}):
        theirs = [one for one in ended if one.provider == provider]
        await jobs.enqueue(
            connection,
            "store",
            [one.generation_id for one in theirs],
            keys=[_advance_key(one.generation_id, one.version) for one in theirs],
            group=provider,
        )
        await dispatch_soon(connection, provider)
    sales = await reads.sales_of(connection, list(attempt_ids))
    await book_costs(connection, [(*sales[own_id], attempt_id) for own_id, attempt_id in attempt_ids.items()], books)
    await moves.notify(connection, list(attempt_ids))
    await durations.learn_durations(
        connection, [(attempt_id, sales[own_id][1]) for own_id, attempt_id in attempt_ids.items()]
    )
    return [one.generation_id in moved for one in entries]


async def _stay_unknown(connection: Connection, entry: Entry, step: decide.StayUnknown) -> bool:
    if not await moves.put_off(connection, entry.generation_id, entry.version, step.seconds):
        return False
    await attempts.to_unknown(connection, step.attempt_id, step.reason)
    await advance_later(connection, entry.generation_id, entry.version, step.seconds, entry.provider)
    return True


async def _try_again(connection: Connection, entry: Entry, step: decide.TryAgain) -> bool:
    if not await moves.put_off(connection, entry.generation_id, entry.version, step.seconds):
        return False
    await close_attempt(connection, step.attempt_id, step.attempt_state, step.reason, step.original)
    await attempts.plan(connection, entry.provider, [new_id("att")], [entry.generation_id])
    await advance_later(connection, entry.generation_id, entry.version, step.seconds, entry.provider)
    return True


async def _requeue(connection: Connection, entry: Entry, step: decide.Requeue) -> bool:
    if not await moves.to_queued(connection, entry.generation_id, entry.version, step.provider):
        return False
    await close_attempt(connection, step.attempt_id, step.attempt_state, step.reason, step.original)
    for provider in sorted({entry.provider, step.provider}):
        await dispatch_soon(connection, provider)
    await moves.notify(connection, [entry.generation_id])
    return True


async def _put_off(connection: Connection, entry: Entry, step: decide.PutOff) -> bool:
    generation_id, version = entry.generation_id, entry.version
    if not await moves.put_off(
        connection, generation_id, version, step.seconds, wrong=step.wrong, waits_for=step.waits_for
    ):
        return False
    job = "store" if step.storing else "advance"
    await advance_later(connection, generation_id, version, step.seconds, entry.provider, job)
    return True


async def _complete(connection: Connection, entry: Entry, step: decide.Complete, books: Books) -> bool:
    generation_id = entry.generation_id
    if not await moves.to_completed(connection, generation_id, entry.version, step.stored.output):
        return False
    await insert_content(connection, generation_id, step.keep_seconds, step.stored.assets)
    await _let_go(connection, generation_id)
    sale, order = await reads.sale_of(connection, generation_id)
    await settle(connection, sale, order, books)
    await _tell(connection, "video.completed", generation_id)
    return True


async def _fail(connection: Connection, entry: Entry, step: decide.Fail) -> bool:
    if not await moves.to_failed(connection, entry.generation_id, entry.version, step.code, step.message):
        return False
    await close_attempt(connection, step.attempt_id, step.attempt_state, step.code, step.original)
    await _end_without_video(connection, entry, "video.failed")
    return True


async def _cancel(connection: Connection, entry: Entry, step: decide.Cancel) -> bool:
    if not await moves.to_canceled(connection, entry.generation_id, entry.version):
        return False
    await close_attempt(connection, step.attempt_id, step.attempt_state, "canceled")
    await _end_without_video(connection, entry, "video.canceled")
    return True


async def _end_without_video(connection: Connection, entry: Entry, kind: Kind) -> None:
    await dispatch_soon(connection, entry.provider)
    await _let_go(connection, entry.generation_id)
    await release(connection, entry.generation_id)
    await _tell(connection, kind, entry.generation_id)


async def _let_go(connection: Connection, generation_id: str) -> None:
    """What a finished generation leaves goes. Before money moves: files are locked before wallets."""
    await shorten_inline_files(connection, generation_id)
    await jobs.enqueue(connection, "tidy", [generation_id])


async def _tell(connection: Connection, kind: Kind, generation_id: str) -> None:
    """Tell the account's endpoints how it ended, and every process. Once: it was moved under its version."""
    await announce(connection, kind, [generation_id])
    await moves.notify(connection, [generation_id])


async def close_attempt(
    connection: Connection, attempt_id: str | None, state: AttemptState, reason: str, original: Original | None = None
) -> None:
    """Bring an attempt to its end."""
    if attempt_id is None:
        return
    match state:
        case AttemptState.REJECTED:
            await attempts.to_rejected(connection, attempt_id, reason, original)
        case AttemptState.FAILED:
            await attempts.to_failed(connection, attempt_id, reason, original)
        case AttemptState.LOST:
            await attempts.to_lost(connection, attempt_id, reason)
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
        connection,
        job,
        [provider],
        after_seconds=number * tick - now,
        keys=[f"{job} {provider} {number}"],
        group=provider,
    )


async def advance_later(
    connection: Connection, generation_id: str, version: int, seconds: float, provider: str, job: str = "advance"
) -> None:
    """Enqueue the next step, once for this version of the row."""
    await jobs.enqueue(
        connection,
        job,
        [generation_id],
        after_seconds=seconds,
        keys=[_advance_key(generation_id, version)],
        group=provider,
    )


def _advance_key(generation_id: str, version: int) -> str:
    return f"advance {generation_id} {version + 1}"
