"""Objects: files in a local folder, S3, GCS or Azure, through obstore. Nothing is ever held in memory whole."""

import asyncio
import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import AzureStore, GCSStore, LocalStore, ObjectStore, S3Store, from_url

from seedance_api.foundation import kill_points

if TYPE_CHECKING:
    from obstore.store import RetryConfig

CHUNK = 256 * 1024
_DELETES = 1000
"""Keys of one call: what S3 takes in one request."""
_DELETE_CONCURRENCY = 16
_LISTED = 1000
"""Keys of one page: what S3 lists in one request."""
_TRIES = 5
_RETRIES: "RetryConfig" = {"max_retries": 5, "retry_timeout": timedelta(seconds=20)}
"""A request that fails is tried again in this time. One without an answer is given up after 30 s, the library's own
bound, and not tried again: else a frozen store would hold a request, and a worker's place, for three minutes."""
_PROBE, _PROBE_SECONDS = "probe/never", 30.0
_BAD = "bad credentials: the key, its secret or its token is wrong"
_WHY = (
    (("NoSuchBucket", "The specified bucket does not exist"), "there is no such bucket"),
    (("ContainerNotFound",), "there is no such container"),
    (("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "AuthenticationFailed"), _BAD),
    (("169.254.169.254", "metadata.google.internal"), "there are no credentials for it"),
    (("ConnectionRefused",), "the connection is refused: nothing listens there"),
    (("dns error",), "the name of its host is not found"),
    (("TimedOut", "operation timed out"), "there was no answer in time"),
    (("PermanentRedirect", "AuthorizationHeaderMalformed"), "the bucket is in another region"),
)
"""What the library and the makers of stores say, and what it means."""


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


class Digest(Protocol):
    """What takes in bytes, one of `hashlib`'s for instance."""

    def update(self, data: bytes, /) -> object:
        """Take in some more."""
        ...


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


async def put_file(store: ObjectStore, key: str, path: Path) -> None:
    """Copy a file into the store, durably. Readers see all of it or nothing.

    Raises OSError, TornError among others; whoever put it tries again.
    """
    size = (await asyncio.to_thread(path.stat)).st_size
    folder = folder_of(store)
    if folder is not None:
        await asyncio.to_thread(_put, store, folder, key, path)
    else:
        await obstore.put_async(store, key, path)
    await _check_size(store, key, size)


async def put_bytes(store: ObjectStore, key: str, content: bytes) -> None:
    """Write a small object, as `put_file` does."""
    folder = folder_of(store)
    if folder is not None:
        await asyncio.to_thread(_put, store, folder, key, content)
    else:
        await obstore.put_async(store, key, content)
    await _check_size(store, key, len(content))


async def _check_size(store: ObjectStore, key: str, size: int) -> None:
    there = await size_of(store, key)
    if there != size:
        await delete(store, [key])
        raise TornError(f"the store has {there} bytes of {size}")


def _put(store: ObjectStore, root: Path, key: str, content: Path | bytes) -> None:
    """Write beside the place, to disk, then rename: obstore writes no file through to the disk by itself."""
    check(store)
    to = root / key
    # after a kill it is an object that no row names, which `collect` deletes
    part = to.with_name(f"{to.name}.part-{secrets.token_hex(4)}")
    try:
        _fill(part, content)
        kill_points.reach("object.written")
        check(store)  # it took a while
        part.replace(to)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _settle(root, to)


def settle(store: ObjectStore, key: str) -> None:
    """See to it that an object that obstore wrote is on the disk, where the store is a folder."""
    folder = folder_of(store)
    if folder is not None:
        _sync(folder / key)
        _settle(folder, folder / key)


def _settle(root: Path, to: Path) -> None:
    for folder in to.parents:  # those that were made for it as well
        _sync(folder)
        if folder == root:
            break


def _fill(part: Path, content: Path | bytes) -> None:
    for last in (*(False,) * (_TRIES - 1), True):
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            part.touch()
            break
        except FileNotFoundError:  # a delete in between took the empty folder away
            if last:
                raise
    if isinstance(content, Path):
        shutil.copyfile(content, part)
    else:
        part.write_bytes(content)
    _sync(part)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


async def is_whole(store: ObjectStore, key: str, size: int) -> bool:
    """Whether the object is there, with this size."""
    try:
        return await size_of(store, key) == size
    except FileNotFoundError:
        return False


async def is_intact(store: ObjectStore, key: str, size: int, sha256: str) -> bool:
    """Whether the object is there, with this size and digest: all of it is read, a chunk at a time.

    Raises whatever the store does when it cannot be read: that says nothing of the object.
    """
    digest = hashlib.sha256()
    try:
        chunks = await open_range(store, key, 0, size, size=size, digest=digest)
        async with aclosing(chunks):
            async for _ in chunks:
                pass
    except (FileNotFoundError, TornError):
        return False
    except OSError as error:
        if error.errno == errno.EIO:  # the disk itself says that it has it no more
            return False
        raise
    return digest.hexdigest() == sha256


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


def why_unusable(error: BaseException) -> str:
    """Why a store cannot be used, in words. What the library says may quote an address and what was signed."""
    if isinstance(error, TimeoutError):
        return "there was no answer in time"
    text = str(error) if isinstance(error, (BaseError, OSError)) else ""
    found = next((why for signs, why in _WHY if any(sign in text for sign in signs)), None)
    if found is None and isinstance(error, UnauthenticatedError):
        return _BAD
    if found is None and isinstance(error, (PermissionDeniedError, PermissionError)):
        return "access is denied: the credentials may not do this"
    if found is None and isinstance(error, OSError) and error.strerror:
        return error.strerror
    return found or type(error).__name__


async def is_silent(store: ObjectStore) -> str | None:
    """Why the store cannot be used, or None: asked about an object that is never there. Waits for 30 s at most."""
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            await size_of(store, _PROBE)
    except (FileNotFoundError, PermissionDeniedError, UnauthenticatedError):
        return None
    except MissingError as error:
        return error.strerror
    except (BaseError, OSError, TimeoutError) as error:
        return why_unusable(error)
    return None


async def open_range(
    store: ObjectStore, key: str, start: int, end: int, *, size: int, digest: Digest | None = None
) -> AsyncGenerator[bytes, None]:
    """The bytes from `start` up to but without `end` of an object of `size` bytes, in chunks. `digest` takes them in.

    Raises FileNotFoundError, and TornError when it has another size. Close it when you stop early.
    """
    folder = folder_of(store)
    if folder is not None:
        # at once, not in a thread: a client that leaves meanwhile would leave it open for ever
        try:
            descriptor = os.open(folder / key, os.O_RDONLY)
        except FileNotFoundError:
            check(store)
            raise
        if os.fstat(descriptor).st_size != size:
            os.close(descriptor)
            raise TornError
        return _local_chunks(descriptor, start, end, digest)
    found = await obstore.get_async(store, key, options={"range": (start, end)})
    if found.meta["size"] != size:
        raise TornError
    return _chunks(found, digest)


async def _local_chunks(descriptor: int, start: int, end: int, digest: Digest | None) -> AsyncGenerator[bytes, None]:
    # three times as fast as the store's own stream, which copies each chunk once more
    try:
        while start < end:
            chunk = await asyncio.to_thread(_read, descriptor, min(CHUNK, end - start), start, digest)
            if not chunk:
                raise TornError
            start += len(chunk)
            yield chunk
    finally:
        os.close(descriptor)


def _read(descriptor: int, size: int, at: int, digest: Digest | None) -> bytes:
    """Where it is read it is digested too: the loop has other things to do."""
    chunk = os.pread(descriptor, size, at)
    if digest is not None:
        digest.update(chunk)
    return chunk


async def _chunks(found: "obstore.GetResult", digest: Digest | None) -> AsyncGenerator[bytes, None]:
    async for some in found.stream(min_chunk_size=CHUNK):
        chunk = bytes(some)
        if digest is not None:
            digest.update(chunk)
        yield chunk


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
