"""Read an object, a chunk at a time: to send it, or to compare it with its digest."""

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

import obstore
from obstore.store import ObjectStore

from seedance_api.foundation.objects import TornError, check, folder_of

CHUNK = 256 * 1024


class Digest(Protocol):
    """What takes in bytes, one of `hashlib`'s for instance."""

    def update(self, data: bytes, /) -> object:
        """Take in some more."""
        ...


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
