"""Install: make an installation, or join the one that the database has, before anything else is done.

An installation is a database, an object store, a pepper and a certificate that belong together, with the settings that
every machine must have alike. Whatever does not belong to it is refused here, before it can be written to.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path

import asyncpg
import msgspec
import structlog
from obstore.store import ObjectStore

from seedance_api.app.open import NAME
from seedance_api.app.place import database_of, store_of
from seedance_api.app.read import certificate_of, database_url, pepper_of
from seedance_api.delivery import certificate
from seedance_api.foundation import claim, installation, objects
from seedance_api.foundation.db import Connection
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.installation import Installation, InstallationError, Shared
from seedance_api.foundation.objects import open_store
from seedance_api.foundation.secrets import digest, load_pepper
from seedance_api.foundation.session import COMMAND, open_connection
from seedance_api.foundation.store_trouble import why_unusable
from seedance_api.reconciliation import orphans
from seedance_api.reconciliation.collect_orphans import PREFIXES
from seedance_api.settings import TABLE, Settings

_LOCK = 0x5EEDA9CF
"""The number of the advisory lock: one at a time makes an installation, or joins it."""
_LOCK_SECONDS = 60
_LOOKED_AT = 1000
"""Objects of an unmarked store that are looked up in the database."""
_LOOKS, _LOOK_SECONDS = 15, 0.2
"""How often, and after what pause, it is looked whether others still run."""
CERTIFICATE, UPSTREAMS = "SEEDANCE_MARKING_CERTIFICATE", "SEEDANCE_UPSTREAMS"
_log = structlog.get_logger()


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


async def check_store_is_free(settings: Settings) -> None:
    """Before a new installation is made: raises InstallationError when the object store is in use already.

    It makes nothing. Whoever forgets to name the database would else begin a second one on the objects of the first.
    """
    try:
        store = open_store(settings.storage_url, settings.data_dir / "objects", makes=False)
    except FileNotFoundError:
        return
    try:
        theirs, is_empty = await claim.read(store), await claim.is_empty(store, PREFIXES)
    except Exception as error:  # noqa: BLE001 every store has errors of its own
        raise InstallationError(
            f"the object store {store_of(settings)} cannot be read: {why_unusable(error)}"
        ) from None
    if theirs is None and is_empty:
        return
    what = f"belongs to the installation {theirs}" if theirs else "holds objects"
    raise InstallationError(
        f"the object store {store_of(settings)} {what}, and {database_of(settings)} holds no installation. "
        "Set SEEDANCE_DATABASE_URL (or --data-dir) to the database that belongs to the store. "
        "To begin anew with this store and to lose what is in it: seedance-api init --adopt store"
    )


async def join(
    settings: Settings, *, makes: bool, adopt: frozenset[Adopt] = frozenset(), compares: bool = True
) -> Joined:
    """Join the installation of the database, or with `makes` make one if there is none.

    `compares` is off for a process of a machine that has done it. Raises InstallationError that says what does not
    fit, and ValueError when videos could not be marked.
    """
    async with _alone(settings) as connection:
        found = await installation.find(connection)
        if found is None and not makes:
            raise InstallationError(f"{database_of(settings)} holds no installation; make one with: seedance-api init")
        found = await _with_pepper(connection, settings, found)
        shared = await installation.settings(connection)
        mark = _make_certificate(settings, shared, makes=makes)
        found = await _with_store(connection, settings, found, adopt, makes=makes)
        if compares:
            await _with_certificate(connection, settings, mark, shared.get(CERTIFICATE), adopt)
            await _with_settings(connection, settings, shared, adopt)
        return Joined(
            id=found.id, database=database_of(settings), store=store_of(settings), adopted=sorted(map(str, adopt))
        )


async def differences(settings: Settings, shared: Mapping[str, Shared]) -> list[str]:
    """What this machine has otherwise than the installation, one line each."""
    lines = _told(settings, shared, installation.differing(alike(settings, pepper_of(settings)), shared))
    try:
        mine = certificate.fingerprint(certificate_of(settings).certificate)
    except ValueError:
        return lines  # told as such, as the certificate that cannot be read
    recorded = shared.get(CERTIFICATE)
    if recorded is not None and recorded.value != mine:
        lines.append(f"{CERTIFICATE}: {mine[:16]}… here, {recorded.value[:16]}… in the installation")
    return lines


def alike(settings: Settings, pepper: bytes) -> dict[str, str]:
    """What must be the same on every machine, as text that can be compared; of secrets their HMAC."""
    found: dict[str, str] = {}
    for one in TABLE:
        if one.alike:
            text = _text(getattr(settings, one.name.lower()))
            name = f"SEEDANCE_{one.name}"
            found[name] = digest(pepper, f"{name} {text}").hex() if one.secret else text
    found[UPSTREAMS] = _upstreams(settings)
    return found


def _text(value: object) -> str:
    if isinstance(value, frozenset):
        return ",".join(sorted(str(one) for one in value))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] of any kind
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(sorted(str(one) for one in value))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case _:
            return str(value)


def _upstreams(settings: Settings) -> str:
    file = settings.upstreams or settings.data_dir / "upstreams.toml"
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


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


async def _with_pepper(connection: Connection, settings: Settings, found: Installation | None) -> Installation:
    """One is made with the installation only: a new one on a further machine would fit no key."""
    if found is None:
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
        certificate.own(folder, settings.operator_name)
    ours = certificate_of(settings)
    certificate.check(ours)
    return certificate.fingerprint(ours.certificate)


async def _with_store(
    connection: Connection, settings: Settings, found: Installation, adopt: frozenset[Adopt], *, makes: bool
) -> Installation:
    """The installation with the store that carries its id."""
    try:
        store = await asyncio.to_thread(
            open_store,
            settings.storage_url,
            settings.data_dir / "objects",
            makes=(makes and not found.store_marked) or Adopt.STORE in adopt,
        )
    except FileNotFoundError:
        raise _unmarked(settings) from None
    try:
        if Adopt.STORE in adopt:
            return await _adopt_store(connection, store, found)
        theirs = await claim.read(store)
        is_ours = found.store_marked or theirs is not None or await _knows(connection, store)
        if theirs is None and not found.store_marked and is_ours:
            theirs = await claim.write(store, found.id)
    except Exception as error:  # noqa: BLE001 every store has errors of its own
        if not found.store_marked:  # nobody has seen it yet
            raise InstallationError(
                f"the object store {store_of(settings)} cannot be used: {why_unusable(error)}"
            ) from None
        _log.error("store.unreachable", error=type(error).__name__)  # it will come back; what runs can wait for it
        return found
    if theirs is None:
        raise _unmarked(settings) if is_ours else _unknown(settings)
    if theirs != found.id:
        raise _foreign(settings, theirs, found.id)
    await installation.note_store(connection)
    return found


async def _adopt_store(connection: Connection, store: ObjectStore, found: Installation) -> Installation:
    """Under a new id: a copy of this database, or of this store, is then no part of the installation any more."""
    fresh = msgspec.structs.replace(found, id=new_id("ins"))
    await claim.write(store, fresh.id, over=True)
    await installation.rename(connection, fresh.id)
    await installation.note_store(connection)
    _log.warning("store.adopted")
    return fresh


async def _knows(connection: Connection, store: ObjectStore) -> bool:
    """Whether an unmarked store is ours: it is empty, or of its first thousand objects the database knows most."""
    seen = known = 0
    for prefix in PREFIXES:
        async for page in objects.listed(store, prefix):
            keys = [key for key, _ in page]
            seen += len(keys)
            known += len(await orphans.known(connection, keys))
            if seen >= _LOOKED_AT:
                break
    return known * 2 >= seen


def _foreign(settings: Settings, theirs: str, ours: str) -> InstallationError:
    return InstallationError(
        f"the object store {store_of(settings)} belongs to the installation {theirs}, and {database_of(settings)} "
        f"holds the installation {ours}. Check SEEDANCE_DATABASE_URL, SEEDANCE_STORAGE_URL and --data-dir. "
        "To use this store with this database on purpose: stop every process, then seedance-api init --adopt store"
    )


def _unmarked(settings: Settings) -> InstallationError:
    return InstallationError(
        f"the object store {store_of(settings)} is not the one that {database_of(settings)} was used with: it lacks "
        f"{claim.KEY}. Check SEEDANCE_STORAGE_URL and --data-dir, and whether the folder is mounted. "
        "To use this store from now on: stop every process, then seedance-api init --adopt store"
    )


def _unknown(settings: Settings) -> InstallationError:
    return InstallationError(
        f"the object store {store_of(settings)} holds objects that {database_of(settings)} does not know. "
        "Check SEEDANCE_DATABASE_URL, SEEDANCE_STORAGE_URL and --data-dir. "
        "To use this store with this database on purpose: stop every process, then seedance-api init --adopt store"
    )


async def _with_certificate(
    connection: Connection, settings: Settings, mine: str, recorded: Shared | None, adopt: frozenset[Adopt]
) -> None:
    """Refuse a certificate whose marks the other machines would not take for ours, unless it was rotated in."""
    if recorded is None or recorded.value == mine or Adopt.CERTIFICATE in adopt:
        pass
    elif recorded.value in await asyncio.to_thread(certificate.rotated_out, certificate_of(settings)):
        _log.warning("marking.rotated", reason=f"{recorded.value[:16]} to {mine[:16]}")
    elif mine in recorded.previous:
        _log.warning("marking.outdated", reason=f"{mine[:16]} was rotated out for {recorded.value[:16]}")
        return
    else:
        raise InstallationError(
            f"this machine's certificate of the marks (SHA-256 {mine[:16]}…) is not the one of the installation "
            f"({recorded.value[:16]}…): the other machines would not take its marks for ours. Copy "
            f"{Path('secrets/marking')} from another machine, or set {CERTIFICATE} as there. To rotate it, put the old "
            "one into the folder of trusted ones first (docs/marking.md); if it is lost: "
            "seedance-api init --adopt certificate"
        )
    await installation.record(connection, {CERTIFICATE: mine})


async def _with_settings(
    connection: Connection, settings: Settings, shared: Mapping[str, Shared], adopt: frozenset[Adopt]
) -> None:
    """Refuse other settings while machines run with those of the installation; else let this machine's hold."""
    mine = alike(settings, pepper_of(settings))
    names = installation.differing(mine, shared)
    if names and Adopt.SETTINGS not in adopt and await _others_stay(connection):
        raise InstallationError(
            "this machine is set otherwise than the installation, of which processes are running. "
            + "; ".join(_told(settings, shared, names))
            + ". Set them alike. To change them for the whole installation: set them on every machine, run "
            "seedance-api init --adopt settings on one, then restart one machine after another"
        )
    if names:
        _log.warning("settings.changed", reason="; ".join(names))
    await installation.record(connection, mine)


async def _others_stay(connection: Connection) -> bool:
    """Whether others run. PostgreSQL ends the sessions of processes that were killed a moment ago only by and by."""
    for _ in range(_LOOKS):
        if not await installation.others_run(connection, NAME):
            return False
        await asyncio.sleep(_LOOK_SECONDS)
    return True


def _told(settings: Settings, shared: Mapping[str, Shared], names: Sequence[str]) -> list[str]:
    """What differs, with both values; of secrets and files the name alone."""
    silent = {f"SEEDANCE_{one.name}" for one in TABLE if one.secret} | {UPSTREAMS}
    return [
        f"{name} differs"
        if name in silent
        else f"{name} is `{_text(getattr(settings, name.removeprefix('SEEDANCE_').lower()))}` here and "
        f"`{shared[name].value}` in the installation"
        for name in names
    ]
