"""Objects: files in a local folder, S3, GCS or Azure, through obstore. Nothing is ever held in memory whole."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import obstore
from obstore.store import AzureStore, GCSStore, LocalStore, ObjectStore, S3Store, from_url

CHUNK = 256 * 1024


def open_store(url: str | None, folder: Path) -> ObjectStore:
    """The store at `url` (`s3://…`, `gs://…`, `az://…`, `file:///…`), or a folder of our own."""
    if url is not None and not url.startswith("file://"):
        return from_url(url)
    place = Path(url.removeprefix("file://")) if url else folder
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    return LocalStore(place, automatic_cleanup=True)


async def put_file(store: ObjectStore, key: str, path: Path) -> None:
    """Copy a file into the store. Readers see all of it or nothing."""
    await obstore.put_async(store, key, path)


async def put_bytes(store: ObjectStore, key: str, content: bytes) -> None:
    """Write a small object."""
    await obstore.put_async(store, key, content)


async def exists(store: ObjectStore, key: str) -> bool:
    """Whether there is such an object."""
    try:
        await obstore.head_async(store, key)
    except FileNotFoundError:
        return False
    return True


async def size_of(store: ObjectStore, key: str) -> int:
    """The bytes of an object. Raises FileNotFoundError."""
    return (await obstore.head_async(store, key))["size"]


async def get_file(store: ObjectStore, key: str, to: Path) -> int:
    """Copy an object to a file; returns its bytes. Raises FileNotFoundError when there is none."""
    found = await obstore.get_async(store, key)
    size = 0
    with to.open("wb") as file:
        async for chunk in found.stream(min_chunk_size=CHUNK):
            size += file.write(chunk)
    return size


class TornError(Exception):
    """An object has another size than was written."""


async def open_range(store: ObjectStore, key: str, start: int, end: int, *, size: int) -> AsyncGenerator[bytes, None]:
    """The bytes from `start` up to but without `end` of an object of `size` bytes, in chunks.

    Raises FileNotFoundError, and TornError when it has another size. Close it when you stop early.
    """
    file = _local_file(store, key)
    if file is not None:
        descriptor = await asyncio.to_thread(os.open, file, os.O_RDONLY)
        if os.fstat(descriptor).st_size != size:
            os.close(descriptor)
            raise TornError
        return _local_chunks(descriptor, start, end)
    found = await obstore.get_async(store, key, options={"range": (start, end)})
    if found.meta["size"] != size:
        raise TornError
    return _chunks(found)


async def _local_chunks(descriptor: int, start: int, end: int) -> AsyncGenerator[bytes, None]:
    # three times as fast as the store's own stream, which copies each chunk once more
    try:
        while start < end:
            chunk = await asyncio.to_thread(os.pread, descriptor, min(CHUNK, end - start), start)
            if not chunk:
                raise TornError
            start += len(chunk)
            yield chunk
    finally:
        os.close(descriptor)


async def _chunks(found: "obstore.GetResult") -> AsyncGenerator[bytes, None]:
    async for chunk in found.stream(min_chunk_size=CHUNK):
        yield bytes(chunk)


async def presign(store: ObjectStore, key: str, seconds: int) -> str | None:
    """An address at which anybody can read the object for a while; None where the store is a folder."""
    if not isinstance(store, S3Store | GCSStore | AzureStore):
        return None
    return await obstore.sign_async(store, "GET", key, timedelta(seconds=seconds))


async def keys_before(store: ObjectStore, prefix: str, moment: datetime) -> AsyncIterator[list[str]]:
    """The keys under a prefix that were last written before a moment, a page at a time."""
    # of obstore's two forms of this call, the Arrow one is untyped
    async for page in obstore.list(store, prefix=prefix):  # pyright: ignore[reportUnknownMemberType]
        yield [found["path"] for found in page if found["last_modified"] < moment]


def _local_file(store: ObjectStore, key: str) -> Path | None:
    """The file of an object, where the store is a folder of this machine."""
    return Path(store.prefix) / key if isinstance(store, LocalStore) and store.prefix is not None else None


async def delete(store: ObjectStore, keys: list[str]) -> None:
    """Delete objects; one that is gone already is no error."""
    for key in keys:
        try:
            await obstore.delete_async(store, key)
        except FileNotFoundError:
            continue
