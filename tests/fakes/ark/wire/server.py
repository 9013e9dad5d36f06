"""A small HTTP/1.1 server on asyncio. What it has over a real one: it can reset, cut, drip, and declare lies."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import cast

import structlog

from fakes.ark.wire.messages import Answer, Manner, Request
from fakes.ark.wire.parse import BrokenRequestError, Reader

Handler = Callable[[Request], Awaitable[Answer]]

_PIECE = 256 * 1024
_ZEROS = bytes(64 * 1024)
_log = structlog.get_logger()


async def listen(handler: Handler, host: str, port: int) -> asyncio.Server:
    """Start listening."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Connection(handler), host, port, backlog=4096)


class Connection(asyncio.Protocol):
    """One connection: its requests are answered one after the other."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._serving: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's own step."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is not of that class
        peer = transport.get_extra_info("peername")
        self._reader = Reader(peer[0] if peer else "")

    def data_received(self, data: bytes) -> None:
        """asyncio's own step."""
        self._reader.feed(data)
        if self._serving is None:
            self._serve_next()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's own step: nobody reads the answer any more, but what was asked is still done."""
        self._writable.set()

    def pause_writing(self) -> None:
        """asyncio's own step."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """asyncio's own step."""
        self._writable.set()

    def _serve_next(self) -> None:
        try:
            request = self._reader.next()
        except BrokenRequestError as broken:
            self._transport.write(_head(Answer(broken.status), Manner(), close=True))
            self._transport.close()
            return
        if request is not None:
            self._serving = asyncio.get_running_loop().create_task(self._serve(request))
        elif self._reader.wants_continue:
            self._reader.wants_continue = False
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def _serve(self, request: Request) -> None:
        try:
            answer = await self._handler(request)
        except Exception:  # noqa: BLE001 whatever it was, the client gets an answer and the log the reason
            _log.exception("fake_ark.broken", path=request.path)
            answer = Answer(500, b'{"error":{"code":"InternalServiceError","message":"the fake itself is broken"}}')
        close = request.headers.get("connection", "").lower() == "close"
        await self._send(request, answer, close=close)
        self._serving = None
        if not self._transport.is_closing():
            self._serve_next()

    async def _send(self, request: Request, answer: Answer, *, close: bool) -> None:
        manner = answer.manner or Manner()
        if manner.reset:
            self._reset()
            return
        head, body = _head(answer, manner, close=close), b"" if request.method == "HEAD" else answer.body
        if manner.drop is not None:
            self._transport.write((head + body)[: manner.drop])
            self._transport.close()
            return
        if manner.cut is not None:
            body, close = body[: manner.cut], True
        await self._write(head, body, manner)
        if manner.fill and request.method != "HEAD":
            await self._fill(manner, already=len(body))
            close = True
        if close or (manner.length is not None and manner.length != len(body)):
            self._transport.close()

    async def _write(self, head: bytes, body: bytes, manner: Manner) -> None:
        if manner.bytes_per_second is not None:
            self._transport.write(head)
            step = max(1, int(manner.bytes_per_second / 10))
            for place in range(0, len(body), step):
                if self._transport.is_closing():
                    return
                self._transport.write(body[place : place + step])
                await asyncio.sleep(step / manner.bytes_per_second)
            return
        self._transport.write(head + body[:_PIECE])
        for place in range(_PIECE, len(body), _PIECE):
            await self._writable.wait()
            if self._transport.is_closing():
                return
            self._transport.write(body[place : place + _PIECE])
        await self._writable.wait()

    async def _fill(self, manner: Manner, *, already: int) -> None:
        missing = float("inf") if manner.length is None else manner.length - already
        while missing > 0 and not self._transport.is_closing():
            piece = _ZEROS[: int(min(missing, len(_ZEROS)))]
            if manner.bytes_per_second is not None:
                piece = piece[: max(1, int(manner.bytes_per_second / 10))]
                await asyncio.sleep(len(piece) / manner.bytes_per_second)
            self._transport.write(piece)
            missing -= len(piece)
            await self._writable.wait()
            await asyncio.sleep(0)

    def _reset(self) -> None:
        """Close with an RST: a lingering time of zero throws away what is unsent."""
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


def _head(answer: Answer, manner: Manner, *, close: bool) -> bytes:
    try:
        reason = HTTPStatus(answer.status).phrase
    except ValueError:
        reason = "Odd"
    lines = [f"HTTP/1.1 {answer.status} {reason}"]
    names = {name.lower() for name in answer.headers}
    if "content-type" not in names:
        lines.append(f"Content-Type: {answer.media_type}")
    if "content-length" not in names and not (manner.fill and manner.length is None):
        lines.append(f"Content-Length: {len(answer.body) if manner.length is None else manner.length}")
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    if close or (manner.fill and manner.length is None):
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
