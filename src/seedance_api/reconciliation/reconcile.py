"""Reconcile: compare what an upstream says it was given with what we know. What does not add up becomes a row.

An `orphan` is a task that none of our attempts has; `late` one that belongs to an attempt we had given up and that was
made after all, so that the operator pays for it; `missing` one that we believe to run and the upstream does not know;
`tokens` and `state` are those that both know, otherwise.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec
import structlog

from seedance_api.billing.settle import book_cost
from seedance_api.foundation import jobs
from seedance_api.generations.engine import Engine
from seedance_api.generations.queries import reads
from seedance_api.generations.states import AttemptState
from seedance_api.providers.provider import Known, Provider
from seedance_api.reconciliation import discrepancies
from seedance_api.reconciliation.compare import SETTLED, compare, id_of
from seedance_api.reconciliation.discrepancies import Discrepancy, Ours
from seedance_api.reconciliation.discrepancies import Lost as LostAttempt

_BEFORE = timedelta(minutes=2)
_log = structlog.get_logger()


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison of one upstream came to."""

    provider: str
    since: datetime
    tasks: int
    attempts: int
    found: list[Discrepancy]


async def reconcile(engine: Engine, hours: float, provider: str | None = None) -> list[Reconciled]:
    """Compare every upstream that lists its tasks, for the last hours; returns what was found, which is stored, too.

    All at once: one that is slow keeps no other waiting.
    """
    asked = [one for name, one in engine.providers.items() if one.capabilities.lists and provider in (None, name)]
    results = await asyncio.gather(*(_reconcile(one, engine, hours) for one in asked), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if isinstance(result, Reconciled)]


async def _reconcile(provider: Provider, engine: Engine, hours: float) -> Reconciled | None:
    name = provider.name
    now = await discrepancies.now(engine.db)
    asked = now - timedelta(hours=hours)
    listing = await provider.known_since(asked)
    if listing is None:
        _log.warning("reconcile.unanswered", provider=name)
        return None
    known, since = listing.tasks, listing.since
    if since > asked:  # what is older was in shorter runs, or in none
        _log.error(
            "reconcile.narrowed",
            provider=name,
            hours=hours,
            compared_hours=round((now - since).total_seconds() / 3600, 2),
            operator_must_act=True,
        )
    ours = await discrepancies.ours_since(engine.db, name, since, [id_of(task.operation) for task in known])
    ours += turned_up(known, ours, await discrepancies.lost_since(engine.db, name, since), engine.pseudonyms.customer)
    found = compare(name, known, ours, since=since, now=now)
    await discrepancies.store(engine.db, found, [id_of(task.operation) for task in known], name)
    await _write_off(found, engine)
    await _ask_again(name, found, engine)
    if found:
        _log.warning("reconcile.differs", provider=name, count=len(found), kinds=sorted({one.kind for one in found}))
    return Reconciled(provider=name, since=since, tasks=len(known), attempts=len(ours), found=found)


def turned_up(
    known: Sequence[Known], ours: Sequence[Ours], lost: Sequence[LostAttempt], customer: Callable[[str], str]
) -> list[Ours]:
    """Attempts given up as unknown whose work is there after all: same customer, nonce, time; no other fits. Pure."""
    taken = {attempt.operation_id for attempt in ours}
    found: dict[str, Ours] = {}
    for task in known:
        if id_of(task.operation) in taken or task.customer is None:
            continue
        fits = [
            one
            for one in lost
            if one.id not in found
            and one.sent_at - _BEFORE <= task.created_at <= one.sent_at + SETTLED
            and customer(one.account_id) == task.customer
            and (None in (one.nonce, task.nonce) or one.nonce == task.nonce)
        ]
        if len(fits) == 1:
            found[fits[0].id] = Ours(
                id=fits[0].id,
                operation_id=id_of(task.operation),
                state=AttemptState.LOST,
                sent_at=fits[0].sent_at,
                tokens=None,
                costed=fits[0].costed,
            )
    return list(found.values())


async def _write_off(found: Sequence[Discrepancy], engine: Engine) -> None:
    """A video that came too late was billed to the operator: book it once, and close the matter."""
    for one in found:
        if one.kind != "late" or one.attempt_id is None:
            continue
        async with engine.db.transaction() as connection:
            generation_id = await discrepancies.generation_of(connection, one.attempt_id)
            sale, order = await reads.sale_of(connection, generation_id)
            sale = msgspec.structs.replace(sale, tokens=one.detail.get("tokens"), provider=one.provider)
            await book_cost(connection, sale, order, one.attempt_id, engine.books)
            await discrepancies.resolve(connection, one, "made too late: the upstream's bill is the operator's")


async def _ask_again(provider: str, found: Sequence[Discrepancy], engine: Engine) -> None:
    """What the upstream does not list is asked for by its id at once: only that answer counts."""
    missing = [one.attempt_id for one in found if one.kind == "missing" and one.attempt_id is not None]
    if missing:
        async with engine.db.transaction() as connection:
            keys = [f"look {one}" for one in missing]
            await jobs.enqueue(connection, "look", missing, keys=keys, group=provider)
