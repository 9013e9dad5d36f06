"""Objects: files in a local folder, S3, GCS or Azure, through obstore. Nothing is ever held in memory whole."""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.store import AzureStore, GCSStore, LocalStore, ObjectStore, S3Store, from_url

if TYPE_CHECKING:
    from obstore.store import RetryConfig

_DELETES = 1000
"""Keys of one call: what S3 takes in one request."""
_DELETE_CONCURRENCY = 16
_LISTED = 1000
"""Keys of one page: what S3 lists in one request."""
_RETRIES: "RetryConfig" = {"max_retries": 5, "retry_timeout": timedelta(seconds=20)}
"""A request that fails is tried again in this time. One without an answer is given up after 30 s, the library's own
bound, and not tried again: else a frozen store would hold a request, and a worker's place, for three minutes."""


class TornError(OSError):
    """What is in the store is not what was put there."""


class MissingError(OSError):
    """The folder of objects is not the one that was opened: nothing may be written to it, nor taken for lost."""

    def __init__(self) -> None:
        super().__init__(errno.ENODEV, "the folder of objects does not carry the installation's id: is it mounted?")


class Folder(LocalStore):
    """A folder of this machine. It may be a mounted one, and what is below the mount point is another folder."""

    is_ours: Callable[[Path], bool] | None = None
    """Whether it is the one that was opened, as far as anybody knows a sign of that."""

    def check(self) -> None:
        """Raises MissingError when it is not the folder that was opened."""
        if self.is_ours is not None and not self.is_ours(Path(str(self.prefix))):
            raise MissingError


def open_store(url: str | None, folder: Path, *, makes: bool = True) -> ObjectStore:
    """The store at `url` (`s3://…`, `gs://…`, `az://…`, `file:///…`), or a folder of our own.

    A folder that is not there is made, or with `makes` off is a FileNotFoundError.
    """
    if url is not None and not url.startswith("file://"):
        return from_url(url, retry_config=_RETRIES)
    place = Path(url.removeprefix("file://")) if url else folder
    if makes:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    elif not place.is_dir():
        raise FileNotFoundError(f"there is no folder {place}")
    return Folder(place, automatic_cleanup=True)


def check(store: ObjectStore) -> None:
    """Raises MissingError when the store is a folder, and not the one that was opened. Before whatever changes it, and
    before something that is not there is taken for deleted."""
    if isinstance(store, Folder):
        store.check()


async def is_whole(store: ObjectStore, key: str, size: int) -> bool:
    """Whether the object is there, with this size."""
    try:
        return await size_of(store, key) == size
    except FileNotFoundError:
        return False


async def exists(store: ObjectStore, key: str) -> bool:
    """Whether there is such an object."""
    try:
        await size_of(store, key)
    except FileNotFoundError:
        return False
    return True


async def size_of(store: ObjectStore, key: str) -> int:
    """The bytes of an object. Raises FileNotFoundError."""
    try:
        return (await obstore.head_async(store, key))["size"]
    except FileNotFoundError:
        check(store)
        raise


async def presign(store: ObjectStore, key: str, seconds: int) -> str | None:
    """An address at which anybody can read the object for a while; None where the store is a folder."""
    if not isinstance(store, S3Store | GCSStore | AzureStore):
        return None
    return await obstore.sign_async(store, "GET", key, timedelta(seconds=seconds))


async def listed(store: ObjectStore, prefix: str) -> AsyncIterator[list[tuple[str, datetime]]]:
    """The keys under a prefix, each with the moment when it was last written, a page at a time."""
    # of obstore's two forms of this call, the Arrow one is untyped
    async for page in obstore.list(store, prefix=prefix, chunk_size=_LISTED):  # pyright: ignore[reportUnknownMemberType]
        yield [(found["path"], found["last_modified"]) for found in page]


async def keys_before(store: ObjectStore, prefix: str, moment: datetime) -> AsyncIterator[list[str]]:
    """The keys under a prefix that were last written before a moment, a page at a time."""
    async for page in listed(store, prefix):
        yield [key for key, written_at in page if written_at < moment]


async def move(store: ObjectStore, key: str, to: str) -> bool:
    """Give an object another key; one that was there is replaced. False when there is no such object."""
    check(store)
    try:
        await obstore.rename_async(store, key, to)
    except FileNotFoundError:
        return False
    return True


def folder_of(store: ObjectStore) -> Path | None:
    """The folder of this machine that the store is, if it is one."""
    return Path(store.prefix) if isinstance(store, LocalStore) and store.prefix is not None else None


async def delete(store: ObjectStore, keys: Sequence[str]) -> None:
    """Delete objects, many in one request where the store can; one that is gone already is no error."""
    check(store)
    for at in range(0, len(keys), _DELETES):
        page = list(keys[at : at + _DELETES])
        try:
            await obstore.delete_async(store, page)
        except FileNotFoundError:  # S3 does not mind; the others stop there, who knows after which
            await _delete_each(store, page)


async def _delete_each(store: ObjectStore, keys: Sequence[str]) -> None:
    gate = asyncio.Semaphore(_DELETE_CONCURRENCY)

    async def delete_one(key: str) -> None:
        async with gate:
            try:
                await obstore.delete_async(store, key)
            except FileNotFoundError:
                return

    await asyncio.gather(*(delete_one(key) for key in keys))
