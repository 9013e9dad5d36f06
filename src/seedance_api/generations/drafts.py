"""Drafts: until when a final take can be made of one, and with it how long its upstream copy has to stay.

The end is in `draft_until`, which everything that ends a draft sooner brings nearer. A create locks the row of its
draft and looks at it; whoever ends it takes the lock that excludes that, and does so when no final take is unfinished.
Only then may the copy go.
"""

from collections.abc import Collection

from obstore.store import ObjectStore

from seedance_api.foundation import jobs, objects
from seedance_api.foundation.db import Connection, Database
from seedance_api.foundation.errors import AppError
from seedance_api.generations.queries import moves
from seedance_api.generations.queries.erase import end_drafts_of, end_uses
from seedance_api.references import queries as references
from seedance_api.references.queries import Removed
from seedance_api.references.upload import find_file


async def is_usable(db: Database, draft_id: str) -> bool:
    """Whether a final take can be made of it now."""
    return await db.fetchval(
        "SELECT EXISTS (SELECT FROM generation WHERE id = $1 AND draft_until > now() AND draft_ended_at IS NULL)",
        draft_id,
    )


async def files_of(connection: Connection, draft_ids: Collection[str]) -> set[str]:
    """The files that these drafts were made from."""
    if not draft_ids:
        return set()
    found = await connection.fetch(
        "SELECT file_id FROM generation_media WHERE generation_id = ANY ($1) AND file_id IS NOT NULL", list(draft_ids)
    )
    return {record["file_id"] for record in found}


async def hold(connection: Connection, draft_ids: Collection[str]) -> set[str]:
    """Keep these drafts from ending until the transaction is over; returns those of which a final take can be made."""
    if not draft_ids:
        return set()
    found = await connection.fetch(
        """
        SELECT id FROM generation WHERE id = ANY ($1) AND draft_until > now() AND draft_ended_at IS NULL
        ORDER BY id FOR SHARE
        """,
        list(draft_ids),
    )
    return {record["id"] for record in found}


async def delete_files(connection: Connection, ids: list[str]) -> Removed:
    """Delete those of these files that no unfinished generation needs, and let the drafts that used them end.

    Their objects are the caller's to delete.
    """
    free = await references.lock_unneeded(connection, ids)
    ended = await end_drafts_of(connection, free)
    await end_uses(connection, free)
    removed = await references.delete_files(connection, free)
    await moves.shorten_drafts(connection, ended)
    return removed


async def delete_file(db: Database, store: ObjectStore, account_id: str, livemode: bool, file_id: str) -> None:
    """Delete a file of an account now. Raises AppError: 404, and 409 while an unfinished generation needs it."""
    await find_file(db, account_id, livemode, file_id)
    async with db.transaction() as connection:
        removed = await delete_files(connection, [file_id])
        if not removed.ids:
            raise AppError("file_in_use")
    await objects.delete(store, removed.object_keys)


async def end_over(db: Database, limit: int, draft_id: str | None = None) -> int:
    """End the drafts whose time is over, or one of them, and have their copies deleted; returns how many.

    One that a final take is being made of ends after that.
    """
    async with db.transaction() as connection:
        over = await connection.fetch(
            """
            SELECT id FROM generation g
            WHERE draft_until <= now() AND draft_ended_at IS NULL AND ($2::text IS NULL OR id = $2)
              AND NOT EXISTS (SELECT FROM generation f WHERE f.draft_id = g.id AND f.finished_at IS NULL)
            ORDER BY draft_until LIMIT $1 FOR UPDATE SKIP LOCKED
            """,
            limit,
            draft_id,
        )
        # a statement of its own: it sees what was committed before the lock was had
        ended = await moves.end_drafts(connection, [record["id"] for record in over])
        await jobs.enqueue(connection, "tidy", ended)
    return len(ended)
