"""The workroom: a folder on the local disk for each render, gone when the render is."""

import asyncio
import fcntl
import os
import shutil
import threading
from pathlib import Path

from seedance_api.foundation.disk import Disk


class Workroom:
    """Folders of one process, under a lock that dies with it: the next one sweeps what it left."""

    def __init__(self, scratch: Path, owner: str, *, disk: Disk | None = None) -> None:
        self._scratch = scratch
        self._disk = disk
        self._home = scratch / owner
        self._lock: int | None = None
        self._opening = threading.Lock()

    async def make_room(self, attempt_id: str) -> Path:
        """Make an empty folder that only we can read."""
        return await asyncio.to_thread(self._make_room, attempt_id)

    async def clear_room(self, attempt_id: str) -> None:
        """Delete a folder with all that is in it."""
        await asyncio.to_thread(shutil.rmtree, self._home / attempt_id, True)

    async def close(self) -> None:
        """Delete everything and give up the lock."""
        await asyncio.to_thread(self._close)

    def _make_room(self, attempt_id: str) -> Path:
        with self._opening:  # rooms are made in threads; a second lock on our own file would wait for ever
            if self._disk is not None:
                self._disk.check_work()
            if self._lock is not None and not self._is_there():
                os.close(self._lock)  # somebody has deleted the folder
                self._lock = None
            if self._lock is None:
                self._open()
        room = self._home / attempt_id
        shutil.rmtree(room, ignore_errors=True)
        room.mkdir(mode=0o700)
        return room

    def _is_there(self) -> bool:
        assert self._lock is not None, "it was opened"
        try:
            return (self._home / "lock").stat().st_ino == os.fstat(self._lock).st_ino
        except OSError:
            return False

    def _open(self) -> None:
        self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        for other in self._scratch.iterdir():
            if other.is_dir() and other != self._home:
                _sweep(other)
        self._home.mkdir(mode=0o700, exist_ok=True)
        self._lock = os.open(self._home / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def _close(self) -> None:
        if self._lock is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            os.close(self._lock)
            self._lock = None


def _sweep(home: Path) -> None:
    """Delete another process's folder, if that process is no more: then its lock is free."""
    try:
        lock = os.open(home / "lock", os.O_RDWR)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(home, ignore_errors=True)
    except BlockingIOError:
        return
    finally:
        os.close(lock)
