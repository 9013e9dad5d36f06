"""Starts: how many operations of a model a provider may be given in a minute, with a small burst, exactly (GCRA).

Not a rate slot (`foundation/rate_slots.py`), which is reserved and slept for: a start that must wait gives its place in
the worker back, and comes again. Kept in `gate`, where release 0.1.0 counts the same starts during an upgrade.
"""

import math

from seedance_api.foundation.db import Connection

_BURST = 20
"""One of so many of a minute's starts may begin at once."""
_MIN_WAIT_SECONDS = 0.05


async def take_starts(
    connection: Connection, provider: str, model: str, per_minute: int, max_starts: int
) -> tuple[int, float]:
    """Take up to so many of the starts that a minute has: how many, and the seconds until there are more."""
    burst = max(1, per_minute // _BURST)
    step = 60.0 / max(1, per_minute - burst)  # so that no minute has more than it may, burst and all
    tolerance = step * (burst - 1)
    lead = await _lead(connection, provider, model)
    if lead > tolerance + 2 * step:  # nothing takes so many starts: the database's clock was set back
        lead = tolerance
    taken = max(0, min(max_starts, math.floor((tolerance - lead) / step + 1e-9) + 1))
    if taken:
        await connection.execute(
            "UPDATE gate SET next_start_at = now() + $3 * interval '1 second' WHERE provider = $1 AND model = $2",
            provider,
            model,
            lead + taken * step,
        )
    return taken, max(_MIN_WAIT_SECONDS, lead + taken * step - tolerance)


async def _lead(connection: Connection, provider: str, model: str) -> float:
    """Seconds by which the starts taken are ahead of now; who asks next waits until this transaction is over."""
    await connection.execute(
        """
        INSERT INTO gate (provider, model, next_start_at) VALUES ($1, $2, now())
        ON CONFLICT (provider, model) DO NOTHING
        """,
        provider,
        model,
    )
    return await connection.fetchval(
        """
        SELECT extract(epoch FROM greatest(next_start_at, now()) - now())::float8 FROM gate
        WHERE provider = $1 AND model = $2 FOR NO KEY UPDATE
        """,
        provider,
        model,
    )
