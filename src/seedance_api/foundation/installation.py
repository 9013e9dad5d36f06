"""Installation: the one row by which machines, database and object store know that they belong together."""

from collections.abc import Mapping, Sequence

import msgspec

from seedance_api.foundation.db import Connection, Database, row
from seedance_api.foundation.secrets import digest, same

_MAX_PREVIOUS = 20


class InstallationError(Exception):
    """What was found does not belong together, or is not there; the text says what, where, and what to do."""


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """The row. `store_marked` says that an object store carries the id."""

    id: str
    pepper_mark: bytes
    store_marked: bool


class Shared(msgspec.Struct, frozen=True):
    """A value that every machine must have: the one that holds, and those before it, the newest first."""

    value: str
    previous: tuple[str, ...] = ()


async def is_there(connection: Connection) -> bool:
    """Whether this database has an installation. It changes nothing, whatever the database is."""
    if not await connection.fetchval("SELECT to_regclass('installation') IS NOT NULL"):
        return False
    return await connection.fetchval("SELECT EXISTS (SELECT FROM installation)")


async def has_tables(connection: Connection) -> bool:
    """Whether migrations of ours were ever applied to this database."""
    return await connection.fetchval("SELECT to_regclass('installation') IS NOT NULL")


async def find(db: "Connection | Database") -> Installation | None:
    """The installation of a migrated database."""
    found = await db.fetchrow("SELECT id, pepper_mark, store_marked_at IS NOT NULL AS store_marked FROM installation")
    return row(Installation, found) if found else None


async def make(db: "Connection | Database", pepper: bytes) -> Installation:
    """The installation, made with this pepper if there is none. Raises InstallationError when it has another one."""
    await db.execute(
        "INSERT INTO installation (pepper_mark) VALUES ($1) ON CONFLICT DO NOTHING", digest(pepper, "installation")
    )
    return await check_pepper(db, pepper)


async def check_pepper(db: "Connection | Database", pepper: bytes) -> Installation:
    """The installation. Raises InstallationError when there is none, or when its keys were made with another pepper.

    With the wrong pepper every key would be refused, and new ones would work on this machine only.
    """
    found = await find(db)
    if found is None:
        raise InstallationError("the database holds no installation yet; make one with: seedance-api init")
    if not same(found.pepper_mark, digest(pepper, "installation")):
        raise InstallationError(
            "this machine's pepper is not the one of this database; set SEEDANCE_PEPPER to the pepper of the "
            "machine that was started first (the file secrets/pepper in its data folder)"
        )
    return found


async def rename(connection: Connection, installation_id: str) -> None:
    """Give the installation another id."""
    await connection.execute("UPDATE installation SET id = $1", installation_id)


async def lock(connection: Connection) -> None:
    """One transaction at a time goes on from here."""
    await connection.execute("SELECT FROM installation FOR NO KEY UPDATE")


async def note_store(connection: Connection) -> None:
    """A store carries the id from now on."""
    await connection.execute("UPDATE installation SET store_marked_at = now() WHERE store_marked_at IS NULL")


async def settings(db: "Connection | Database") -> dict[str, Shared]:
    """What every machine must have, by name."""
    found = await db.fetch("SELECT name, value, previous FROM installation_setting")
    return {record["name"]: Shared(record["value"], tuple(record["previous"])) for record in found}


async def record(connection: Connection, values: Mapping[str, str]) -> None:
    """Let these values hold from now on. What was before is kept, the last twenty of each."""
    await connection.executemany(
        """
        INSERT INTO installation_setting AS s (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed_at = now(),
            previous = (array_remove(array_prepend(s.value, s.previous), excluded.value))[:$3]
        WHERE s.value <> excluded.value
        """,
        [(name, value, _MAX_PREVIOUS) for name, value in values.items()],
    )


def differing(mine: Mapping[str, str], shared: Mapping[str, Shared]) -> Sequence[str]:
    """The names of what is set otherwise on this machine. What nobody has recorded yet differs from nothing."""
    return [name for name, value in mine.items() if name in shared and shared[name].value != value]


async def others_run(connection: Connection, name: str) -> bool:
    """Whether a process works with this database now whose connections have a name that begins with `name`."""
    return await connection.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND starts_with(application_name, $1)
        )
        """,
        name,
    )
