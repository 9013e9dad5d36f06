"""Orphans: whose an object is by its key, and the table of those that nobody's row names."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from seedance_api.foundation.db import Connection, Database

_MAX_NOTED = 100_000
"""The table's bound. What is not noted for lack of room is noted by a later run, and stays so much longer."""


async def begin(db: Database) -> datetime:
    """The moment of a run, by the database's clock; what it sees is marked with it."""
    return await db.fetchval("SELECT clock_timestamp()")


async def named(db: "Connection | Database", keys: Sequence[str]) -> set[str]:
    """Those of these objects that a row names, or that an attempt under way needs."""
    found = await db.fetch(
        """
        SELECT object_key AS key FROM asset WHERE object_key = ANY ($1)
        UNION SELECT object_key FROM file WHERE object_key = ANY ($1)
        UNION SELECT k.key FROM unnest($1::text[]) AS k (key)
            JOIN attempt a ON a.id = split_part(k.key, '/', 2) JOIN generation g ON g.id = a.generation_id
            WHERE k.key LIKE 'sandbox/%' AND g.finished_at IS NULL
              AND a.state IN ('planned', 'sent', 'acknowledged', 'unknown', 'succeeded')
        """,
        list(keys),
    )
    return {record["key"] for record in found}


async def over(db: "Connection | Database", keys: Sequence[str]) -> set[str]:
    """Those of these objects of which the database says that they are to be gone.

    The content of a generation that was purged or deleted, and the sandbox's copies for an attempt that is not under
    way: what a frozen worker wrote late, or one that was killed left behind.
    """
    found = await db.fetch(
        """
        SELECT k.key FROM unnest($1::text[]) AS k (key)
        JOIN generation g ON g.id = split_part(k.key, '/', 2) LEFT JOIN content c ON c.generation_id = g.id
        WHERE k.key LIKE 'content/%' AND (g.deleted_at IS NOT NULL OR c.state = 'purged')
        UNION SELECT k.key FROM unnest($1::text[]) AS k (key) JOIN attempt a ON a.id = split_part(k.key, '/', 2)
        WHERE k.key LIKE 'sandbox/%'
        """,
        list(keys),
    )
    return {record["key"] for record in found}


async def judge(db: Database, keys: Sequence[str]) -> tuple[list[str], list[str]]:
    """Of these objects those that are over, and those that the database does not name."""
    if not keys:
        return [], []
    gone = await over(db, keys)  # first: what is over now may have been named a moment ago, never the other way round
    mine = await named(db, keys)
    return [key for key in keys if key in gone and key not in mine], [
        key for key in keys if key not in gone and key not in mine
    ]


async def known(db: "Connection | Database", keys: Sequence[str]) -> set[str]:
    """Those of these objects that belong to anything in this database, named or not."""
    plain = {key.removeprefix("trash/"): key for key in keys}
    found = await named(db, list(plain)) | await over(db, list(plain))
    rows = await db.fetch(
        """
        SELECT k.key FROM unnest($1::text[]) AS k (key) JOIN generation g ON g.id = split_part(k.key, '/', 2)
        WHERE k.key LIKE 'content/%'
        """,
        list(plain),
    )
    return {plain[key] for key in found | {record["key"] for record in rows}}


async def note(db: Database, keys: Sequence[str], run: datetime) -> None:
    """This run has seen these objects, and nobody's row names them."""
    await db.execute(
        """
        WITH seen AS (
            UPDATE unowned_object SET seen_at = $2 WHERE key = ANY ($1) RETURNING key
        )
        INSERT INTO unowned_object (key, first_seen_at, seen_at)
        SELECT key, $2, $2 FROM unnest($1::text[]) AS k (key)
        WHERE key NOT IN (SELECT key FROM seen)
        LIMIT greatest(0, $3 - (SELECT count(*) FROM unowned_object))
        ON CONFLICT (key) DO UPDATE SET seen_at = excluded.seen_at
        """,
        list(keys),
        run,
        _MAX_NOTED,
    )


