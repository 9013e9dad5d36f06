"""Claim: an object store carries the id of the installation that it belongs to.

Whoever takes the objects of another database for orphans deletes them. So a store is used only with the database whose
id it carries, in the object `installation.json`.
"""

import asyncio
from pathlib import Path

import msgspec
import obstore
from obstore.exceptions import AlreadyExistsError, NotSupportedError
from obstore.store import ObjectStore

from seedance_api.foundation import installation, objects
from seedance_api.foundation.db import Database
from seedance_api.foundation.put_object import put_bytes, settle

KEY = "installation.json"
_ABOUT = "This object store belongs to the Seedance API installation with this id. Keep this object."
_SECONDS = 20.0


class Marker(msgspec.Struct, frozen=True):
    """What the object says."""

    id: str
    about: str = _ABOUT


async def read(store: ObjectStore) -> str | None:
    """The id that a store carries; None when it has none. Within 20 s. Raises what the store raises."""
    async with asyncio.timeout(_SECONDS):
        try:
            found = await obstore.get_async(store, KEY)
            text = bytes(await found.bytes_async())
        except FileNotFoundError:
            return None
    return _id_in(text)


async def write(store: ObjectStore, installation_id: str, *, over: bool = False) -> str:
    """Write the id, over another's only where that is asked for. Returns the id that the store carries then.

    Of several that write at once one succeeds, where the store can create conditionally: all but a few makers of S3.
    """
    content = msgspec.json.encode(Marker(installation_id))
    async with asyncio.timeout(_SECONDS):
        if over:
            await put_bytes(store, KEY, content)
        else:
            await _create(store, content)
    return await read(store) or ""


async def _create(store: ObjectStore, content: bytes) -> None:
    try:
        await obstore.put_async(store, KEY, content, mode="create")
    except AlreadyExistsError:
        return
    except NotSupportedError:
        await put_bytes(store, KEY, content)
    await asyncio.to_thread(settle, store, KEY)


def keep(store: ObjectStore, installation_id: str) -> None:
    """Use the store as long as it carries this id, where it is a folder: what is written below the mount point of one
    that was unmounted would be hidden once it is mounted again."""

    def is_ours(root: Path) -> bool:
        try:
            return _id_in((root / KEY).read_bytes()) == installation_id
        except (FileNotFoundError, NotADirectoryError):
            return False

    if isinstance(store, objects.Folder):
        store.is_ours = is_ours


def _id_in(text: bytes) -> str:
    try:
        return msgspec.json.decode(text, type=Marker).id
    except msgspec.DecodeError:
        return "unreadable"  # somebody's, and not ours


async def is_empty(store: ObjectStore, prefixes: tuple[str, ...]) -> bool:
    """Whether there is no object under any of these prefixes. Within 20 s."""
    async with asyncio.timeout(_SECONDS):
        for prefix in prefixes:
            async for page in objects.listed(store, prefix):
                if page:
                    return False
    return True


async def agrees(db: Database, store: ObjectStore) -> bool:
    """Whether the store carries the id of this database's installation. Raises what the store raises."""
    ours = await installation.find(db)
    return ours is not None and await read(store) == ours.id
