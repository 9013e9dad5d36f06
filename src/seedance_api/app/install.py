"""Install: make an installation, or join the one that the database has, before anything else is done.

An installation is a database, an object store, a pepper and a certificate that belong together, with the settings that
every machine must have alike. Whatever does not belong to it is refused here, before it can be written to.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum

import asyncpg
import msgspec

from seedance_api.app.compare import CERTIFICATE, check_certificate, check_settings
from seedance_api.app.join_store import join_store
from seedance_api.app.place import database_of, store_of
from seedance_api.app.read import certificate_of, database_url, pepper_of
from seedance_api.delivery import certificate
from seedance_api.delivery.issue import issue
from seedance_api.foundation import installation
from seedance_api.foundation.db import COMMAND, Connection
from seedance_api.foundation.installation import Installation, InstallationError, Shared
from seedance_api.foundation.secrets import load_pepper
from seedance_api.foundation.session import open_connection
from seedance_api.settings import Settings

_LOCK = 0x5EEDA9CF
"""The number of the advisory lock: one at a time makes an installation, or joins it."""
_LOCK_SECONDS = 60


class Adopt(StrEnum):
    """What an operator takes over on purpose although it does not fit."""

    STORE = "store"
    CERTIFICATE = "certificate"
    SETTINGS = "settings"


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """The installation, where its two halves are, and what was taken over."""

    id: str
    database: str
    store: str
    adopted: list[str]


async def join(
    settings: Settings, *, makes: bool, adopt: frozenset[Adopt] = frozenset(), compares: bool = True
) -> Joined:
    """Join the installation of the database, or with `makes` make one if there is none.

    `compares` is off for a process of a machine that has done it. Raises InstallationError that says what does not
    fit, and ValueError when videos could not be marked.
    """
    async with _alone(settings) as connection:
        current = await installation.find(connection)
        if current is None and not makes:
            raise InstallationError(f"{database_of(settings)} holds no installation; make one with: seedance-api init")
        current = await _with_pepper(connection, settings, current)
        shared = await installation.settings(connection)
        mark = _make_certificate(settings, shared, makes=makes)
        current = await join_store(connection, settings, current, makes=makes, adopts=Adopt.STORE in adopt)
        if compares:
            recorded = shared.get(CERTIFICATE)
            await check_certificate(connection, settings, mark, recorded, adopts=Adopt.CERTIFICATE in adopt)
            await check_settings(connection, settings, shared, adopts=Adopt.SETTINGS in adopt)
        return Joined(
            id=current.id, database=database_of(settings), store=store_of(settings), adopted=sorted(map(str, adopt))
        )


@asynccontextmanager
async def _alone(settings: Settings) -> AsyncGenerator[Connection]:
    """A connection with the lock: others that start meanwhile wait for a minute."""
    connection: Connection = await open_connection(database_url(settings), COMMAND)
    try:
        await connection.execute(f"SET lock_timeout = '{_LOCK_SECONDS}s'")
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK, timeout=_LOCK_SECONDS + 10)
        yield connection
    except asyncpg.LockNotAvailableError:
        raise InstallationError(f"another process has been starting for {_LOCK_SECONDS} s; try again") from None
    finally:
        await connection.close(timeout=10)


async def _with_pepper(connection: Connection, settings: Settings, current: Installation | None) -> Installation:
    """One is made with the installation only: a new one on a further machine would fit no key."""
    if current is None:
        pepper = bytes.fromhex(settings.pepper) if settings.pepper else load_pepper(settings.data_dir / "secrets")
        return await installation.make(connection, pepper)
    return await installation.check_pepper(connection, pepper_of(settings))


def _make_certificate(settings: Settings, shared: Mapping[str, Shared], *, makes: bool) -> str:
    """Make a certificate if the installation has none. Returns the fingerprint of this machine's.

    Raises ValueError when it cannot be used.
    """
    folder = settings.data_dir / "secrets/marking"
    if settings.marking_certificate is None and not folder.exists():
        if CERTIFICATE in shared or not makes:
            raise InstallationError(
                f"this machine has no certificate to mark videos with: {folder} is not there. Copy it from another "
                "machine, or set SEEDANCE_MARKING_CERTIFICATE and SEEDANCE_MARKING_KEY as there"
            )
        issue(folder, settings.operator_name)
    ours = certificate_of(settings)
    certificate.check(ours)
    return certificate.fingerprint(ours.certificate)
