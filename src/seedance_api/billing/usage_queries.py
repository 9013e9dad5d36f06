"""SQL of usage, counted as it happens."""

from datetime import datetime

from seedance_api.billing.rows import Hold, Sale
from seedance_api.foundation.db import Connection


async def count_usage(connection: Connection, sale: Sale, *, tokens: int, charged: int, at: datetime | None) -> None:
    """Add a completed generation to the usage of the day of its charge; of one that was not charged, of today."""
    await connection.execute(
        """
        INSERT INTO usage (account_id, livemode, day, model, key_id, videos, milliseconds, tokens, charged)
        VALUES ($1, $2, (coalesce($8, clock_timestamp()) AT TIME ZONE 'UTC')::date, $3, $4, 1, $5, $6, $7)
        ON CONFLICT (account_id, livemode, day, model, key_id) DO UPDATE SET videos = usage.videos + 1,
            milliseconds = usage.milliseconds + excluded.milliseconds, tokens = usage.tokens + excluded.tokens,
            charged = usage.charged + excluded.charged
        """,
        sale.account_id,
        sale.livemode,
        sale.model,
        sale.key_id,
        round(sale.seconds * 1000),
        tokens,
        charged,
        at,
    )


async def count_refund(connection: Connection, hold: Hold, model: str, amount: int, *, at: datetime) -> None:
    """Add a refund to the usage of the day on which it is made."""
    await connection.execute(
        """
        INSERT INTO usage (account_id, livemode, day, model, key_id, refunded)
        VALUES ($1, true, ($5::timestamptz AT TIME ZONE 'UTC')::date, $2, $3, $4)
        ON CONFLICT (account_id, livemode, day, model, key_id)
            DO UPDATE SET refunded = usage.refunded + excluded.refunded
        """,
        hold.account_id,
        model,
        hold.key_id,
        amount,
        at,
    )


async def model_of(connection: Connection, generation_id: str) -> str:
    """The model that made a generation."""
    return await connection.fetchval("SELECT model FROM generation WHERE id = $1", generation_id)
