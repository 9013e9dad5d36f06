"""Partitions by day: made some days ahead, dropped when nothing in them is wanted any more.

Functions of the schema make and drop a day, as only the owner of the tables may: the service need not be the owner.

The parent is partitioned by ranges of an id that sorts by time, as `event_id` of the schema makes them. A row whose day
has no partition stands in the default one, `…_rest`, and is deleted from there.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import asyncpg
import msgspec
import structlog

from seedance_api.foundation.db import Connection, Database, affected
from seedance_api.foundation.ids import id_at

AHEAD = 3
"""Days that are made before they begin: for so long may nothing of this work."""
_MAX_ROWS = 5000
_log = structlog.get_logger()


class Parent(msgspec.Struct, frozen=True, kw_only=True):
    """A table with a partition for each day of the ids in its column `key`, which begin with `prefix`."""

    table: str
    key: str
    prefix: str


async def keep_partitions(db: Database, parents: Sequence[Parent], keep_days: int) -> None:
    """Make the days ahead, drop those that are over, and delete old rows that have no day of their own.

    A table that others hold is left for the next time: nobody waits behind us for more than two seconds. Then those
    that come after it keep their days as well: what refers to another table's rows goes first.
    """
    today: date = await db.fetchval("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date")
    oldest = today - timedelta(days=keep_days)
    for parent in parents:
        try:
            for ahead in range(AHEAD + 1):
                await _make(db, parent, today + timedelta(days=ahead))
        except asyncpg.LockNotAvailableError:
            _log.warning("partitions.busy", reason=parent.table)
    for parent in parents:
        try:
            for day in await _days_before(db, parent, oldest):
                await _drop(db, parent, day)
        except asyncpg.LockNotAvailableError:
            _log.warning("partitions.busy", reason=parent.table)
            return
        await _delete_from_rest(db, parent, oldest)


async def _make(db: Database, parent: Parent, day: date) -> None:
    """A day's partition, unless it is there, or rows of it stand in the default one, where they stay.

    It is made beside the parent and then attached: that locks nobody out who reads or writes other days.
    """
    name, first, end = _name(parent, day), _first_id(parent, day), _first_id(parent, day + timedelta(days=1))
    async with db.transaction() as connection:
        await _lock(connection, parent)
        if await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", name):
            return
        rest = f"SELECT EXISTS (SELECT FROM {parent.table}_rest WHERE {parent.key} >= $1 AND {parent.key} < $2)"  # noqa: S608 our own names
        if await connection.fetchval(rest, first, end):
            return
        await connection.execute("SELECT make_day($1, $2, $3, $4)", parent.table, day, first, end)


async def _days_before(db: Database, parent: Parent, oldest: date) -> list[date]:
    """The days that have a partition and are over."""
    found = await db.fetch(
        """
        SELECT right(c.relname, 8) AS day FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = to_regclass($1) AND c.relname ~ '_[0-9]{8}$'
        """,
        parent.table,
    )
    days = [date.fromisoformat(record["day"]) for record in found]
    return sorted(day for day in days if day < oldest)


async def _drop(db: Database, parent: Parent, day: date) -> None:
    async with db.transaction() as connection:
        await _lock(connection, parent)
        await connection.execute("SELECT drop_day($1, $2)", parent.table, day)
    _log.info("partitions.dropped", reason=_name(parent, day))


async def _delete_from_rest(db: Database, parent: Parent, oldest: date) -> None:
    gone = _MAX_ROWS
    while gone == _MAX_ROWS:
        async with db.connection() as connection:
            tag = await connection.execute(
                f"""
                DELETE FROM {parent.table}_rest WHERE ctid IN (
                    SELECT ctid FROM {parent.table}_rest WHERE {parent.key} < $1 LIMIT {_MAX_ROWS}
                )
                """,  # noqa: S608 our own names
                _first_id(parent, oldest),
            )
        gone = affected(tag)


async def _lock(connection: Connection, parent: Parent) -> None:
    """One process at a time, and none that keeps others waiting."""
    await connection.execute("SET LOCAL lock_timeout = '2s'")
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('partitions ' || $1, 0))", parent.table)


def _first_id(parent: Parent, day: date) -> str:
    return id_at(parent.prefix, datetime.combine(day, time(), UTC))


def _name(parent: Parent, day: date) -> str:
    return f"{parent.table}_{day:%Y%m%d}"
