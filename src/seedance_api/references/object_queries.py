"""SQL of the objects of reference files: which are whole, and which file has which."""

import msgspec

from seedance_api.foundation.db import Database, rows
from seedance_api.references.queries import NewFile, hold_files


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An object that is to be compared with its digest; several files may have it."""

    object_key: str
    bytes: int
    sha256: str


async def unverified(db: Database, limit: int, hours: float) -> list[Kept]:
    """Objects that were not compared with their digests for so long: those that never were come first."""
    return rows(Kept, await db.fetch(
        """
        SELECT object_key, (facts ->> 'bytes')::bigint AS bytes, sha256 FROM file
        WHERE damaged_at IS NULL AND verified_at < now() - $2 * interval '1 hour' ORDER BY verified_at LIMIT $1
        """,
        limit,
        hours,
    ))  # fmt: skip


async def replace_object(db: Database, object_key: str, new: NewFile) -> list[str]:
    """Give the files that have a lost object that of a new file with the same content; returns them.

    None get it if the new file is gone by now, and its object with it, or was never written.
    """
    async with db.transaction() as connection:
        if not await hold_files(connection, [new.id]):
            return []
        found = await connection.fetch(
            """
            UPDATE file SET object_key = n.object_key, damaged_at = NULL, verified_at = now()
            FROM file n WHERE file.object_key = $1 AND n.id = $2 AND n.object_key <> $1 RETURNING file.id
            """,
            object_key,
            new.id,
        )
    return sorted(record["id"] for record in found)


async def note_verified(db: Database, object_key: str) -> None:
    """An object is what was put there; one that was taken for damaged, too."""
    await db.execute("UPDATE file SET verified_at = now(), damaged_at = NULL WHERE object_key = $1", object_key)


async def note_damaged(db: Database, object_key: str) -> list[str]:
    """An object is not what was put there; returns the files of which that was not known."""
    found = await db.fetch(
        "UPDATE file SET damaged_at = now() WHERE object_key = $1 AND damaged_at IS NULL RETURNING id", object_key
    )
    return sorted(record["id"] for record in found)
