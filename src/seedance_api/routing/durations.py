"""SQL of durations: how long orders of a kind take at a provider."""

from collections.abc import Sequence

import msgspec

from seedance_api.catalog.order import Order
from seedance_api.foundation.db import Connection, Database, row


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How long a kind of order takes at a provider: seconds that a tenth, half and nine tenths of them stay below."""

    p10: float
    p50: float
    p90: float


async def paces_of(db: Database, provider: str) -> dict[tuple[str, str, int], Pace]:
    """Every pace of a provider, by model, resolution and seconds: at most a few hundred."""
    found = await db.fetch(
        "SELECT model, resolution, seconds, p10, p50, p90 FROM duration WHERE provider = $1", provider
    )
    return {(record["model"], record["resolution"], record["seconds"]): row(Pace, record) for record in found}


async def learn_durations(connection: Connection, attempts: Sequence[tuple[str, Order]]) -> None:
    """Move the estimates a little towards how long each of these attempts took.

    Robbins and Monro's way to a quantile: a step up with weight q, a step down with weight 1 − q; the steps shrink with
    the number of samples, and not below 2 %, so that the estimates follow a provider that changes.
    """
    values = [(attempt_id, order.model, order.resolution, round(order.seconds)) for attempt_id, order in attempts]
    await connection.executemany(
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
        sorted(values, key=lambda one: one[1:]),  # in one order, so that two that learn cannot wait for each other
    )
