"""Retain: days of the request log are made and dropped, and client addresses are truncated to their networks first.

A day whose addresses are truncated carries a constraint that says so: the database itself refuses a full address there.
"""

from datetime import date, timedelta

import msgspec
import structlog

from seedance_api.foundation.db import Database
from seedance_api.foundation.partitions import Parent, keep_partitions
from seedance_api.traffic import retain_queries

LOG = Parent(table="request_log", key="id", prefix="req")
_log = structlog.get_logger()


class RequestDays(msgspec.Struct, frozen=True, kw_only=True):
    """How many days requests are kept at most, and their full client addresses."""

    requests: int
    addresses: int


async def retain_requests(db: Database, keep: RequestDays) -> None:
    """Truncate and drop what is kept for long enough. Of a day, its first request decides: nothing stays longer."""
    await keep_partitions(db, (LOG,), keep.requests - 1)
    today: date = await db.fetchval("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date")
    oldest = today - timedelta(days=keep.addresses - 1)
    for day in await retain_queries.days_with_addresses(db, LOG, oldest):
        truncated = await retain_queries.truncate_addresses(db, LOG, day)
        _log.info("request_log.truncated", reason=day, count=truncated)
    await retain_queries.truncate_rest(db, LOG, oldest)
    await retain_queries.delete_hours(db, today - timedelta(days=keep.requests - 1))
