"""Use of the service as the tables of a past day hold it: accounts, requests and generations, written at once."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec

from seedance_api.catalog.check import Accepted, check
from seedance_api.catalog.request import Request
from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import new_id
from seedance_api.traffic.hours import Hour
from seedance_api.traffic.queries import add_to_hours


def moment(day: date, hour: float = 0) -> datetime:
    return datetime.combine(day, time(), UTC) + timedelta(hours=hour)


async def make_accounts(db: Database, count: int, created: datetime) -> list[str]:
    """So many accounts of one moment, each with a key of its own name."""
    ids = [new_id("acc", at=created.timestamp()) for _ in range(count)]
    await db.execute(
        "INSERT INTO account (id, email, created_at) "
        "SELECT id, id || '@example.org', $2 FROM unnest($1::text[]) AS a (id)",
        ids,
        created,
    )
    return ids


async def make_keys(db: Database, accounts: Sequence[str], created: datetime) -> None:
    await db.execute(
        """
        INSERT INTO api_key (id, account_id, handle, mode, digest, created_at)
        SELECT 'key_' || id, id, right(id, 8), 'test', '', $2 FROM unnest($1::text[]) AS a (id)
        """,
        list(accounts),
        created,
    )


async def ask(
    db: Database, accounts: Iterable[str], hour: datetime, *,
    endpoint: str = "GET /v1/models", times: int = 1, status: int = 2,
) -> None:  # fmt: skip
    """Requests as the log's writer counts them."""
    hours = [
        Hour(
            hour=hour, account_id=account, key_id=f"key_{account}", endpoint=endpoint, status_class=status,
            requests=times, latency_us=1, own_us=1, own_histogram=[0] * 14,
        )
        for account in accounts
    ]  # fmt: skip
    async with db.transaction() as connection:
        await add_to_hours(connection, hours)


async def generate(db: Database, accounts: Iterable[str], at: datetime, **changes: Any) -> None:
    """A generation of each account, created and ended at one moment."""
    accepted = check(Request(prompt="x", resolution="480p", duration=4))
    assert isinstance(accepted, Accepted)
    order = msgspec.structs.replace(accepted.order, resolution=changes.pop("resolution", "480p"))
    columns = {"livemode": False, "input_bytes": 0, "error_code": None, "model": order.model} | changes
    for account in accounts:
        await db.execute(
            """
            INSERT INTO generation (id, account_id, key_id, livemode, provider, model, params, metadata, keep_seconds,
                quoted_tokens, state, error_code, deadline_at, created_at, finished_at, input_bytes)
            VALUES ($1, $2, 'key_' || $2, $3, 'sandbox', $4, $5, '{}', 3600, 1,
                CASE WHEN $6::text IS NULL THEN 'completed' ELSE 'failed' END, $6, $7, $7, $7, $8)
            """,
            new_id("vid", at=at.timestamp()),
            account,
            columns["livemode"],
            columns["model"],
            order,
            columns["error_code"],
            at,
            columns["input_bytes"],
        )


async def cells(db: Database, *measures: str) -> set[tuple[Any, ...]]:
    """What is told: hour of the day or None, measure, value, count, accounts."""
    found = await db.fetch(
        "SELECT * FROM analytics WHERE measure = ANY ($1) OR cardinality($1::text[]) = 0", list(measures)
    )
    return {
        (
            None if record["grain"] == "day" else record["starts_at"].hour,
            record["measure"] if len(measures) != 1 else "",
            record["value"],
            record["count"],
            record["accounts"],
        )
        for record in found
    }
