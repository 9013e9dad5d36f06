"""SQL of gates and of durations: what is known of a provider's health and pace."""

from collections.abc import Sequence

from seedance_api.catalog.order import Order
from seedance_api.foundation.db import Connection, Database, row, rows
from seedance_api.generations.health import Trouble
from seedance_api.generations.rows import Gate, Pace


async def of_model(db: "Database | Connection", provider: str, model: str) -> list[Gate]:
    """The gates that a start of this model passes: the model's own and that of the whole provider."""
    return rows(Gate, await db.fetch(
        """
        SELECT provider, model, failures, share, reason, closed_until IS NOT NULL AS was_closed,
               greatest(0, extract(epoch FROM closed_until - now()))::float8 AS closed_seconds
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


async def take_start(connection: Connection, provider: str, model: str, step: float, tolerance: float) -> float:
    """Take one of the starts that a minute has: 0, or the seconds until there is one. All in seconds."""
    taken = await connection.fetchval(
        """
        INSERT INTO gate AS g (provider, model, next_start_at) VALUES ($1, $2, now() + $3 * interval '1 second')
        ON CONFLICT (provider, model) DO UPDATE
            SET next_start_at = greatest(g.next_start_at, now()) + $3 * interval '1 second'
            WHERE g.next_start_at <= now() + $4 * interval '1 second'
        RETURNING true
        """,
        provider,
        model,
        step,
        tolerance,
    )
    if taken:
        return 0.0
    wait = await connection.fetchval(
        """
        SELECT extract(epoch FROM next_start_at - now())::float8 FROM gate WHERE provider = $1 AND model = $2
        """,
        provider,
        model,
    )
    return max(0.05, wait - tolerance)


async def close(db: Database, provider: str, trouble: Trouble) -> None:
    """Note trouble, and keep the gate closed for at least as long as it asks."""
    await db.execute(
        """
        INSERT INTO gate AS g (provider, model, failures, closed_until, share, reason)
        VALUES ($1, $2, $3, CASE WHEN $4 > 0 THEN now() + $4 * interval '1 second' END, $5, $6)
        ON CONFLICT (provider, model) DO UPDATE SET failures = g.failures + 1, reason = excluded.reason,
            share = least(g.share, excluded.share), closed_until = greatest(g.closed_until, excluded.closed_until)
        """,
        provider,
        trouble.model,
        trouble.failures,
        trouble.closed_seconds,
        trouble.share,
        trouble.reason,
    )


async def recover(db: Database, provider: str, model: str) -> None:
    """A start was taken, or refused in health: the gates on its way are open, and the provider gets more again."""
    await db.execute(
        """
        UPDATE gate SET failures = 0, closed_until = NULL, reason = NULL, share = least(1, share + 0.05)
        WHERE provider = $1 AND model IN ('', $2) AND (failures > 0 OR share < 1)
        """,
        provider,
        model,
    )


async def pace_of(db: "Database | Connection", provider: str, order: Order) -> Pace | None:
    """How long such orders took at the provider; None before the first."""
    found = await db.fetchrow(
        """
        SELECT p10, p50, p90 FROM duration
        WHERE provider = $1 AND model = $2 AND resolution = $3 AND seconds = $4
        """,
        provider,
        order.model,
        order.resolution,
        round(order.seconds),
    )
    return row(Pace, found) if found else None


async def paces_of(db: Database, provider: str) -> dict[tuple[str, str, int], Pace]:
    """Every pace of a provider, by model, resolution and seconds: at most a few hundred."""
    found = await db.fetch(
        "SELECT model, resolution, seconds, p10, p50, p90 FROM duration WHERE provider = $1", provider
    )
    return {(record["model"], record["resolution"], record["seconds"]): row(Pace, record) for record in found}


async def learn_duration(connection: Connection, attempt_id: str, order: Order) -> None:
    """Move the estimates a little towards how long this attempt took.

    Robbins and Monro's way to a quantile: a step up with weight q, a step down with weight 1 − q; the steps shrink with
    the number of samples, and not below 2 %, so that the estimates follow a provider that changes.
    """
    await connection.execute(
        """
        INSERT INTO duration AS d (provider, model, resolution, seconds, samples, p10, p50, p90)
        SELECT provider, $2, $3, $4, 1, 0.7 * took, took, 1.5 * took
        FROM (
            SELECT provider, greatest(0.05, extract(epoch FROM now() - coalesce(begun_at, sent_at)))::real AS took
            FROM attempt WHERE id = $1
        ) a
        ON CONFLICT (provider, model, resolution, seconds) DO UPDATE SET
            samples = least(d.samples + 1, 1000000),
            p10 = d.p10 * (1 + 2 * greatest(0.02, 1.0 / (d.samples + 2)) * (0.1 - (excluded.p50 < d.p10)::int)),
            p50 = d.p50 * (1 + 2 * greatest(0.02, 1.0 / (d.samples + 2)) * (0.5 - (excluded.p50 < d.p50)::int)),
            p90 = d.p90 * (1 + 2 * greatest(0.02, 1.0 / (d.samples + 2)) * (0.9 - (excluded.p50 < d.p90)::int))
        """,
        attempt_id,
        order.model,
        order.resolution,
        round(order.seconds),
    )
