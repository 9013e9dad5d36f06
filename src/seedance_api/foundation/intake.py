"""Intake: scratch folders for requests. What is written there is set aside on the disk first, in shares for accounts.

Set aside means allocated, in a file that no name leads to: every process sees it as taken, and the kernel gives it back
however this one ends. The file shrinks as the bytes it stands for arrive.
"""

import asyncio
import errno
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from obstore.store import ObjectStore

from seedance_api.foundation.disk import FULL, Disk, full, probe
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.objects import Folder as ObjectFolder
from seedance_api.foundation.scratch import Scratch
from seedance_api.foundation.shares import Shares

_FREE = 1 << 20
"""Bytes of each folder that nothing is set aside for: most bodies have less."""
_STEP = 8 << 20
_PROBE_SECONDS = 1.0
_UNSUPPORTED = (errno.EOPNOTSUPP, errno.EINVAL)


class Intake:
    """The scratch folders of a process's requests: of one account `max_uploads` at once, with `max_bytes` together."""

    def __init__(
        self, scratch: Scratch, disk: Disk, *, max_uploads: int, max_bytes: int, objects: ObjectStore | None = None
    ) -> None:
        self.scratch = scratch
        self.disk = disk
        self.shares = Shares(max_uploads=max_uploads, max_bytes=max_bytes)
        self._objects = objects
        self._probing: asyncio.Task[None] | None = None
        self._probed_at = float("-inf")

    @asynccontextmanager
    async def folder(self, account_id: str | None) -> AsyncGenerator["Folder", None]:
        """A folder for one request, removed at the end. Without an account no bound holds but the disk."""
        folder = Folder(self, account_id, self.scratch.path / new_id("room"))
        try:
            yield folder
        finally:
            await folder.close()

    async def probe(self) -> None:
        """Make a file in the scratch folder and where objects are kept, once a second at most. Raises OSError."""
        now = asyncio.get_running_loop().time()
        if self._probing is None or (self._probing.done() and now - self._probed_at >= _PROBE_SECONDS):
            self._probed_at = now
            self._probing = asyncio.create_task(asyncio.to_thread(self._probe))
        await asyncio.shield(self._probing)  # one that hangs is waited for by all, and never begun twice

    def _probe(self) -> None:
        self.scratch.ensure()
        probe(self.scratch.path)
        if isinstance(self._objects, ObjectFolder):
            self._objects.check()
            probe(Path(str(self._objects.prefix)))


class Folder:
    """The scratch folder of one request. It is made when it is first needed: most creates bring no file."""

    def __init__(self, intake: Intake, account_id: str | None, path: Path) -> None:
        self.path = path
        self._intake = intake
        self._account_id = account_id
        self._made = False
        self._charged = 0
        self._aside = 0
        self._blocks: IO[bytes] | None = None
        self._allocated = 0
        self._changing = asyncio.Lock()

    @property
    def owner(self) -> str:
        """Whose request it is, for what is shared out among accounts."""
        return self._account_id or ""

    async def make(self) -> Path:
        """The folder, which is there then. Raises AppError 429 for an account that has too many, OSError."""
        async with self._changing:
            await self._make()
        return self.path

    async def set_aside(self, size: int) -> None:
        """Have room for so many bytes in all before the first of them comes. Raises AppError 429, 503."""
        async with self._changing:
            await self._make()
            if size > self._charged:
                await self._grow(size - self._charged)

    async def take(self, size: int) -> None:
        """So many bytes are about to be written. Raises AppError 429, 503 when there is no room for them."""
        async with self._changing:
            await self._make()
            missing = size - self._aside
            if missing > 0:
                free = _FREE - self._charged
                await self._grow(free if missing <= free else max(missing, _STEP))
            self._aside -= size
            if self._allocated - self._aside >= _FREE or (self._allocated and not self._aside):
                await asyncio.to_thread(self._allocate, self._aside)

    async def close(self) -> None:
        """Give everything back."""
        if not self._made:
            return
        if self._blocks is not None:
            self._blocks.close()
        if self._account_id is not None:
            self._intake.shares.dismiss(self._account_id, self._charged)
        await asyncio.to_thread(shutil.rmtree, self.path, ignore_errors=True)

    async def _make(self) -> None:
        if self._made:
            return
        if self._account_id is not None:
            await self._intake.shares.admit(self._account_id)
        self._made = True
        await asyncio.to_thread(self._make_folder)

    def _make_folder(self) -> None:
        try:
            self.path.mkdir(mode=0o700)
        except FileNotFoundError:  # somebody has deleted this process's folder
            self._intake.scratch.ensure()
            self.path.mkdir(mode=0o700)

    async def _grow(self, more: int) -> None:
        if self._account_id is not None:
            self._intake.shares.charge(self._account_id, more)
        self._charged += more
        self._aside += more
        if self._charged > _FREE:
            await asyncio.to_thread(self._allocate, self._aside)

    def _allocate(self, size: int) -> None:
        """Have so many bytes allocated, more or less than before. Raises AppError 503 when that leaves no reserve."""
        if self._blocks is None:
            self._blocks = tempfile.TemporaryFile(dir=self.path, buffering=0)  # noqa: SIM115 open until `close`
        if size <= self._allocated:
            self._blocks.truncate(size)
            self._allocated = size
            return
        try:
            os.posix_fallocate(self._blocks.fileno(), 0, size)
        except OSError as error:
            if error.errno in FULL:
                raise full() from None
            if error.errno not in _UNSUPPORTED:
                raise
        if self._intake.disk.look():
            self._blocks.truncate(self._allocated)
            raise full()
        self._allocated = size
