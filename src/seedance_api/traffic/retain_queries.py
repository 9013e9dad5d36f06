"""SQL that shortens the request log."""

from datetime import UTC, date, datetime, time, timedelta

from seedance_api.foundation.db import Database, affected
from seedance_api.foundation.ids import id_at
from seedance_api.foundation.partitions import Parent

_MAX_ROWS = 5000
_TRUNCATED = "CASE family(address) WHEN 4 THEN 24 ELSE 48 END"
_IS_FULL = f"masklen(address) > {_TRUNCATED}"
_CONSTRAINT = "addresses_are_truncated"


async def days_with_addresses(db: Database, parent: Parent, before: date) -> list[str]:
    """The days before this one that may have full addresses, as their partitions end: `20261130`."""
    found = await db.fetch(
        """
        SELECT right(c.relname, 8) AS day FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = to_regclass($1) AND c.relname ~ '_[0-9]{8}$' AND right(c.relname, 8) < $2
            AND NOT EXISTS (
                SELECT FROM pg_constraint WHERE conrelid = c.oid AND conname = $3 AND convalidated
            )
        ORDER BY 1
        """,
        parent.table,
        f"{before:%Y%m%d}",
        _CONSTRAINT,
    )
    return [record["day"] for record in found]


async def truncate_addresses(db: Database, parent: Parent, day: str) -> int:
    """Truncate all addresses of a day, and have the database hold that. Returns how many there were."""
    first = datetime.combine(date.fromisoformat(day), time(), UTC)
    last, end = id_at(parent.prefix, first), id_at(parent.prefix, first + timedelta(days=1))
    # from now on none can come; those that are there are no matter of it yet
    await db.execute("SELECT refuse_addresses($1)", first.date())
    total = 0
    while True:
        async with db.connection() as connection:
            reached = await connection.fetchrow(
                f"""
                WITH part AS (SELECT id FROM request_log WHERE id > $1 AND id < $2 ORDER BY id LIMIT {_MAX_ROWS}),
                changed AS (
                    UPDATE request_log SET address = network(set_masklen(address, {_TRUNCATED}))
                    WHERE id > $1 AND id < $2 AND id IN (SELECT id FROM part) AND {_IS_FULL} RETURNING 1
                )
                SELECT (SELECT max(id) FROM part) AS last, (SELECT count(*) FROM changed) AS changed
                """,  # noqa: S608 our own names
                last,
                end,
            )
        assert reached is not None, "a SELECT without FROM has a row"
        if reached["last"] is None:
            break
        last, total = reached["last"], total + reached["changed"]
    await db.execute("SELECT check_addresses($1)", first.date())
    return total


async def truncate_rest(db: Database, parent: Parent, before: date) -> None:
    """The same for rows that have no day of their own."""
    changed = _MAX_ROWS
    while changed == _MAX_ROWS:
        async with db.connection() as connection:
            tag = await connection.execute(
                f"""
                UPDATE request_log_rest SET address = network(set_masklen(address, {_TRUNCATED})) WHERE id IN (
                    SELECT id FROM request_log_rest WHERE id < $1 AND {_IS_FULL} LIMIT {_MAX_ROWS}
                )
                """,  # noqa: S608 our own names
                id_at(parent.prefix, datetime.combine(before, time(), UTC)),
            )
        changed = affected(tag)


async def delete_hours(db: Database, before: date) -> None:
    """Forget the counts of what is no longer in the log."""
    deleted = _MAX_ROWS
    while deleted == _MAX_ROWS:
        tag = await db.execute(
            """
            DELETE FROM request_hour WHERE ctid IN (SELECT ctid FROM request_hour WHERE hour < $1 LIMIT 5000)
            """,
            datetime.combine(before, time(), UTC),
        )
        deleted = affected(tag)
