"""SQL of reference files."""

from collections.abc import Collection
from datetime import datetime

import msgspec

from seedance_api.catalog.order import Kind
from seedance_api.catalog.request import Facts
from seedance_api.foundation.db import Connection, Database, rows


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `file`."""

    id: str
    account_id: str
    livemode: bool
    inline: bool
    kind: Kind
    object_key: str
    sha256: str
    facts: Facts
    created_at: datetime
    expires_at: datetime
    damaged_at: datetime | None = None
    """Since when its object is known not to be what was put there."""


class NewFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file whose object is in the store and whose row is not written yet. `inline` ones came inside a request.

    `shares` is the file whose object it shares; None where the object is its own. `replaces` is the lost object of
    older files with the same content, which are to get this one's.
    """

    id: str
    account_id: str
    livemode: bool
    inline: bool
    kind: Kind
    object_key: str
    sha256: str
    facts: Facts
    keep_seconds: int
    shares: str | None = None
    replaces: str | None = None
    room: "Room | None" = None
    """What its account may have in its mode, with this one; None without a bound."""


class Room(msgspec.Struct, frozen=True):
    """So many files, and bytes of them together: of equal content, which is stored once, they count once."""

    files: int
    bytes: int


class Removed(msgspec.Struct, frozen=True):
    """The files whose rows are gone, and the objects that no other file shares: these go after the commit."""

    ids: set[str]
    object_keys: list[str]


class ObjectGoneError(Exception):
    """An object that was to be shared went with its last file meanwhile: it is to be put anew."""


async def insert_files(connection: Connection, files: list[NewFile]) -> set[str]:
    """Write the rows of new files; returns the ids written: one that is taken stays as it is."""
    if not files:
        return set()
    found = await connection.fetch(
        """
        INSERT INTO file (id, account_id, livemode, inline, kind, object_key, sha256, facts, expires_at)
        SELECT id, a, l, i, k, o, s, f, now() + e * interval '1 second'
        FROM unnest($1::text[], $2::text[], $3::bool[], $4::bool[], $5::text[], $6::text[], $7::text[], $8::jsonb[],
                    $9::int[]) AS n (id, a, l, i, k, o, s, f, e)
        ON CONFLICT (id) DO NOTHING RETURNING id
        """,
        [file.id for file in files],
        [file.account_id for file in files],
        [file.livemode for file in files],
        [file.inline for file in files],
        [file.kind.value for file in files],
        [file.object_key for file in files],
        [file.sha256 for file in files],
        [file.facts for file in files],
        [file.keep_seconds for file in files],
    )
    return {record["id"] for record in found}


async def files_of_account(db: Database, account_id: str, livemode: bool, ids: list[str]) -> list[File]:
    """The account's unexpired files with these ids."""
    return rows(File, await db.fetch(
        """
        SELECT * FROM file
        WHERE account_id = $1 AND livemode = $2 AND id = ANY ($3) AND NOT inline AND expires_at > now()
        """,
        account_id,
        livemode,
        ids,
    ))  # fmt: skip


async def file_of_account(db: Database, account_id: str, livemode: bool, file_id: str) -> File | None:
    """One unexpired file of the account."""
    found = await files_of_account(db, account_id, livemode, [file_id])
    return found[0] if found else None


async def files_alike(db: Database, account_id: str, livemode: bool, contents: list[tuple[Kind, str]]) -> list[File]:
    """For each content that the account keeps in this mode the newest of its files, which stays longest."""
    return rows(File, await db.fetch(
        """
        SELECT f.* FROM unnest($3::text[], $4::text[]) AS n (kind, sha256) CROSS JOIN LATERAL (
            SELECT * FROM file
            WHERE account_id = $1 AND livemode = $2 AND kind = n.kind AND sha256 = n.sha256 ORDER BY id DESC LIMIT 1
        ) f
        """,
        account_id,
        livemode,
        [kind.value for kind, _ in contents],
        [sha256 for _, sha256 in contents],
    ))  # fmt: skip


async def hold_files(connection: Connection, ids: Collection[str]) -> set[str]:
    """Keep these files from being deleted until the transaction ends; returns those that are there."""
    if not ids:
        return set()
    found = await connection.fetch("SELECT id FROM file WHERE id = ANY ($1) ORDER BY id FOR KEY SHARE", list(ids))
    return {record["id"] for record in found}


async def lock_unneeded(connection: Connection, ids: list[str]) -> list[str]:
    """Lock these files until the transaction ends; returns those that no unfinished generation needs."""
    # of files that share an object only one transaction at a time: else each would leave it to the other
    await connection.execute(
        """
        SELECT pg_advisory_xact_lock(place) FROM (
            SELECT DISTINCT hashtextextended(object_key, 0) AS place FROM file WHERE id = ANY ($1) ORDER BY 1
        ) places
        """,
        ids,
    )
    await connection.execute("SELECT 1 FROM file WHERE id = ANY ($1) ORDER BY id FOR UPDATE", ids)
    found = await connection.fetch(
        """
        SELECT id FROM unnest($1::text[]) AS f (id) WHERE NOT EXISTS (
            SELECT 1 FROM generation_media m JOIN generation g ON g.id = m.generation_id
            WHERE m.file_id = f.id AND g.finished_at IS NULL
        )
        """,
        ids,
    )
    return [record["id"] for record in found]


async def delete_files(connection: Connection, ids: list[str]) -> Removed:
    """Delete files that are locked and that no generation names any more. Their objects are the caller's to delete."""
    gone = await connection.fetch("DELETE FROM file WHERE id = ANY ($1) RETURNING id, object_key", ids)
    keys = {record["object_key"] for record in gone}
    shared = await connection.fetch("SELECT object_key FROM file WHERE object_key = ANY ($1)", list(keys))
    return Removed({record["id"] for record in gone}, sorted(keys - {record["object_key"] for record in shared}))


async def shorten_inline_files(connection: Connection, generation_id: str) -> None:
    """Let the files that came inside this request go a day after its end."""
    await connection.execute(
        """
        UPDATE file SET expires_at = least(expires_at, now() + interval '24 hours')
        WHERE inline AND id IN (SELECT file_id FROM generation_media WHERE generation_id = $1)
        """,
        generation_id,
    )


async def expired_files(db: Database, limit: int) -> list[str]:
    """Files past their time that no unfinished generation needs."""
    found = await db.fetch(
        """
        SELECT id FROM file f
        WHERE expires_at <= now() AND NOT EXISTS (
            SELECT 1 FROM generation_media m JOIN generation g ON g.id = m.generation_id
            WHERE m.file_id = f.id AND g.finished_at IS NULL
        )
        ORDER BY expires_at LIMIT $1
        """,
        limit,
    )
    return [record["id"] for record in found]


async def inline_files_of(db: Database, generation_id: str) -> list[str]:
    """The files that came inside this generation's request."""
    found = await db.fetch(
        """
        SELECT f.id FROM file f JOIN generation_media m ON m.file_id = f.id
        WHERE m.generation_id = $1 AND f.inline
        """,
        generation_id,
    )
    return [record["id"] for record in found]
