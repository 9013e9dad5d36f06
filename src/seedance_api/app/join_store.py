"""Join the object store: it carries the id of its installation, and is used with its database alone."""

import asyncio

import msgspec
import structlog
from obstore.store import ObjectStore

from seedance_api.app.place import database_of, store_of
from seedance_api.foundation import claim, installation, objects
from seedance_api.foundation.db import Connection
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.installation import Installation, InstallationError
from seedance_api.foundation.objects import open_store
from seedance_api.foundation.store_trouble import why_unusable
from seedance_api.reconciliation import orphans
from seedance_api.reconciliation.collect_orphans import PREFIXES
from seedance_api.settings import Settings

_SAMPLE = 1000
"""Objects of an unmarked store that are looked up in the database."""
_log = structlog.get_logger()


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


async def join_store(
    connection: Connection, settings: Settings, current: Installation, *, makes: bool, adopts: bool
) -> Installation:
    """The installation, with the store that carries its id; `adopts` takes over the one that is there."""
    try:
        store = await asyncio.to_thread(
            open_store,
            settings.storage_url,
            settings.data_dir / "objects",
            makes=(makes and not current.store_marked) or adopts,
        )
    except FileNotFoundError:
        raise _unmarked(settings) from None
    try:
        if adopts:
            return await _adopt_store(connection, store, current)
        theirs = await claim.read(store)
        is_ours = current.store_marked or theirs is not None or await _knows(connection, store)
        if theirs is None and not current.store_marked and is_ours:
            theirs = await claim.write(store, current.id)
    except Exception as error:  # noqa: BLE001 every store has errors of its own
        if not current.store_marked:  # nobody has seen it yet
            raise InstallationError(
                f"the object store {store_of(settings)} cannot be used: {why_unusable(error)}"
            ) from None
        _log.error("store.unreachable", error=type(error).__name__)  # it will come back; what runs can wait for it
        return current
    if theirs is None:
        raise _unmarked(settings) if is_ours else _unknown(settings)
    if theirs != current.id:
        raise _foreign(settings, theirs, current.id)
    await installation.note_store(connection)
    return current


async def _adopt_store(connection: Connection, store: ObjectStore, current: Installation) -> Installation:
    """Under a new id: a copy of this database, or of this store, is then no part of the installation any more."""
    fresh = msgspec.structs.replace(current, id=new_id("ins"))
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
            if seen >= _SAMPLE:
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
