"""Record a step: state, attempt, content, money, announcement and the next job in one transaction, or nothing."""

from collections.abc import Sequence
from typing import assert_never

import msgspec

from seedance_api.billing.books import Books
from seedance_api.billing.settle import book_costs, release, settle
from seedance_api.delivery.queries import insert_content
from seedance_api.foundation import jobs
from seedance_api.foundation.db import Connection
from seedance_api.foundation.ids import new_id
from seedance_api.generations import steps
from seedance_api.generations.enqueue import advance_key, advance_later, dispatch_soon, watch_soon
from seedance_api.generations.queries import attempt_moves, moves, reads
from seedance_api.generations.rows import Span
from seedance_api.references.queries import shorten_inline_files
from seedance_api.routing import durations
from seedance_api.traffic.metrics import GENERATION_QUEUE_SECONDS, GENERATION_SECONDS, GENERATIONS_ENDED
from seedance_api.webhooks.announce import announce
from seedance_api.webhooks.kinds import Kind


class Entry(msgspec.Struct, frozen=True):
    """A step of one generation, to be recorded if the generation is still at this version."""

    generation_id: str
    version: int
    provider: str
    step: steps.Step


async def record(
    connection: Connection, step: steps.Step, *, generation_id: str, version: int, provider: str, books: Books
) -> bool:
    """Write the step; False, and nothing written, when the claim was lost."""
    return (await record_alike(connection, [Entry(generation_id, version, provider, step)], books))[0]


async def record_alike(connection: Connection, entries: Sequence[Entry], books: Books) -> list[bool]:
    """Write steps: one of any kind, or several that are all starts or all ends. False for each claim that was lost."""
    entry = entries[0]
    assert len(entries) == 1 or isinstance(entry.step, steps.Acknowledge | steps.Store), "others come alone"
    match entry.step:
        case steps.Acknowledge():
            return await _acknowledge(connection, entries)
        case steps.Store():
            return await _store(connection, entries, books)
        case steps.StayUnknown() as step:
            return [await _stay_unknown(connection, entry, step)]
        case steps.TryAgain() as step:
            return [await _try_again(connection, entry, step)]
        case steps.Requeue() as step:
            return [await _requeue(connection, entry, step)]
        case steps.PutOff() as step:
            return [await _put_off(connection, entry, step)]
        case steps.LeaveRunning():
            return [await moves.wait_for_watch(connection, entry.generation_id, entry.version)]
        case steps.Complete() as step:
            return [await _complete(connection, entry, step, books)]
        case steps.Fail() as step:
            return [await _fail(connection, entry, step)]
        case steps.Cancel() as step:
            return [await _cancel(connection, entry, step)]
        case _:
            assert_never(entry.step)


async def _acknowledge(connection: Connection, entries: Sequence[Entry]) -> list[bool]:
    ids = [entry.generation_id for entry in entries]
    await moves.lock(connection, ids)
    moved = await moves.to_running(connection, ids, [entry.version for entry in entries])
    started = [entry for entry in entries if entry.generation_id in moved]
    acknowledged = [entry.step for entry in started if isinstance(entry.step, steps.Acknowledge)]
    await attempt_moves.to_acknowledged(
        connection, [step.attempt_id for step in acknowledged], [step.operation for step in acknowledged]
    )
    for entry in started:
        if (wait := moved[entry.generation_id]) is not None:
            GENERATION_QUEUE_SECONDS.observe(wait.seconds, entry.provider, wait.model)
    for provider in sorted({entry.provider for entry in started}):
        await watch_soon(connection, provider)
    await moves.notify(connection, sorted(moved))
    return [entry.generation_id in moved for entry in entries]


