"""What the commands share: settings, a database that is there, and how they answer."""

import asyncio
import getpass
import os
import sys
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec
import psycopg
import typer

from seedance_api.accounts import create, queries
from seedance_api.accounts.queries import Account
from seedance_api.app.read import database_url, pepper_of
from seedance_api.foundation import log
from seedance_api.foundation.db import Database
from seedance_api.foundation.disk import Ballast
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.migrations import migrate as run_migrations
from seedance_api.foundation.money import parse_amount
from seedance_api.foundation.postgres import Embedded
from seedance_api.foundation.postmaster import StartError
from seedance_api.settings import Settings, read

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DataDir = Annotated[Path | None, typer.Option(help="Folder for everything kept here [default: ./data].")]
Reason = Annotated[str, typer.Option(help="Why; it stands in the ledger and on the customer's statement.")]
Author = Annotated[str | None, typer.Option(help="Who says so [default: the name you are logged in with].")]
Answer = TypeVar("Answer")


def in_database(data_dir: Path | None, verb: Callable[[Database, Settings], Awaitable[Answer]]) -> Answer:
    """Run a verb with the database of the settings; an AppError ends the command with exit code 1."""

    async def run(settings: Settings) -> Answer:
        db = await Database.connect(database_url(settings), most=2)
        try:
            await create.check_pepper(db, pepper_of(settings))
            return await verb(db, settings)
        finally:
            await db.close()

    with started(data_dir) as settings:
        try:
            return asyncio.run(run(settings))
        except AppError as error:
            fail(error.message, 1)
        except TimeoutError:
            fail("the database did not answer in time", 1)
        except (RuntimeError, PermissionError) as error:  # the wrong pepper, or one that others can read
            fail(str(error), 1)


async def account_of(db: Database, email: str) -> Account:
    """The account with this address. Raises AppError 404."""
    found = await queries.account_by_email(db, email)
    if found is None:
        raise AppError("not_found", "There is no account with that address.")
    return found


def amount_of(text: str, name: str = "AMOUNT") -> int:
    """An amount of a command line; a wrong one ends the command with exit code 2."""
    try:
        return parse_amount(text)
    except ValueError as error:
        fail(f"{name} {error}", 2)


def author_of(given: str | None) -> str:
    """Who does this. A name of the machine is better than none."""
    if given:
        return given
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


@contextmanager
def started(
    data_dir: Path | None, *, migrates: bool = True, use: Callable[[Embedded], None] | None = None, **options: object
) -> Generator[Settings]:
    """The settings, with a database that is there and migrated. Options override the environment, for children too.

    `use` is called with the embedded server, where that is the database.
    """
    named = {"data_dir": data_dir} | options
    os.environ |= {f"SEEDANCE_{name.upper()}": str(value) for name, value in named.items() if value is not None}
    try:
        settings = read()
    except ValueError as error:
        fail(str(error), 2)
    log.configure(level=settings.log_level, pretty=sys.stderr.isatty())
    if settings.database_url is not None:
        if migrates:
            _migrate_given(settings.database_url)
        yield settings
        return
    ballast = Ballast(settings.data_dir / "ballast", settings.ballast_megabytes << 20)
    try:
        with Embedded(settings.data_dir / "postgres", ballast=ballast) as postgres:
            if use is not None:
                use(postgres)
            os.environ["SEEDANCE_DATABASE_URL"] = postgres.url
            if migrates:
                run_migrations(postgres.url)
            yield msgspec.structs.replace(settings, database_url=postgres.url)
    except StartError as error:
        fail(str(error), 1)


def check_supervision(embedded: Sequence[Embedded]) -> None:
    """End the command with exit code 1 when the embedded server was given up."""
    for one in embedded:
        if one.failure is not None:
            fail(one.failure, 1)


def _migrate_given(url: str) -> None:
    try:
        run_migrations(url)
    except psycopg.OperationalError:  # its text may hold the address, and so a password
        fail("the database of SEEDANCE_DATABASE_URL cannot be reached", 1)


def show(fields: dict[str, Any], as_json: bool, text: str) -> None:
    """Print the answer, for a program or for a person."""
    print(msgspec.json.encode(fields).decode() if as_json else text)


def fail(message: str, code: int) -> NoReturn:
    """End the command with a message on standard error."""
    print(f"seedance-api: {message}", file=sys.stderr)
    raise typer.Exit(code)
