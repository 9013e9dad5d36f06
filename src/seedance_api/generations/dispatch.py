"""Dispatch: give a provider's free slots to the queue, fairly among accounts; what it cannot take goes elsewhere."""

from collections.abc import Sequence

from seedance_api.catalog.models import MODELS
from seedance_api.foundation import jobs, kill_points
from seedance_api.foundation.db import Connection
from seedance_api.foundation.ids import new_id
from seedance_api.generations.engine import Engine
from seedance_api.generations.enqueue import dispatch_soon
from seedance_api.generations.queries import attempt_moves, moves, queue
from seedance_api.routing import circuit_breaker
from seedance_api.routing.admission import slots_of
from seedance_api.routing.circuit_breaker import CircuitBreaker, wait_seconds
from seedance_api.webhooks.announce import announce

_PATIENCE_SECONDS = 5.0
_UNBOUNDED = 1_000_000


async def dispatch(name: str, engine: Engine) -> int:
    """Move queued generations to `submitting`, each with a planned attempt and a job; returns how many moved."""
    provider = engine.providers.get(name)
    if provider is None:  # the operator took it out of the configuration
        async with engine.db.transaction() as connection:
            await _reroute(connection, name, [model.name for model in MODELS], [], engine)
        return 0
    capabilities = provider.capabilities
    async with engine.db.transaction() as connection:
        if not await queue.lock_dispatch(connection, name):
            # it may not see what we were called for. Waiting would cost a connection, if its host is frozen for long
            await dispatch_soon(connection, name)
            return 0
        known = await circuit_breaker.of_providers(connection, list(engine.router.offers) or [name])
        mine = [one for one in known if one.provider == name]
        slots = slots_of(capabilities, mine)
        moved = await moves.to_submitting(
            connection,
            await queue.next_in_queue(
                connection,
                name,
                slots,
                capabilities.concurrency or _UNBOUNDED,
                capabilities.account_concurrency or (engine.account_concurrency if capabilities.region else _UNBOUNDED),
            ),
        )
        ids = list(moved)
        if ids:
            await announce(connection, "video.in_progress", [one for one, first in moved.items() if first])
            await attempt_moves.plan(connection, name, [new_id("att") for _ in ids], ids)
            await moves.notify(connection, ids)
            await jobs.enqueue(connection, "advance", ids, group=name)
            kill_points.reach("dispatch.planned")
        shut = [model for model, free in slots.items() if not free and wait_seconds(mine, model) > _PATIENCE_SECONDS]
        if len(engine.router.offers) > 1:  # a model that has ended here, or was taken away
            shut += [model.name for model in MODELS if model.name not in slots]
        if shut:
            await _reroute(connection, name, shut, known, engine)
    kill_points.reach("dispatch.committed")
    return len(ids)


async def _reroute(
    connection: Connection, name: str, models: Sequence[str], known: Sequence[CircuitBreaker], engine: Engine
) -> None:
    """Hand the queue of models that this provider does not take now to others that do, where the data may go."""
    for other, offer in engine.router.offers.items():
        open_there = [
            model
            for model in models
            if model in offer.models and not wait_seconds([one for one in known if one.provider == other], model)
        ]
        if other != name and open_there and await queue.reroute(connection, name, other, open_there, offer.region):
            await dispatch_soon(connection, other)
