"""LISTEN on one connection of its own, re-opened when it is lost."""

import asyncio
from collections.abc import Callable, Mapping

import asyncpg
import structlog

from seedance_api.foundation.session import LISTENING, open_connection

HEARTBEAT_SECONDS = 1.0
SILENT_SECONDS = 3.0
"""What is remembered by the grace of notifications counts no longer than this after the last sign of life."""
_AGAIN_SECONDS = 0.5
_log = structlog.get_logger()


class Listener:
    """Calls `channels[name](payload)` for each notification, and `on_gap()` whenever some may have been missed.

    A connection that is ended is noticed at once. One that only falls silent is not: so it is asked for a sign of life
    every `HEARTBEAT_SECONDS`, and given up `SILENT_SECONDS` after the last one.
    """

    def __init__(self, url: str, channels: Mapping[str, Callable[[str], None]], on_gap: Callable[[], None]) -> None:
        self._url = url
        self._channels = channels
        self._on_gap = on_gap
        self._task: asyncio.Task[None] | None = None
        self._heard_at: float | None = None

    @property
    def hears(self) -> bool:
        """Whether every notification up to `SILENT_SECONDS` ago has been heard. What is cached may be used then."""
        return self._heard_at is not None and asyncio.get_running_loop().time() - self._heard_at < SILENT_SECONDS

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
        ended = asyncio.Event()

        def end(_: object) -> None:
            self._lose()
            ended.set()

        connection.add_termination_listener(end)
        try:
            begun = loop.time()
            for channel in self._channels:
                await connection.add_listener(channel, self._hear)
            self._on_gap()
            self._heard_at = begun
            listening.set()
            while True:
                if await _happens(ended, HEARTBEAT_SECONDS):
                    raise ConnectionError("the connection was ended")
                asked = loop.time()
                await connection.execute("SELECT 1", timeout=SILENT_SECONDS - HEARTBEAT_SECONDS)
                self._heard_at = asked  # what was committed before has been heard
        finally:
            connection.remove_termination_listener(end)
            connection.terminate()

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
