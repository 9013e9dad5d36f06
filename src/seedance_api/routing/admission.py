"""Permit: whether a provider may be given one more operation now, in the whole installation."""

import msgspec

from seedance_api.foundation.db import Connection, Database
from seedance_api.providers.provider import Capacity, StartOutcome
from seedance_api.routing import circuit_breaker, health
from seedance_api.routing.health import Gate, Trouble

_PROBE_SECONDS = 10.0
_REST_SECONDS = 600.0
"""How long trouble must be over before a generation's last try is spent on finding out whether it is."""


class Permit(msgspec.Struct, frozen=True):
    """0 seconds to wait, or after how many to ask again. `healthy` when nothing was known against the provider.

    `nonce` goes with the work, once it is marked as sent. `failures` is how often in a row it had failed by then: a
    later answer to an earlier start opens no gate.
    """

    wait_seconds: float
    healthy: bool = False
    failures: int = 0
    nonce: int = 0


async def permit(connection: Connection, provider: str, model: str, capacity: Capacity | None) -> float:
    """Take a permit to start one operation: 0, or the seconds after which to ask again."""
    return (await permits(connection, provider, model, capacity, 1))[0].wait_seconds


async def permits(
    connection: Connection, provider: str, model: str, capacity: Capacity | None, count: int
) -> list[Permit]:
    """Ask for permits to start so many operations.

    A gate that trouble had closed lets one start through when its time is over, and the next only after that one's
    answer, or `_PROBE_SECONDS`.
    """
    seen = await circuit_breaker.of_model(connection, provider, model)
    closed = max((gate.closed_seconds for gate in seen), default=0.0)
    if closed > 0:
        return [Permit(closed)] * count
    may = count
    if any(gate.failures >= health.PATIENCE or gate.was_closed for gate in seen):
        may = 1 if await circuit_breaker.take_probe(connection, provider, model, _PROBE_SECONDS) else 0
    taken, wait = may, 1.0
    if may and capacity is not None and capacity.a_minute is not None:
        burst = max(1, capacity.a_minute // 20)
        step = 60.0 / max(1, capacity.a_minute - burst)  # so that no minute has more than it may, burst and all
        taken, wait = await circuit_breaker.take_starts(connection, provider, model, step, step * (burst - 1), may)
    healthy = not any(gate.failures or gate.share < 1 for gate in seen)
    failures = max((gate.failures for gate in seen), default=0)
    return [Permit(0.0, healthy, failures)] * taken + [Permit(wait)] * (count - taken)


async def rest(db: Database, provider: str, model: str) -> float:
    """Seconds before a generation's last try may go where there was trouble: the success of another ends them."""
    seen = await circuit_breaker.of_model(db, provider, model)
    return max((gate.closed_seconds + _REST_SECONDS - gate.open_seconds for gate in seen if gate.was_closed), default=0)


async def learn(
    db: Database, provider: str, model: str, outcome: StartOutcome, failures: int | None = None
) -> Trouble | None:
    """Note what an answer says about the provider's health; returns the trouble, if it is any.

    `failures` is what the permit of the start said, so that only an answer to a later start ends a trouble.
    """
    seen = await circuit_breaker.of_model(db, provider, model)
    worst = max(seen, key=lambda gate: gate.failures, default=Gate(provider=provider, model=""))
    trouble = health.after_start(outcome, worst, model)
    if trouble is not None:
        await circuit_breaker.close(db, provider, trouble)
    elif any(gate.failures or gate.share < 1 for gate in seen):
        await circuit_breaker.recover(db, provider, model, worst.failures if failures is None else failures)
    return trouble
