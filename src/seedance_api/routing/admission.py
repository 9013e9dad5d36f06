"""Admission: whether a provider may be given one more operation now, in the whole installation."""

from collections.abc import Sequence

import msgspec

from seedance_api.foundation.db import Connection, Database
from seedance_api.providers.provider import Capabilities, Capacity, StartOutcome
from seedance_api.routing import circuit_breaker
from seedance_api.routing.circuit_breaker import CircuitBreaker, Trouble
from seedance_api.routing.starts import take_starts

_PROBE_SECONDS = 10.0
_REST_SECONDS = 600.0
"""How long trouble must be over before a generation's last try is spent on finding out whether it is."""


class Admission(msgspec.Struct, frozen=True):
    """0 seconds to wait, or after how many to ask again. `healthy` when nothing was known against the provider.

    `nonce` goes with the work, once it is marked as sent. `failures` is how often in a row it had failed by then: a
    later answer to an earlier start closes no breaker.
    """

    wait_seconds: float
    healthy: bool = False
    failures: int = 0
    nonce: int = 0


def slots_of(capabilities: Capabilities, breakers: Sequence[CircuitBreaker]) -> dict[str, int]:
    """How many operations of each model the provider may have at once, as it is now; none behind an open breaker."""
    return {
        model: 0
        if circuit_breaker.wait_seconds(breakers, model) > 0
        else circuit_breaker.room(
            capacity.concurrency, min((one.share for one in breakers if one.model in ("", model)), default=1)
        )
        for model, capacity in capabilities.models.items()
    }


async def admit_many(
    connection: Connection, provider: str, model: str, capacity: Capacity | None, count: int
) -> list[Admission]:
    """Ask to start so many operations.

    A breaker that trouble had opened lets one start through when its time is over, and the next only after that one's
    answer, or `_PROBE_SECONDS`.
    """
    seen = await circuit_breaker.of_model(connection, provider, model)
    wait = max((one.wait_seconds for one in seen), default=0.0)
    if wait > 0:
        return [Admission(wait)] * count
    may = count
    if any(one.failures >= circuit_breaker.MAX_FAILURES or one.tripped for one in seen):
        may = 1 if await circuit_breaker.take_probe(connection, provider, model, _PROBE_SECONDS) else 0
    taken, wait = may, 1.0
    if may and capacity is not None and capacity.per_minute is not None:
        taken, wait = await take_starts(connection, provider, model, capacity.per_minute, may)
    healthy = not any(one.failures or one.share < 1 for one in seen)
    failures = max((one.failures for one in seen), default=0)
    return [Admission(0.0, healthy, failures)] * taken + [Admission(wait)] * (count - taken)


async def rest_seconds(db: Database, provider: str, model: str) -> float:
    """Seconds before a generation's last try may go where there was trouble: the success of another ends them."""
    seen = await circuit_breaker.of_model(db, provider, model)
    return max((one.wait_seconds + _REST_SECONDS - one.rested_seconds for one in seen if one.tripped), default=0)


async def learn(
    db: Database, provider: str, model: str, outcome: StartOutcome, failures: int | None = None
) -> Trouble | None:
    """Note what an answer says about the provider's health; returns the trouble, if it is any.

    `failures` is what the admission of the start said, so that only an answer to a later start ends a trouble.
    """
    seen = await circuit_breaker.of_model(db, provider, model)
    worst = max(seen, key=lambda one: one.failures, default=CircuitBreaker(provider=provider, model=""))
    trouble = circuit_breaker.after_start(outcome, worst, model)
    if trouble is not None:
        await circuit_breaker.trip(db, provider, trouble)
    elif any(one.failures or one.share < 1 for one in seen):
        await circuit_breaker.reset(db, provider, model, worst.failures if failures is None else failures)
    return trouble
