"""Put an object into the store, durably: it is on the disk, whole, before its name is."""

import asyncio
import os
import secrets
import shutil
from pathlib import Path

import obstore
from obstore.store import ObjectStore

from seedance_api.foundation import kill_points
from seedance_api.foundation.objects import TornError, check, delete, folder_of, size_of

_TRIES = 5


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
