"""Disk: that the file systems which we write to keep room, for work under way, for deletions and for the database.

Three marks, from above: below the *reserve* nothing new is taken in; below the *floor*, a quarter of it, work under way
waits as well; what is left then is the database's alone. Where that is embedded, a *ballast* is kept for it besides.
"""

import errno
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from seedance_api.foundation.errors import AppError

_FRESH_SECONDS = 1.0
_RETRY_SECONDS = 30
_MAX_RESERVE = 10 << 30
"""Bytes that are enough of a reserve on any disk, however small a part of a large one."""
_SCANT = 16 << 20
"""With less the database can neither make the next file of its log nor delete much."""
_FLOOR = 4
"""The floor is this part of the reserve."""
_log = structlog.get_logger()
FULL = (errno.ENOSPC, errno.EDQUOT)


class Disk:
    """The file systems of some folders. For `is_low` they are looked at once a second at most."""

    def __init__(
        self, folders: Sequence[Path], *, reserve_percent: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.folders = folders
        self._reserve = reserve_percent / 100
        self._clock = clock
        self._looked_at = float("-inf")
        self._low = False

    @property
    def is_low(self) -> bool:
        """Whether on one of them less than the reserve is free."""
        now = self._clock()
        if now - self._looked_at >= _FRESH_SECONDS:
            self.look()
            self._looked_at = now
        return self._low

    def look(self) -> bool:
        """As `is_low`, and looked at now."""
        self._low = any(is_low(folder, self._reserve) for folder in self.folders)
        return self._low

    def check(self) -> None:
        """Raises AppError 503 when nothing new may be taken in."""
        if self.is_low:
            raise full()

    def check_work(self, size: int = 0) -> None:
        """Raises OSError (ENOSPC) when work under way that writes `size` bytes would leave less than the floor."""
        if any(is_low(folder, self._reserve / _FLOOR, _MAX_RESERVE // _FLOOR, size) for folder in self.folders):
            raise OSError(errno.ENOSPC, "what is left is the database's")


def probe(folder: Path) -> None:
    """Make a file in the folder, and the folder if it is gone. Raises OSError; a disk that is full is no reason."""
    try:
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _log.error("folder.restored", folder=folder.name)
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            file.write(b"\0")
    except OSError as error:
        if error.errno not in FULL:
            raise


def full() -> AppError:
    """A 503 for what there is no room for now."""
    return AppError("storage_full", headers={"Retry-After": str(_RETRY_SECONDS)})


def is_low(folder: Path, reserve: float, max_bytes: int = _MAX_RESERVE, size: int = 0) -> bool:
    """Whether less than this share, and less than `max_bytes`, would be free of what this user may write where the
    folder is, or would be if it were there, once `size` more bytes are written."""
    found = _statvfs(folder)
    usable = found.f_blocks - found.f_bfree + found.f_bavail
    return found.f_bavail - size / found.f_frsize < min(usable * reserve, max_bytes / found.f_frsize)


def _statvfs(folder: Path) -> os.statvfs_result:
    for place in (folder, *folder.parents):
        with suppress(FileNotFoundError, NotADirectoryError):
            return os.statvfs(place)
    raise FileNotFoundError(errno.ENOENT, "no such folder")


class Ballast:
    """A file of `size` bytes that takes room until the database needs it. Of size 0 there is none."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size

    def keep(self) -> bool:
        """Make it if it is not there and twice its size is free; let it go when hardly anything is. Is it there?"""
        free = self._free()
        try:
            if self._path.stat().st_size == self._size and free >= _SCANT:
                return True
            self.release()  # it is needed, or of a size that is not wanted any more
        except FileNotFoundError:
            pass
        if self._size == 0 or free < 2 * self._size:
            return False
        try:
            self._make()
        except OSError:  # somebody was quicker, or took the room
            return False
        return True

    def relieve(self) -> None:
        """Let it go when hardly anything is free: the database must not fail first."""
        if self._free() < _SCANT:
            self.release()

    def release(self) -> bool:
        """Give its room back. Whether there was any."""
        try:
            size = self._path.stat().st_size
            self._path.unlink()
        except FileNotFoundError:
            return False
        _log.error("postgres.ballast_released")
        return size > 0

    def _free(self) -> int:
        found = os.statvfs(self._path.parent)
        return found.f_bavail * found.f_frsize

    def _make(self) -> None:
        part = self._path.with_name(f"{self._path.name}.part")
        part.unlink(missing_ok=True)
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.posix_fallocate(file, 0, self._size)
            part.replace(self._path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        finally:
            os.close(file)
