"""Disk: whether the file systems that we write to keep a reserve, so that work under way and deletions always can."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from seedance_api.foundation.errors import AppError

_FRESH_SECONDS = 1.0
_RETRY_SECONDS = 30
_RESERVE_MOST = 10 << 30
"""Bytes that are enough of a reserve on any disk, however small a part of a large one."""


class Disk:
    """The file systems of some folders. They are looked at once a second at most."""

    def __init__(
        self, folders: Sequence[Path], *, reserve_percent: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folders = folders
        self._reserve = reserve_percent / 100
        self._clock = clock
        self._looked_at = float("-inf")
        self._low = False

    @property
    def is_low(self) -> bool:
        """Whether on one of them less than the reserve is free."""
        now = self._clock()
        if now - self._looked_at >= _FRESH_SECONDS:
            self._looked_at = now
            self._low = any(is_low(folder, self._reserve) for folder in self._folders)
        return self._low

    def check(self) -> None:
        """Raises AppError 503 when nothing new may be taken in."""
        if self.is_low:
            raise AppError("storage_full", headers={"Retry-After": str(_RETRY_SECONDS)})


def is_low(folder: Path, reserve: float) -> bool:
    """Whether less than this share, and less than 10 GiB, is free of what this user may write where the folder is."""
    found = os.statvfs(folder)
    usable = found.f_blocks - found.f_bfree + found.f_bavail
    return found.f_bavail < min(usable * reserve, _RESERVE_MOST / found.f_frsize)
