"""Migrations: numbered SQL, forward only, one process at a time, each in a transaction of its own.

The table `migration` records each with the digest of its text and the release that applied it. Thereby a file that was
changed afterwards, one that is missing, and a database that a newer release has migrated are told apart from what is
simply not applied yet, in `standing.py`. What they add up to is compared with what was shipped, in `schema.py`.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import asyncpg
import msgspec
import structlog

from seedance_api.foundation import roles, schema
from seedance_api.foundation.db import Connection
from seedance_api.foundation.session import CONNECT_SECONDS, MIGRATION, open_connection
from seedance_api.foundation.standing import Applied, Migration, Standing, judge, this_release
from seedance_api.foundation.unreachable import UnreachableError, reason_of

FOLDER = Path(__file__).with_name("migrations")
_LOCK = 0x5EEDA9CE
"""Our advisory lock's number. It goes with its session, and so with its process."""
_LOCK_SECONDS = 900
"""How long one waits for another that migrates."""
_STATEMENT_SECONDS = 3600
_TABLE_SECONDS = 5
"""How long a migration waits for a table that is in use; whoever else wants the table waits behind it meanwhile."""
_TRIES = 12
_log = structlog.get_logger()


class SchemaError(Exception):
    """This release and the database's schema do not fit; the text says where and what to do."""


def migrate(url: str, *, table_seconds: float = _TABLE_SECONDS, tries: int = _TRIES) -> list[str]:
    """Apply what is missing and return its names. Others that start at the same time wait here.

    A migration waits `table_seconds` for a table that is in use, and is tried so many times.

    Raises SchemaError when the database is not one that this release can work with, before or after that, and
    ConnectionError when it cannot be reached. Not for use inside a running event loop.
    """
    return asyncio.run(_migrate(url, table_seconds, tries))


def look(url: str) -> Standing:
    """How the database stands to this release; changes nothing. Raises ConnectionError when it cannot be reached."""

    async def run() -> Standing:
        async with _connected(url) as connection:
            return await examine(connection)

    return asyncio.run(run())


async def examine(connection: Connection) -> Standing:
    """The same with a connection. The schema is compared only where everything is applied."""
    standing = judge(shipped(), await _applied(connection))
    if standing.conflict or standing.pending:
        return standing
    return msgspec.structs.replace(standing, differences=tuple(await schema.differences(connection)))


@cache
def shipped() -> tuple[Migration, ...]:
    """The migrations of this release, in their order."""
    files = sorted(FOLDER.glob("*.sql"))
    texts = [(file.stem, file.read_text("utf-8")) for file in files]
    return tuple(Migration(name, sql, hashlib.sha256(sql.encode()).hexdigest()) for name, sql in texts)


async def _migrate(url: str, table_seconds: float, tries: int) -> list[str]:
    async with _connected(url) as connection:
        await _wait_for_lock(connection)
        standing = judge(shipped(), await _applied(connection))
        if standing.conflict:
            raise SchemaError(standing.conflict)
        await _keep_record(connection)
        for migration in shipped():
            if migration.name in standing.pending:
                await _apply(connection, migration, table_seconds, tries)
        if standing.pending and await roles.are_granted(connection):
            await roles.grant(connection)  # what is new, too
        after = await examine(connection)
    if after.breaks:
        raise SchemaError(after.breaks)
    if after.remarks:
        _log.warning("schema.differs", reason=after.remarks)
    return list(standing.pending)


@asynccontextmanager
async def _connected(url: str) -> AsyncGenerator[Connection]:
    try:
        connection: Connection = await open_connection(url, MIGRATION)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        # its text may hold the address, and so a password
        raise UnreachableError(reason_of(error)) from None
    try:
        yield connection
    finally:
        await connection.close(timeout=CONNECT_SECONDS)


async def _wait_for_lock(connection: Connection) -> None:
    await connection.execute(
        f"SET statement_timeout = '{_STATEMENT_SECONDS}s'; SET lock_timeout = '{_LOCK_SECONDS}s';"
        "SET idle_in_transaction_session_timeout = 0"
    )
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK, timeout=_LOCK_SECONDS + 10)
    except asyncpg.LockNotAvailableError:
        message = f"Another process has been migrating the database for {_LOCK_SECONDS} seconds. Look at it, and retry."
        raise SchemaError(message) from None


async def _applied(connection: Connection) -> dict[str, Applied]:
    if await connection.fetchval("SELECT to_regclass('migration') IS NOT NULL"):
        found = await connection.fetch("SELECT name, digest, release FROM migration")
        return {record["name"]: Applied(record["name"], record["digest"], record["release"]) for record in found}
    if await connection.fetchval("SELECT to_regclass('_yoyo_migration') IS NOT NULL"):
        found = await connection.fetch("SELECT migration_id AS name FROM _yoyo_migration")
        return {record["name"]: Applied(record["name"], None, None) for record in found}
    return {}


async def _keep_record(connection: Connection) -> None:
    """Make the table of what is applied, and take over what yoyo noted for version 0.1.0.

    Its own tables stay: as long as machines of that release run beside us, they believe theirs.
    """
    async with connection.transaction():
        if await connection.fetchval("SELECT to_regclass('migration') IS NOT NULL"):
            return
        before = await _applied(connection)
        await connection.execute(
            """
            CREATE TABLE migration (
                name text COLLATE "C" PRIMARY KEY,
                digest text,
                release text,
                applied_at timestamptz NOT NULL DEFAULT now()
            )
            """
        )
        await connection.executemany("INSERT INTO migration (name) VALUES ($1)", [(name,) for name in before])


async def _apply(connection: Connection, migration: Migration, table_seconds: float, tries: int) -> None:
    """Apply one, or nothing of it."""
    for number in range(1, tries + 1):
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{round(table_seconds * 1000)}ms'")
                await connection.execute(migration.sql, timeout=_STATEMENT_SECONDS)
                await connection.execute(
                    "INSERT INTO migration (name, digest, release) VALUES ($1, $2, $3)",
                    migration.name,
                    migration.digest,
                    this_release(),
                )
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            _log.warning("migration.waits", reason=migration.name, count=number)
        except asyncpg.InsufficientPrivilegeError:
            raise SchemaError(
                f"Migration {migration.name} may be applied by the owner of the tables only. Run seedance-api migrate "
                "with that user in SEEDANCE_DATABASE_URL, and start this again."
            ) from None
        except asyncpg.PostgresError as error:
            # the message alone: its details may quote rows
            raise SchemaError(f"Migration {migration.name} failed and changed nothing: {error.args[0]}") from None
        else:
            return
    raise SchemaError(
        f"Migration {migration.name} could not lock a table that it changes, in {tries} tries of {table_seconds:g} "
        "seconds. End the long transaction that uses it (see pg_stat_activity), and retry."
    )
