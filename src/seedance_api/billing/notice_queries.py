"""SQL of notices."""

from collections.abc import Sequence
from typing import Any

from seedance_api.billing.rows import Channel, Notice
from seedance_api.foundation.db import Connection, Database, affected, row


async def insert_notices(
    connection: Connection, notices: Sequence[tuple[str, str | None, str, dict[str, Any]]]
) -> None:
    """Write notices: id, account, kind, detail. One about the installation has no account."""
    await connection.executemany("INSERT INTO notice (id, account_id, kind, detail) VALUES ($1, $2, $3, $4)", notices)


async def was_noticed(connection: Connection, kind: str, hours: int) -> bool:
    """Whether the installation had such a notice in the last hours."""
    return await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM notice WHERE account_id IS NULL AND kind = $1
                       AND created_at > now() - $2 * interval '1 hour')
        """,
        kind,
        hours,
    )


async def latest_notice(connection: Connection, kinds: Sequence[str]) -> tuple[str, dict[str, Any], float] | None:
    """The latest notice about the installation of these kinds: its kind, its detail, and its age in seconds."""
    found = await connection.fetchrow(
        """
        SELECT kind, detail, extract(epoch FROM now() - created_at)::float8 AS age FROM notice
        WHERE account_id IS NULL AND kind = ANY ($1) ORDER BY created_at DESC LIMIT 1
        """,
        kinds,
    )
    return (found["kind"], found["detail"], found["age"]) if found else None


async def open_notice(db: Database, notice_id: str) -> Notice | None:
    """A notice that is still to be delivered, or given up."""
    found = await db.fetchrow(
        """
        SELECT n.*, a.email FROM notice n LEFT JOIN account a ON a.id = n.account_id
        WHERE n.id = $1 AND n.closed_at IS NULL
        """,
        notice_id,
    )
    return row(Notice, found) if found else None


async def close_notice(db: Database, notice_id: str) -> None:
    """It is delivered, or given up."""
    await db.execute("UPDATE notice SET closed_at = now() WHERE id = $1 AND closed_at IS NULL", notice_id)


async def note_told(db: Database, notice_id: str, channel: Channel) -> None:
    """One of the ways to tell of it is done."""
    await db.execute(
        "UPDATE notice SET told = array_append(told, $2) WHERE id = $1 AND NOT $2 = ANY (told)", notice_id, channel
    )


async def put_off_notice(connection: Connection, notice_id: str, tries: int, seconds: float) -> bool:
    """Try again later; False when another has tried meanwhile."""
    tag = await connection.execute(
        """
        UPDATE notice SET tries = tries + 1, due_at = now() + $3 * interval '1 second'
        WHERE id = $1 AND tries = $2 AND closed_at IS NULL
        """,
        notice_id,
        tries,
        seconds,
    )
    return affected(tag) == 1


async def overdue_notices(connection: Connection, limit: int) -> list[tuple[str, int]]:
    """Notices that no job can be under way for: due for more than a minute. Each with its tries."""
    found = await connection.fetch(
        """
        SELECT id, tries FROM notice WHERE closed_at IS NULL AND due_at < now() - interval '1 minute'
        ORDER BY due_at LIMIT $1
        """,
        limit,
    )
    return [(record["id"], record["tries"]) for record in found]
