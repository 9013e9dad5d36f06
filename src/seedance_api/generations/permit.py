"""Permit: whether a provider may be given one more operation now, in the whole installation."""

from seedance_api.foundation.db import Connection, Database
from seedance_api.generations import gates, health
from seedance_api.generations.health import Trouble
from seedance_api.generations.rows import Gate
from seedance_api.providers.provider import Capacity, StartOutcome

_PROBE_SECONDS = 10.0


async def permit(connection: Connection, provider: str, model: str, capacity: Capacity | None) -> float:
    """Take a permit to start one operation: 0, or the seconds after which to ask again.

    A gate that trouble had closed lets one start through when its time is over, and the next only after that one's
    answer, or `_PROBE_SECONDS`.
    """
    seen = await gates.of_model(connection, provider, model)
    closed = max((gate.closed_seconds for gate in seen), default=0.0)
    if closed > 0:
        return closed
    if any(gate.failures >= health.PATIENCE or gate.was_closed for gate in seen) and not await gates.take_probe(
        connection, provider, model, _PROBE_SECONDS
    ):
        return 1.0
    if capacity is None or capacity.a_minute is None:
        return 0.0
    burst = max(1, capacity.a_minute // 20)
    step = 60.0 / max(1, capacity.a_minute - burst)  # so that no minute has more than it may, burst and all
    return await gates.take_start(connection, provider, model, step, step * (burst - 1))


async def learn(db: Database, provider: str, model: str, outcome: StartOutcome) -> Trouble | None:
    """Note what an answer says about the provider's health; returns the trouble, if it is any."""
    seen = await gates.of_model(db, provider, model)
    worst = max(seen, key=lambda gate: gate.failures, default=Gate(provider=provider, model=""))
    trouble = health.after_start(outcome, worst, model)
    if trouble is not None:
        await gates.close(db, provider, trouble)
    elif any(gate.failures or gate.share < 1 for gate in seen):
        await gates.recover(db, provider, model)
    return trouble
