"""Record a step: state, attempt, content, money, announcement and the next job in one transaction, or nothing."""

import time
from collections.abc import Sequence
from typing import assert_never

import asyncpg
import msgspec

from seedance_api.billing.books import Books
from seedance_api.billing.settle import book_costs, release, settle
from seedance_api.delivery.queries import insert_content
from seedance_api.foundation import jobs, kill
from seedance_api.foundation.batch import Batch
from seedance_api.foundation.db import Connection, Database, wait_for_locks
from seedance_api.foundation.ids import new_id
from seedance_api.generations import decide
from seedance_api.generations.queries import attempts, inputs, moves, reads
from seedance_api.generations.states import AttemptState
from seedance_api.providers.provider import Original
from seedance_api.routing import durations
from seedance_api.webhooks.announce import announce

_DISPATCH_TICK = 0.1
_WATCH_TICK = 0.5
_IMPATIENT_SECONDS = 0.25


class Entry(msgspec.Struct, frozen=True):
    """A step of one generation, to be recorded if the generation is still at this version."""

    generation_id: str
    version: int
    provider: str
    step: decide.Step


class Recorder:
    """Records steps. Up to 64 starts that come together share a transaction, and so do ends."""

    def __init__(self, db: Database, books: Books) -> None:
        self._db, self._books = db, books
        self._starts: Batch[Entry, bool] = Batch(self._write, most=64, flights=2)
        self._ends: Batch[Entry, bool] = Batch(self._write, most=64, flights=2)

    async def __call__(self, entry: Entry) -> bool:
        """Write the step; False, and nothing written, when the claim was lost."""
        match entry.step:
            case decide.Acknowledge():
                together = self._starts
            case decide.Store():
                together = self._ends
            case _:
                return await self._write_one(entry)
        try:
            return await together(entry)
        except asyncpg.LockNotAvailableError:  # one of those that came together is locked; only that one waits for it
            return await self._write_one(entry)

    async def _write(self, entries: list[Entry]) -> list[bool | Exception]:
        try:
            return [*await self._write_together(entries, _IMPATIENT_SECONDS)]
        except asyncpg.LockNotAvailableError as error:
            return [error] * len(entries)
        except Exception:  # noqa: BLE001 one step with a fault must not take the others down with it
            return [await self._write_alone(one) for one in entries]

    async def _write_alone(self, entry: Entry) -> bool | Exception:
        try:
            return await self._write_one(entry)
        except Exception as error:  # noqa: BLE001 its own caller hears of it
            return error

    async def _write_one(self, entry: Entry) -> bool:
        """What an upstream said, or a finished file, is worth more than one try: a transaction that is broken off,
        by a deadlock say, has written nothing."""
        for last in (False, False, True):
            try:
                return (await self._write_together([entry]))[0]
            except asyncpg.TransactionRollbackError:
                if last:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _write_together(self, entries: Sequence[Entry], lock_seconds: float | None = None) -> list[bool]:
        is_end = isinstance(entries[0].step, decide.Store)
        async with self._db.transaction() as connection:
            if lock_seconds is not None:
                await wait_for_locks(connection, lock_seconds)
            written = await record_alike(connection, entries, self._books)
            if is_end:
                kill.reach("watch.recorded")
            else:
                kill.reach("advance.recorded")
        if is_end:
            kill.reach("watch.committed")
        else:
            kill.reach("advance.committed")
        return written


async def record(
    connection: Connection, step: decide.Step, *, generation_id: str, version: int, provider: str, books: Books
) -> bool:
    """Write the step; False, and nothing written, when the claim was lost."""
    return (await record_alike(connection, [Entry(generation_id, version, provider, step)], books))[0]


async def record_alike(connection: Connection, entries: Sequence[Entry], books: Books) -> list[bool]:
    """Write steps: one of any kind, or several that are all starts or all ends. False for each claim that was lost."""
    match entries[0].step:
        case decide.Acknowledge():
            moved = await _record_starts(connection, entries)
        case decide.Store():
            moved = await _record_ends(connection, entries, books)
        case _:
            (entry,) = entries
            moved = await _record_other(connection, entry, books)
    return [entry.generation_id in moved for entry in entries]


async def _record_starts(connection: Connection, entries: Sequence[Entry]) -> set[str]:
    ids = [one.generation_id for one in entries]
    await moves.lock(connection, ids)
    moved = await moves.to_running(connection, ids, [one.version for one in entries])
    steps = [one.step for one in entries if one.generation_id in moved and isinstance(one.step, decide.Acknowledge)]
    await attempts.to_acknowledged(connection, [one.attempt_id for one in steps], [one.operation for one in steps])
    for provider in sorted({one.provider for one in entries if one.generation_id in moved}):
        await watch_soon(connection, provider)
    await moves.notify(connection, sorted(moved))
    return moved


