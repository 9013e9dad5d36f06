"""A TCP proxy before PostgreSQL that can freeze: old flows stop without a word while their TCP still acknowledges."""

import asyncio
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit


class Proxy:
    """`url` leads to the same database through it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
        self._template = f"postgresql://{parts.username}@127.0.0.1:%d{parts.path}"
        self._loop = asyncio.new_event_loop()
        self._flows: set[_Flow] = set()
        self._open = asyncio.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)
        self._loop.close()

    def freeze(self) -> int:
        """Every flow that there is stops for good; new ones pass. Returns how many stopped."""
        flows = list(self._flows)
        for flow in flows:
            flow.frozen = True
        return len(flows)

    def thaw(self) -> None:
        """What had stopped goes on."""
        for flow in list(self._flows):
            flow.frozen = False

    def shut(self) -> None:
        """Nothing passes any more: what is new connects and hears nothing."""
        self.freeze()
        self._loop.call_soon_threadsafe(self._open.clear)

    def open(self) -> None:
        """New ones pass again."""
        self._loop.call_soon_threadsafe(self._open.set)

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        self._open.set()
        server = await asyncio.start_server(self._flow, "127.0.0.1", 0)
        self.url = self._template % server.sockets[0].getsockname()[1]
        self._started.set()
        await self._over.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0.05)  # the transports say that they are closed

    async def _flow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open.is_set():
            with suppress(asyncio.CancelledError):
                await self._over.wait()
            writer.transport.abort()
            return
        flow = _Flow()
        self._flows.add(flow)
        with suppress(OSError, asyncio.CancelledError):
            there, back = await asyncio.open_unix_connection(self._target)
            ways = [asyncio.create_task(flow.carry(reader, back)), asyncio.create_task(flow.carry(there, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in ways:
                    one.cancel()
                back.transport.abort()
        writer.transport.abort()
        self._flows.discard(flow)


class _Flow:
    frozen = False

    async def carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            while self.frozen:
                await asyncio.sleep(0.01)
            target.write(data)
            await target.drain()
        while self.frozen:  # not even its end is passed on
            await asyncio.sleep(0.01)
