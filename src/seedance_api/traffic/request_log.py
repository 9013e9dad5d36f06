"""The request log: one row for every request however it ended, written behind the requests and never before an answer.

What is not written yet is kept in memory, at most `MAX_WAITING` requests (about 25 MB). A process that is killed loses
what it answered within the last second; one that is stopped loses nothing. While the database cannot be reached,
requests wait here for it; those that find no room are counted and reported.
"""

import asyncio
from collections import deque

import asyncpg
import structlog

from seedance_api.foundation.db import CONTENDED, NO_ROOM, UNREACHABLE, Database
from seedance_api.traffic.hours import count_hours
from seedance_api.traffic.metrics import REQUEST_LOG_DROPPED
from seedance_api.traffic.queries import add_to_hours, copy_requests
from seedance_api.traffic.rows import Request

MAX_WAITING = 50_000
FLUSH_SECONDS = 0.5
MAX_BATCH = 2000
_RETRY_SECONDS = 1.0
_STOP_SECONDS = 5.0
_log = structlog.get_logger()


class RequestLog:
    """Takes requests that have ended, and writes them twice a second, or once `MAX_BATCH` wait."""

    def __init__(self, db: Database, *, max_waiting: int = MAX_WAITING) -> None:
        self._db = db
        self._max_waiting = max_waiting
        self._waiting: deque[Request] = deque()
        self._batch: list[Request] = []
        """What is being written; it is written again when the database did not say whether it was."""
        self._full = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self.lost = 0
        """Requests that found no room, or that the database does not take."""
        self._reported = 0

    def __call__(self, request: Request) -> None:
        """Log a request. Never waits and never raises."""
        if len(self._waiting) >= self._max_waiting:
            self.lost += 1
            return
        self._waiting.append(request)
        if len(self._waiting) >= MAX_BATCH:
            self._full.set()

    @property
    def waiting(self) -> int:
        """Requests that are not written yet."""
        return len(self._waiting) + len(self._batch)

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write what waits, for some seconds at most, and end."""
        self._stopping = True
        self._full.set()
        if self._task is not None:
            _, late = await asyncio.wait({self._task}, timeout=_STOP_SECONDS)
            for task in late:
                task.cancel()
        self.lost += len(self._waiting) + len(self._batch)
        self._report()

    async def _run(self) -> None:
        while self._waiting or self._batch or not self._stopping:
            if len(self._waiting) < MAX_BATCH and not self._stopping:
                await self._pause(FLUSH_SECONDS)
            self._full.clear()
            if not await self._write():
                await self._pause(_RETRY_SECONDS)
            self._report()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._full.wait(), seconds)
        except TimeoutError:
            return

    async def _write(self) -> bool:
        """Write one batch; False where it is to be written again."""
        if not self._batch:
            self._batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
        if not self._batch:
            return True
        try:
            async with self._db.transaction() as connection:
                # rows that a crash of the database may lose are worth less than a disk's wait for each batch
                await connection.execute("SET LOCAL synchronous_commit = off")
                await copy_requests(connection, self._batch)
                await add_to_hours(connection, count_hours(self._batch))
        except asyncpg.UniqueViolationError:
            pass  # it was committed, and the connection was lost before we were told
        except (*UNREACHABLE, *CONTENDED, NO_ROOM) as error:
            _log.warning("request_log.waits", error=type(error).__name__, count=len(self._batch) + len(self._waiting))
            return False
        except Exception:  # noqa: BLE001 a batch that is refused must not stop those behind it
            _log.exception("request_log.refused", count=len(self._batch))
            self.lost += len(self._batch)
        self._batch = []
        return True

    def _report(self) -> None:
        if self.lost > self._reported:
            _log.error("request_log.lost", count=self.lost - self._reported)
            REQUEST_LOG_DROPPED.add(count=self.lost - self._reported)
            self._reported = self.lost
