"""SQL of the outbox."""

from collections.abc import Sequence
from typing import Any

from seedance_api.foundation.db import Connection, Database, affected, row
from seedance_api.notifications.rows import Channel, Message, Notice


async def insert_notices(connection: Connection, ids: Sequence[str], messages: Sequence[Message]) -> list[str]:
    """Write messages under these ids; returns those written: one whose `dedupe_key` is taken is not."""
    found = await connection.fetch(
        """
        INSERT INTO notice (id, account_id, kind, detail, letter, recipient, subject, dedupe_key)
        SELECT * FROM unnest(
            $1::text[], $2::text[], $3::text[], $4::jsonb[], $5::jsonb[], $6::text[], $7::text[], $8::text[]
        )
        ON CONFLICT (dedupe_key) DO NOTHING RETURNING id
        """,
        ids,
        [one.account_id for one in messages],
        [one.kind for one in messages],
        [one.detail for one in messages],
        [one.letter for one in messages],
        [one.recipient for one in messages],
        [one.subject for one in messages],
        [one.dedupe_key for one in messages],
    )
    return [record["id"] for record in found]


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
        SELECT n.*, coalesce(n.recipient, a.email) AS email FROM notice n LEFT JOIN account a ON a.id = n.account_id
        WHERE n.id = $1 AND n.closed_at IS NULL
        """,
        notice_id,
    )
    return row(Notice, found) if found else None


async def close_notice(db: Database, notice_id: str, *, given_up: bool = False) -> None:
    """pending → sent, or failed when it is given up; what only the letter said is forgotten."""
    await db.execute(
        """
        UPDATE notice SET closed_at = now(), given_up = $2, letter = '{}' WHERE id = $1 AND closed_at IS NULL
        """,
        notice_id,
        given_up,
    )


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
