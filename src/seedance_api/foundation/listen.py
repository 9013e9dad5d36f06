"""LISTEN on one connection of its own, re-opened when it is lost."""

import asyncio
from collections.abc import Callable, Mapping

import asyncpg
import structlog

_PROBE_SECONDS = 5.0
_log = structlog.get_logger()


class Listener:
    """Calls `channels[name](payload)` for each notification, and `on_gap()` whenever some may have been missed."""

    def __init__(self, url: str, channels: Mapping[str, Callable[[str], None]], on_gap: Callable[[], None]) -> None:
        self._url = url
        self._channels = channels
        self._on_gap = on_gap
        self._task: asyncio.Task[None] | None = None

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
            self._on_gap()
            await asyncio.sleep(0.5)

    async def _listen(self, listening: asyncio.Event) -> None:
        connection = await asyncpg.connect(self._url, timeout=10)
        try:
            for channel in self._channels:
                await connection.add_listener(channel, self._hear)
            self._on_gap()
            listening.set()
            while True:  # a half-open connection never reports its end by itself
                await asyncio.sleep(_PROBE_SECONDS)
                await connection.execute("SELECT 1", timeout=_PROBE_SECONDS)
        finally:
            connection.terminate()

    def _hear(self, connection: object, pid: object, channel: object, payload: object) -> None:
        del connection, pid
        self._channels[str(channel)](str(payload))
