"""What the commands share: settings, the installation that they work on, and how they answer."""

import asyncio
import getpass
import os
import sys
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import asyncpg
import msgspec
import typer
from obstore.exceptions import BaseError as ObjectStoreError

from seedance_api.accounts import queries
from seedance_api.accounts.queries import Account
from seedance_api.app.place import database_of
from seedance_api.app.read import database_url, pepper_of
from seedance_api.catalog.words import got
from seedance_api.foundation import installation, log, migrations
from seedance_api.foundation.db import UNREACHABLE, Database
from seedance_api.foundation.disk import Ballast
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.initdb import StartError
from seedance_api.foundation.installation import InstallationError
from seedance_api.foundation.migrations import SchemaError
from seedance_api.foundation.money import parse_amount
from seedance_api.foundation.pooling import is_shared
from seedance_api.foundation.postgres import Embedded
from seedance_api.foundation.session import COMMAND, open_connection
from seedance_api.foundation.standing import Standing
from seedance_api.foundation.store_trouble import why_unusable
from seedance_api.foundation.unreachable import UnreachableError, reason_of
from seedance_api.settings import Settings, read

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DataDir = Annotated[Path | None, typer.Option(help="Data folder [default: ./data].")]
Reason = Annotated[str, typer.Option(help="Reason, shown in the ledger and on the customer's statement.")]
Author = Annotated[str | None, typer.Option(help="Who does this [default: your login name].")]
Answer = TypeVar("Answer")


def in_database(data_dir: Path | None, verb: Callable[[Database, Settings], Awaitable[Answer]]) -> Answer:
    """Run a verb with the database of the installation; an AppError ends the command with exit code 1."""

    async def run(settings: Settings) -> Answer:
        db = await Database.connect(database_url(settings), max_connections=2)
        try:
            await installation.check_pepper(db, pepper_of(settings))
            return await verb(db, settings)
        finally:
            await db.close()

    with opened(data_dir) as settings:
        try:
            return asyncio.run(run(settings))
        except AppError as error:
            fail(error.message, 1)
        except TimeoutError:
            fail("the database did not answer in time", 1)
        except InstallationError as error:  # the wrong pepper, say
            fail(str(error), 1)


async def account_of(db: Database, email: str) -> Account:
    """The account with this address. Raises AppError 404."""
    found = await queries.account_by_email(db, email)
    if found is None:
        raise AppError("not_found", f"There is no account with the address {email[:100]!r}.")
    return found


def amount_of(text: str, name: str = "AMOUNT") -> int:
    """An amount of a command line; a wrong one ends the command with exit code 2."""
    try:
        return parse_amount(text)
    except ValueError as error:
        fail(f"{name} {error}{got(text)}", 2)


def author_of(given: str | None) -> str:
    """Who does this. A name of the machine is better than none."""
    if given:
        return given
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def configured(data_dir: Path | None, **options: object) -> Settings:
    """The settings. Options override the environment, for children too."""
    named = {"data_dir": data_dir} | options
    os.environ |= {f"SEEDANCE_{name.upper()}": str(value) for name, value in named.items() if value is not None}
    try:
        settings = read()
    except ValueError as error:
        fail(str(error), 2)
    log.configure(level=settings.log_level, pretty=sys.stderr.isatty())
    return settings


@contextmanager
def opened(
    data_dir: Path | None,
    *,
    migrates: bool = False,
    half: bool = False,
    use: Callable[[Embedded], None] | None = None,
) -> Generator[Settings]:
    """The settings, with the database of an installation that is there; nothing is made.

    With `migrates` its schema is brought up to date, without it must be; `half` takes tables without an installation.
    `use` is called with the embedded server, where that is the database.
    """
    settings = configured(data_dir)
    if settings.database_url is None and not is_embedded(settings):
        no_installation(settings)
    with database(settings, use) as running:
        if not holds_installation(running, half=half):
            no_installation(settings)
        if migrates:
            migrate(running)
        elif not half:
            check_schema(running)
        yield running


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
    for one in embedded:
        if one.failure is not None:
            fail(one.failure, 1)


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


def schema_of(settings: Settings) -> Standing:
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


@contextmanager
def refusals() -> Generator[None]:
    """What the machine, the database or the object store refuses ends the command with a message.

    Everything else that is raised is a bug, and shows where.
    """
    try:
        yield
    except KeyboardInterrupt:
        fail("interrupted", 130)
    except BrokenPipeError:  # whoever read our answer has enough of it
        raise
    except OSError as error:
        fail(reason_of(error) if isinstance(error, UnreachableError) else said_by_system(error), 1)
    except UNREACHABLE as error:
        fail(f"the connection to the database was lost: {reason_of(error)}", 1)
    except ObjectStoreError as error:
        fail(f"the object store cannot be used: {why_unusable(error)}. See SEEDANCE_STORAGE_URL", 1)


def said_by_system(error: OSError) -> str:
    """What the system says, and of which file."""
    said = error.strerror or str(error) or "it did not answer in time"
    return f"{error.filename}: {said}" if error.filename else said


def no_installation(settings: Settings) -> NoReturn:
    """End the command: it makes none."""
    unset = "" if settings.database_url else " (SEEDANCE_DATABASE_URL is not set)"
    fail(
        f"there is no installation in {database_of(settings)}{unset}. Name its folder with --data-dir, or its database "
        "with SEEDANCE_DATABASE_URL. To make one there: seedance-api init",
        1,
    )


def show(fields: dict[str, Any], as_json: bool, text: str) -> None:
    """Print the answer, for a program or for a person."""
    print(msgspec.json.encode(fields).decode() if as_json else text)


def fail(message: str, code: int) -> NoReturn:
    """End the command with a message on standard error."""
    print(f"seedance-api: {message}", file=sys.stderr)
    raise typer.Exit(code)
