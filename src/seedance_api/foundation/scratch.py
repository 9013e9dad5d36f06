"""Scratch folders: one for each process, locked while it lives, removed by the next one to start when it is dead."""

import fcntl
import os
import secrets
import shutil
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import structlog

_LOCK = "lock"
_log = structlog.get_logger()


class Scratch:
    """A folder of this process. The kernel drops its lock when the process ends, however it ends."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self.path = parent / secrets.token_hex(6)
        self._held = -1
        self._making = threading.Lock()
        with _gate(parent):
            self._make()
            for folder in parent.iterdir():
                if folder.is_dir() and folder != self.path and _is_abandoned(folder):
                    _remove(folder)

    def ensure(self) -> None:
        """Make the folder anew, lock and all, if somebody has deleted it. Raises OSError when that cannot be."""
        with self._making:
            if self._is_there():
                return
            with _gate(self._parent):
                os.close(self._held)
                self._held = -1
                self._make()
        _log.error("scratch.restored", reason="somebody deleted the folder or its lock")

    def close(self) -> None:
        """Remove the folder."""
        _remove(self.path)
        if self._held >= 0:
            os.close(self._held)

    def _make(self) -> None:
        self.path.mkdir(mode=0o700, exist_ok=True)
        self.path.chmod(0o700)
        self._held = _lock(self.path / _LOCK)

    def _is_there(self) -> bool:
        try:
            found, held = (self.path / _LOCK).stat(), os.fstat(self._held)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)


@contextmanager
def _gate(parent: Path) -> Generator[None]:
    """Nobody clears away a folder that is just being made."""
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    gate = _lock(parent / _LOCK)
    try:
        yield
    finally:
        fcntl.flock(gate, fcntl.LOCK_UN)  # a process that was forked meanwhile has it open too
        os.close(gate)


def _lock(path: Path) -> int:
    """Hold an exclusive lock on the file of this name, which may be deleted and made anew while we wait for it."""
    while True:
        opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX)
            if path.stat().st_ino == os.fstat(opened).st_ino:
                return opened
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(opened)
            raise
        os.close(opened)


def _remove(folder: Path) -> None:
    """The lock goes last: by it the rest is known as ours, if we are killed here."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != _LOCK:
            path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    """Whether a dead process of ours had it. Somebody else's folder has no lock of ours in it and stays.

    So does one whose process was killed before it had put its lock there; it is empty.
    """
    try:
        with (folder / _LOCK).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):
        return False
    return True
