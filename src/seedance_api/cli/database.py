"""The database of a command: the one that is named, or the embedded one, and the schema and installation in it."""

import asyncio
import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import asyncpg

from seedance_api.app.place import database_of
from seedance_api.app.read import database_url
from seedance_api.cli.answer import fail
from seedance_api.foundation import installation, migrations
from seedance_api.foundation.db import COMMAND
from seedance_api.foundation.disk import Ballast
from seedance_api.foundation.migrations import SchemaError
from seedance_api.foundation.pooling import is_shared
from seedance_api.foundation.postgres import Embedded
from seedance_api.foundation.postmaster import StartError
from seedance_api.foundation.session import open_connection
from seedance_api.foundation.unreachable import reason_of
from seedance_api.settings import Settings


def is_embedded(settings: Settings) -> bool:
    """Whether the data folder has an embedded database."""
    return (settings.data_dir / "postgres" / "PG_VERSION").exists()


def make_data_folder(settings: Settings) -> None:
    """Make the data folder unless it is there; end the command where that cannot be, or nothing can be put there."""
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "a file has that name" if isinstance(error, FileExistsError) else error.strerror
        fail(f"the data folder {folder} cannot be made: {why}. Name another one with --data-dir", 1)
    if not os.access(folder, os.W_OK | os.X_OK):
        fail(f"the data folder {folder} may not be written to by this user. Name another one with --data-dir", 1)


@contextmanager
def database(settings: Settings, use: Callable[[Embedded], None] | None = None) -> Generator[Settings]:
    """The settings with the database that they mean: the one they name, or the embedded one, which is started.

    `use` is called with the embedded server.
    """
    if settings.database_url is not None:
        check_pooling(settings)
        yield settings
        return
    make_data_folder(settings)
    ballast = Ballast(settings.data_dir / "ballast", settings.ballast_megabytes << 20)
    try:
        with Embedded(settings.data_dir / "postgres", ballast=ballast, on_start=_say_starting) as postgres:
            if use is not None:
                use(postgres)
            os.environ["SEEDANCE_DATABASE_URL"] = postgres.url
            yield settings.model_copy(update={"database_url": postgres.url})
    except StartError as error:
        fail(str(error), 1)


def _say_starting() -> None:
    print("Starting PostgreSQL …", file=sys.stderr, flush=True)


def check_pooling(settings: Settings) -> None:
    """End the command where connections lead to a pool that does not keep a session to each."""
    try:
        shared = asyncio.run(is_shared(database_url(settings)))
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        unreachable(settings, error)
    if shared:
        fail(
            f"{database_of(settings)} is behind a pool that lends a session for one transaction only, so that LISTEN, "
            "locks and time limits are lost. Let it pool whole sessions (PgBouncer: pool_mode = session), or let "
            "SEEDANCE_DATABASE_URL lead to the server itself",
            1,
        )


def check_supervision(embedded: Sequence[Embedded]) -> None:
    """End the command with exit code 1 when the embedded server was given up."""
    for server in embedded:
        if server.failure is not None:
            fail(server.failure, 1)


def holds_installation(settings: Settings, *, half: bool = False) -> bool:
    """Whether the database has an installation, or with `half` its tables at least. It is not changed."""

    async def look() -> bool:
        connection = await open_connection(database_url(settings), COMMAND)
        try:
            return await (installation.has_tables if half else installation.is_there)(connection)
        finally:
            await connection.close(timeout=10)

    try:
        return asyncio.run(look())
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        unreachable(settings, error)


def migrate(settings: Settings) -> list[str]:
    """Bring the schema up to date; returns what was applied."""
    try:
        return migrations.migrate(database_url(settings))
    except SchemaError as error:
        fail(str(error), 1)
    except ConnectionError as error:
        unreachable(settings, error)


def schema_of(settings: Settings) -> migrations.Standing:
    """How the schema stands to this version."""
    try:
        return migrations.look(database_url(settings))
    except ConnectionError as error:
        unreachable(settings, error)


def check_schema(settings: Settings) -> None:
    """End the command where the schema is not the one of this version."""
    standing = schema_of(settings)
    if problem := standing.conflict or standing.breaks:
        fail(problem, 1)
    if standing.pending:
        missing = ", ".join(standing.pending)
        older = f"{database_of(settings)} has the schema of an older version: {missing} is not applied"
        fail(f"{older}. Run: seedance-api migrate", 1)


def unreachable(settings: Settings, error: BaseException) -> NoReturn:
    """End the command. What the driver says may hold the address, and so a password."""
    where = ". See SEEDANCE_DATABASE_URL" if settings.database_url else ""
    fail(f"{database_of(settings)} cannot be reached: {reason_of(error)}{where}", 1)


def no_installation(settings: Settings) -> NoReturn:
    """End the command: it makes none."""
    unset = "" if settings.database_url else " (SEEDANCE_DATABASE_URL is not set)"
    fail(
        f"there is no installation in {database_of(settings)}{unset}. Name its folder with --data-dir, or its database "
        "with SEEDANCE_DATABASE_URL. To make one there: seedance-api init",
        1,
    )
