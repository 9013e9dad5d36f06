"""SQL of gates and of durations: what is known of a provider's health and pace."""

import math
from collections.abc import Sequence

from seedance_api.foundation.db import Connection, Database, rows
from seedance_api.routing.health import PATIENCE, Gate, Trouble


async def of_model(db: "Database | Connection", provider: str, model: str) -> list[Gate]:
    """The gates that a start of this model passes: the model's own and that of the whole provider."""
    return rows(Gate, await db.fetch(
        """
        SELECT provider, model, failures, share, reason, closed_until IS NOT NULL AS was_closed,
               greatest(0, extract(epoch FROM closed_until - now()))::float8 AS closed_seconds,
               greatest(0, extract(epoch FROM now() - closed_until))::float8 AS open_seconds
        FROM gate WHERE provider = $1 AND model IN ('', $2)
        """,
        provider,
        model,
    ))  # fmt: skip


async def of_providers(db: "Database | Connection", providers: Sequence[str]) -> list[Gate]:
    """Every gate of these providers."""
    return rows(Gate, await db.fetch(
        """
        SELECT provider, model, failures, share, reason, closed_until IS NOT NULL AS was_closed,
               greatest(0, extract(epoch FROM closed_until - now()))::float8 AS closed_seconds
        FROM gate WHERE provider = ANY ($1)
        """,
        list(providers),
    ))  # fmt: skip


async def take_probe(connection: Connection, provider: str, model: str, seconds: float) -> bool:
    """Be the one who tries a provider that had trouble; True when no other is just trying."""
    found = await connection.fetch(
        """
        UPDATE gate SET closed_until = now() + $3 * interval '1 second'
        WHERE provider = $1 AND model IN ('', $2) AND failures > 0 AND coalesce(closed_until <= now(), true)
        RETURNING model
        """,
        provider,
        model,
        seconds,
    )
    return bool(found)


async def take_starts(
    connection: Connection, provider: str, model: str, step: float, tolerance: float, most: int
) -> tuple[int, float]:
    """Take up to so many of the starts that a minute has: how many, and the seconds until there are more."""
    await connection.execute(
        """
        INSERT INTO gate (provider, model, next_start_at) VALUES ($1, $2, now())
        ON CONFLICT (provider, model) DO NOTHING
        """,
        provider,
        model,
    )
    lead = await connection.fetchval(
        """
        SELECT extract(epoch FROM greatest(next_start_at, now()) - now())::float8 FROM gate
        WHERE provider = $1 AND model = $2 FOR NO KEY UPDATE
        """,
        provider,
        model,
    )
    if lead > tolerance + 2 * step:  # nothing takes so many starts: the database's clock was set back
        lead = tolerance
    taken = max(0, min(most, math.floor((tolerance - lead) / step + 1e-9) + 1))
    if taken:
        await connection.execute(
            "UPDATE gate SET next_start_at = now() + $3 * interval '1 second' WHERE provider = $1 AND model = $2",
            provider,
            model,
            lead + taken * step,
        )
    return taken, max(0.05, lead + taken * step - tolerance)


async def close(db: Database, provider: str, trouble: Trouble) -> None:
    """Note trouble, and keep the gate closed for at least as long as it asks."""
    await db.execute(
        """
        INSERT INTO gate AS g (provider, model, failures, closed_until, share, reason)
        VALUES ($1, $2, $3, CASE WHEN $4 > 0 THEN now() + $4 * interval '1 second' END, $5, $6)
        ON CONFLICT (provider, model) DO UPDATE SET failures = g.failures + 1, reason = excluded.reason,
            share = least(g.share, excluded.share), closed_until = greatest(
                g.closed_until,
                excluded.closed_until,
                CASE WHEN g.failures + 1 >= $7 THEN now() + interval '1 second' END  -- several at once, each the first
            )
        """,
        provider,
        trouble.model,
        trouble.failures,
        trouble.closed_seconds,
        trouble.share,
        trouble.reason,
        PATIENCE,
    )


async def recover(db: Database, provider: str, model: str, failures: int) -> None:
    """A start was taken, or refused in health: the gates on its way are open, and the provider gets more again.

    Unless there was trouble after that start was permitted, when there were so many `failures`.
    """
    await db.execute(
        """
        UPDATE gate SET failures = 0, closed_until = NULL, reason = NULL, share = least(1, share + 0.05)
        WHERE provider = $1 AND model IN ('', $2) AND (failures > 0 OR share < 1)
          AND failures <= $3
        """,
        provider,
        model,
        failures,
    )