async def forget_unseen(db: Database, run: datetime) -> None:
    """What this run has not seen unowned has an owner, or is gone."""
    await db.execute("DELETE FROM unowned_object WHERE seen_at <> $1", run)


async def count_due(db: Database, run: datetime, watched: timedelta) -> int:
    """How many have been seen unowned for so long, by an earlier run and by this one."""
    return await db.fetchval(
        """
        SELECT count(*) FROM unowned_object
        WHERE seen_at = $1 AND first_seen_at < $1 AND first_seen_at <= $1 - $2::interval AND key NOT LIKE 'trash/%'
        """,
        run,
        watched,
    )


async def due(db: Database, run: datetime, watched: timedelta, limit: int, *, trash: bool = False) -> list[str]:
    """Some of them; with `trash` of those in the trash."""
    found = await db.fetch(
        """
        SELECT key FROM unowned_object
        WHERE seen_at = $1 AND first_seen_at < $1 AND first_seen_at <= $1 - $2::interval
          AND (key LIKE 'trash/%') = $4
        ORDER BY key LIMIT $3
        """,
        run,
        watched,
        limit,
        trash,
    )
    return [record["key"] for record in found]


async def replace(db: Database, keys: Sequence[str], by: Sequence[str], run: datetime) -> None:
    """These objects are noted no more; those in the trash in their place are, from this run on."""
    async with db.transaction() as connection:
        await connection.execute("DELETE FROM unowned_object WHERE key = ANY ($1)", list(keys))
        await connection.execute(
            """
            INSERT INTO unowned_object (key, first_seen_at, seen_at)
            SELECT key, $2, $2 FROM unnest($1::text[]) AS k (key)
            ON CONFLICT (key) DO UPDATE SET first_seen_at = excluded.first_seen_at, seen_at = excluded.seen_at
            """,
            list(by),
            run,
        )


async def watched(db: Database, keys: Sequence[str], longest: timedelta) -> set[str]:
    """Those of these objects that are noted, and not for longer than they may be."""
    found = await db.fetch(
        """
        SELECT key FROM unowned_object WHERE key = ANY ($1) AND first_seen_at > clock_timestamp() - $2::interval
        """,
        list(keys),
        longest,
    )
    return {record["key"] for record in found}


async def counts(db: Database, overdue: timedelta) -> tuple[int, int, int]:
    """How many are noted, how many of them should be in the trash, and how many are."""
    found = await db.fetchrow(
        """
        SELECT count(*) FILTER (WHERE NOT trash) AS noted,
               count(*) FILTER (WHERE NOT trash AND first_seen_at < clock_timestamp() - $1::interval) AS overdue,
               count(*) FILTER (WHERE trash) AS trashed
        FROM (SELECT key LIKE 'trash/%' AS trash, first_seen_at FROM unowned_object) o
        """,
        overdue,
    )
    assert found is not None, "an aggregate has a row"
    return found["noted"], found["overdue"], found["trashed"]


async def due_examples(db: Database, watched: timedelta, limit: int) -> list[str]:
    """Some keys of what is due, for an operator to look at."""
    found = await db.fetch(
        """
        SELECT key FROM unowned_object
        WHERE first_seen_at <= clock_timestamp() - $1::interval AND key NOT LIKE 'trash/%' ORDER BY key LIMIT $2
        """,
        watched,
        limit,
    )
    return [record["key"] for record in found]


async def keys_with_rows(db: Database, keys: list[str]) -> set[str]:
    """Those of the object keys that a row names."""
    found = await db.fetch(
        """
        SELECT object_key FROM asset WHERE object_key = ANY ($1)
        UNION ALL SELECT object_key FROM file WHERE object_key = ANY ($1)
        """,
        keys,
    )
    return {record["object_key"] for record in found}