async def _record_ends(connection: Connection, entries: Sequence[Entry], books: Books) -> set[str]:
    entries = list({one.generation_id: one for one in entries}.values())  # a lap and a callback bring the same news
    steps = {one.generation_id: one.step for one in entries if isinstance(one.step, decide.Store)}
    await moves.lock(connection, list(steps))
    moved = await moves.to_storing(
        connection, list(steps), [one.version for one in entries], [step.output for step in steps.values()]
    )
    ended = [one for one in entries if one.generation_id in moved]
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
    return moved


async def _record_other(connection: Connection, entry: Entry, books: Books) -> set[str]:
    step, generation_id, version = entry.step, entry.generation_id, entry.version
    if not await _move(connection, step, generation_id, version):
        return set()
    await _follow(connection, step, generation_id, version, entry.provider)
    await _account(connection, step, generation_id, books)
    await _announce(connection, step, generation_id)
    if not isinstance(step, decide.PutOff | decide.StayUnknown | decide.TryAgain | decide.LeaveRunning):
        await moves.notify(connection, [generation_id])
    return {generation_id}


async def _move(connection: Connection, step: decide.Step, generation_id: str, version: int) -> bool:
    match step:
        case decide.Acknowledge() | decide.Store():
            raise AssertionError("these are recorded together")
        case decide.StayUnknown(seconds=seconds) | decide.TryAgain(seconds=seconds):
            return await moves.put_off(connection, generation_id, version, seconds)
        case decide.PutOff(seconds=seconds, wrong=wrong, waits_for=waits_for):
            return await moves.put_off(connection, generation_id, version, seconds, wrong=wrong, waits_for=waits_for)
        case decide.Requeue(provider=provider):
            return await moves.to_queued(connection, generation_id, version, provider)
        case decide.LeaveRunning():
            return await moves.wait_for_watch(connection, generation_id, version)
        case decide.Complete(stored):
            return await moves.to_completed(connection, generation_id, version, stored.output)
        case decide.Fail(code, message):
            return await moves.to_failed(connection, generation_id, version, code, message)
        case decide.Cancel():
            return await moves.to_canceled(connection, generation_id, version)
        case _:
            assert_never(step)


async def _follow(connection: Connection, step: decide.Step, generation_id: str, version: int, provider: str) -> None:
    match step:
        case decide.Acknowledge() | decide.Store():
            raise AssertionError("these are recorded together")
        case decide.StayUnknown(attempt_id, reason, seconds):
            await attempts.to_unknown(connection, attempt_id, reason)
            await advance_later(connection, generation_id, version, seconds, provider)
        case decide.TryAgain(attempt_id, state, reason, seconds, original):
            await close_attempt(connection, attempt_id, state, reason, original)
            await attempts.plan(connection, provider, [new_id("att")], [generation_id])
            await advance_later(connection, generation_id, version, seconds, provider)
        case decide.Requeue(attempt_id, state, reason, other, original):
            await close_attempt(connection, attempt_id, state, reason, original)
            for one in sorted({provider, other}):
                await dispatch_soon(connection, one)
        case decide.PutOff(seconds, storing):
            job = "store" if storing else "advance"
            await advance_later(connection, generation_id, version, seconds, provider, job)
        case decide.LeaveRunning():
            pass
        case decide.Complete(stored, keep_seconds):
            await insert_content(connection, generation_id, keep_seconds, stored.assets)
            await inputs.shorten_inline_files(connection, generation_id)
            await jobs.enqueue(connection, "tidy", [generation_id])
        case decide.Fail() | decide.Cancel():
            reason, original = (step.code, step.original) if isinstance(step, decide.Fail) else ("canceled", None)
            await close_attempt(connection, step.attempt_id, step.attempt_state, reason, original)
            await dispatch_soon(connection, provider)
            await inputs.shorten_inline_files(connection, generation_id)
            await jobs.enqueue(connection, "tidy", [generation_id])
        case _:
            assert_never(step)


async def _account(connection: Connection, step: decide.Step, generation_id: str, books: Books) -> None:
    """What the step means in money."""
    match step:
        case decide.Complete():
            sale, order = await reads.sale_of(connection, generation_id)
            await settle(connection, sale, order, books)
        case decide.Fail() | decide.Cancel():
            await release(connection, generation_id)
        case (
            decide.Acknowledge()
            | decide.Store()
            | decide.StayUnknown()
            | decide.TryAgain()
            | decide.Requeue()
            | decide.PutOff()
            | decide.LeaveRunning()
        ):
            pass
        case _:
            assert_never(step)


async def _announce(connection: Connection, step: decide.Step, generation_id: str) -> None:
    """Tell the account's endpoints how it ended. Once: the move above was made under the generation's version."""
    match step:
        case decide.Complete():
            await announce(connection, "video.completed", [generation_id])
        case decide.Fail():
            await announce(connection, "video.failed", [generation_id])
        case decide.Cancel():
            await announce(connection, "video.canceled", [generation_id])
        case (
            decide.Acknowledge()
            | decide.Store()
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
