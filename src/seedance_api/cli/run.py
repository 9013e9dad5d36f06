"""Run a verb with the settings and the installation that a command works on."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import structlog

from seedance_api.accounts import queries
from seedance_api.accounts.queries import Account
from seedance_api.app.read import database_url, pepper_of
from seedance_api.cli.answer import fail
from seedance_api.cli.database import (
    check_schema,
    database,
    holds_installation,
    is_embedded,
    migrate,
    no_installation,
)
from seedance_api.foundation import installation, log
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.installation import InstallationError
from seedance_api.foundation.postgres import Embedded
from seedance_api.settings import FORMER_NAMES, Settings, read

Answer = TypeVar("Answer")
_log = structlog.get_logger()


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
    account = await queries.account_by_email(db, email)
    if account is None:
        raise AppError("not_found", f"There is no account with the address {email[:100]!r}.")
    return account


def configured(data_dir: Path | None, **options: object) -> Settings:
    """The settings. Options override the environment, for children too."""
    named = {"data_dir": data_dir} | options
    os.environ |= {f"SEEDANCE_{name.upper()}": str(value) for name, value in named.items() if value is not None}
    try:
        settings = read()
    except ValueError as error:
        fail(str(error), 2)
    log.configure(level=settings.log_level, pretty=sys.stderr.isatty())
    for former in sorted(FORMER_NAMES.keys() & os.environ.keys()):
        reason = f"{former} is now {FORMER_NAMES[former]}; the next release does not read the former name"
        _log.warning("settings.renamed", reason=reason)
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
