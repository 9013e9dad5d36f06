"""LISTEN on one connection of its own, re-opened when it is lost."""

import asyncio
from collections.abc import Callable, Mapping

import asyncpg
import structlog

from seedance_api.foundation.db import Connection
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.session import LISTENING, open_connection

HEARTBEAT_SECONDS = 0.25
LEASE_SECONDS = 1.0
"""What is remembered by the grace of notifications counts no longer than this after the last sign of life."""
SILENT_SECONDS = 3.0
"""When the connection is given up that gives none."""
BARRIER = "barrier"
_AGAIN_SECONDS = 0.5
_FORGOTTEN_SECONDS = 3600
_log = structlog.get_logger()


class Listener:
    """Calls `channels[name](payload)` for each notification, and `on_gap()` whenever some may have been missed.

    A connection that is ended is noticed at once. One that only falls silent is not: so it is asked for a sign of life
    every `HEARTBEAT_SECONDS`, and given up `SILENT_SECONDS` after the last one. The same statement says in `listener`
    which barrier has been passed (`barrier.py`), at once when one is heard.
    """

    def __init__(self, url: str, channels: Mapping[str, Callable[[str], None]], on_gap: Callable[[], None]) -> None:
        self._url = url
        self._channels = {**channels, BARRIER: self._reach}
        self._on_gap = on_gap
        self._id = new_id("listener")
        self._passed = 0
        self._due = asyncio.Event()
        """Set when there is something to say or to notice before the next heartbeat."""
        self._task: asyncio.Task[None] | None = None
        self._heard_at: float | None = None

    @property
    def hears(self) -> bool:
        """Whether every notification up to `LEASE_SECONDS` ago has been heard. What is cached may be used then."""
        return self._heard_at is not None and asyncio.get_running_loop().time() - self._heard_at < LEASE_SECONDS

    async def start(self) -> None:
        """Return once the first connection listens, so that nothing after this call is missed."""
        listening = asyncio.Event()
        self._task = asyncio.create_task(self._run(listening))
        waiter = asyncio.create_task(listening.wait())
        await asyncio.wait({self._task, waiter}, return_when=asyncio.FIRST_COMPLETED, timeout=30)
        waiter.cancel()

    async def stop(self) -> None:
        """Stop listening."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, listening: asyncio.Event) -> None:
        while True:
            try:
                await self._listen(listening)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                _log.warning("listen.lost", error=type(error).__name__)
            self._lose()
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _listen(self, listening: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        connection = await open_connection(self._url, LISTENING)
        connection.add_termination_listener(self._end)
        try:
            begun = loop.time()
            for channel in self._channels:
                await connection.add_listener(channel, self._hear)
            self._on_gap()
            self._heard_at = begun
            await self._say(connection)
            listening.set()
            while not connection.is_closed():
                await _happens(self._due, HEARTBEAT_SECONDS)
                self._due.clear()
                asked = loop.time()
                await self._say(connection)
                self._heard_at = asked  # what was committed before has been heard
            raise ConnectionError("the connection was ended")
        finally:
            connection.remove_termination_listener(self._end)
            connection.terminate()

    async def _say(self, connection: Connection) -> None:
        """That we are there, and what has been passed. Rows of processes that are long gone go with the first word."""
        await connection.execute(
            """
            WITH gone AS (
                DELETE FROM listener WHERE heard_at < clock_timestamp() - $3 * interval '1 second' AND id <> $1
            )
            INSERT INTO listener AS l (id, heard_at, passed) VALUES ($1, clock_timestamp(), $2)
            ON CONFLICT (id) DO UPDATE SET heard_at = excluded.heard_at, passed = greatest(l.passed, excluded.passed)
            """,
            self._id,
            self._passed,
            _FORGOTTEN_SECONDS,
            timeout=SILENT_SECONDS - HEARTBEAT_SECONDS,
        )

    def _reach(self, number: str) -> None:
        """Every notification before this one has been heard: they come in the order of their transactions."""
        self._passed = max(self._passed, int(number))
        self._due.set()

    def _end(self, connection: object) -> None:
        del connection
        self._lose()
        self._due.set()

    def _lose(self) -> None:
        self._heard_at = None
        self._on_gap()

    def _hear(self, connection: object, pid: object, channel: object, payload: object) -> None:
        del connection, pid
        self._channels[str(channel)](str(payload))


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
