"""Objects: files in a local folder, S3, GCS or Azure, through obstore. Nothing is ever held in memory whole."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import obstore
from obstore.store import LocalStore, ObjectStore, from_url

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


async def open_range(store: ObjectStore, key: str, start: int, end: int) -> AsyncIterator[bytes]:
    """The bytes from `start` up to but without `end`, in chunks. Raises FileNotFoundError."""
    found = await obstore.get_async(store, key, options={"range": (start, end)})

    async def chunks() -> AsyncIterator[bytes]:
        async for chunk in found.stream(min_chunk_size=CHUNK):
            yield bytes(chunk)

    return chunks()


async def keys_before(store: ObjectStore, prefix: str, moment: datetime) -> AsyncIterator[list[str]]:
    """The keys under a prefix that were last written before a moment, a page at a time."""
    # of obstore's two forms of this call, the Arrow one is untyped
    async for page in obstore.list(store, prefix=prefix):  # pyright: ignore[reportUnknownMemberType]
        yield [found["path"] for found in page if found["last_modified"] < moment]


def local_file(store: ObjectStore, key: str) -> Path | None:
    """The file of an object that is there, where the store is a folder of this machine."""
    if not isinstance(store, LocalStore) or store.prefix is None:
        return None
    file = Path(store.prefix) / key
    return file if file.is_file() else None


async def delete(store: ObjectStore, keys: list[str]) -> None:
    """Delete objects; one that is gone already is no error."""
    for key in keys:
        try:
            await obstore.delete_async(store, key)
        except FileNotFoundError:
            continue