async def _store(connection: Connection, entries: Sequence[Entry], books: Books) -> list[bool]:
    last = {entry.generation_id: entry for entry in entries}  # a lap and a callback bring the same news
    stores = {entry.generation_id: entry.step for entry in last.values() if isinstance(entry.step, steps.Store)}
    await moves.lock(connection, list(stores))
    moved = await moves.to_storing(
        connection, list(stores), [entry.version for entry in last.values()], [step.output for step in stores.values()]
    )
    ended = [entry for entry in last.values() if entry.generation_id in moved]
    attempt_ids = {entry.generation_id: stores[entry.generation_id].attempt_id for entry in ended}
    await attempt_moves.to_succeeded(connection, list(attempt_ids.values()))
    for provider in sorted({entry.provider for entry in ended}):
        theirs = [entry for entry in ended if entry.provider == provider]
        await jobs.enqueue(
            connection,
            "store",
            [entry.generation_id for entry in theirs],
            keys=[advance_key(entry.generation_id, entry.version) for entry in theirs],
            group=provider,
        )
        await dispatch_soon(connection, provider)
    sales = await reads.sales_of(connection, list(attempt_ids))
    await book_costs(connection, [(*sales[own_id], attempt_id) for own_id, attempt_id in attempt_ids.items()], books)
    await moves.notify(connection, list(attempt_ids))
    await durations.learn_durations(
        connection, [(attempt_id, sales[own_id][1]) for own_id, attempt_id in attempt_ids.items()]
    )
    return [entry.generation_id in moved for entry in entries]


async def _stay_unknown(connection: Connection, entry: Entry, step: steps.StayUnknown) -> bool:
    if not await moves.put_off(connection, entry.generation_id, entry.version, step.seconds):
        return False
    await attempt_moves.to_unknown(connection, step.attempt_id, step.reason)
    await advance_later(connection, entry.generation_id, entry.version, step.seconds, entry.provider)
    return True


async def _try_again(connection: Connection, entry: Entry, step: steps.TryAgain) -> bool:
    if not await moves.put_off(connection, entry.generation_id, entry.version, step.seconds):
        return False
    await attempt_moves.close(connection, step.attempt_id, step.attempt_state, step.reason, step.original)
    await attempt_moves.plan(connection, entry.provider, [new_id("att")], [entry.generation_id])
    await advance_later(connection, entry.generation_id, entry.version, step.seconds, entry.provider)
    return True


async def _requeue(connection: Connection, entry: Entry, step: steps.Requeue) -> bool:
    if not await moves.to_queued(connection, entry.generation_id, entry.version, step.provider):
        return False
    await attempt_moves.close(connection, step.attempt_id, step.attempt_state, step.reason, step.original)
    for provider in sorted({entry.provider, step.provider}):
        await dispatch_soon(connection, provider)
    await moves.notify(connection, [entry.generation_id])
    return True


async def _put_off(connection: Connection, entry: Entry, step: steps.PutOff) -> bool:
    generation_id, version = entry.generation_id, entry.version
    if not await moves.put_off(
        connection, generation_id, version, step.seconds, wrong=step.wrong, waits_for=step.waits_for
    ):
        return False
    job = "store" if step.storing else "advance"
    await advance_later(connection, generation_id, version, step.seconds, entry.provider, job)
    return True


async def _complete(connection: Connection, entry: Entry, step: steps.Complete, books: Books) -> bool:
    generation_id = entry.generation_id
    ended = await moves.to_completed(connection, generation_id, entry.version, step.stored.output)
    if ended is None:
        return False
    GENERATION_SECONDS.observe(ended.seconds, entry.provider, ended.model)
    _count(entry, ended, "completed")
    await insert_content(connection, generation_id, step.keep_seconds, step.stored.assets)
    await _let_go(connection, generation_id)
    sale, order = await reads.sale_of(connection, generation_id)
    await settle(connection, sale, order, books)
    await _tell(connection, "video.completed", generation_id)
    return True


async def _fail(connection: Connection, entry: Entry, step: steps.Fail) -> bool:
    ended = await moves.to_failed(connection, entry.generation_id, entry.version, step.code, step.message)
    if ended is None:
        return False
    _count(entry, ended, "failed", step.code)
    await attempt_moves.close(connection, step.attempt_id, step.attempt_state, step.code, step.original)
    await _end_without_video(connection, entry, "video.failed")
    return True


async def _cancel(connection: Connection, entry: Entry, step: steps.Cancel) -> bool:
    ended = await moves.to_canceled(connection, entry.generation_id, entry.version)
    if ended is None:
        return False
    _count(entry, ended, "canceled")
    await attempt_moves.close(connection, step.attempt_id, step.attempt_state, "canceled")
    await _end_without_video(connection, entry, "video.canceled")
    return True


def _count(entry: Entry, ended: Span, outcome: str, code: str = "") -> None:
    """Before the commit: where that is broken off and done again, it is counted twice."""
    GENERATIONS_ENDED.add(entry.provider, ended.model, outcome, code)


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
