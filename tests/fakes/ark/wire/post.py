"""Post a small body over a connection that is kept: for callbacks, of which there may be hundreds a second."""

import asyncio
from collections import defaultdict
from urllib.parse import urlsplit

_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Poster:
    """Keeps idle connections for each origin."""

    def __init__(self, most_idle: int = 32) -> None:
        self._idle: dict[tuple[str, int], list[_Stream]] = defaultdict(list)
        self._most_idle = most_idle

    async def post(self, url: str, body: bytes, *, seconds: float) -> int:
        """The status of the answer; 0 when there is none in time."""
        try:
            async with asyncio.timeout(seconds):
                return await self._post(url, body)
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return 0

    async def _post(self, url: str, body: bytes) -> int:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        origin = parts.hostname or "", parts.port or (443 if secure else 80)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        head = (
            f"POST {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
            f"User-Agent: ark-callback\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        while idle := self._idle[origin]:
            try:
                return await self._exchange(origin, idle.pop(), head.encode() + body)
            except (OSError, asyncio.IncompleteReadError):  # closed by the other side meanwhile
                continue
        stream = await asyncio.open_connection(*origin, ssl=secure or None)
        return await self._exchange(origin, stream, head.encode() + body)

    async def _exchange(self, origin: tuple[str, int], stream: _Stream, message: bytes) -> int:
        reader, writer = stream
        keep = False
        try:
            writer.write(message)
            status, keep = await _read_answer(reader)
        finally:
            if keep and len(self._idle[origin]) < self._most_idle:
                self._idle[origin].append(stream)
            else:
                writer.close()
        return status


async def _read_answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """The status, and whether the connection can be used again."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
    status = int(head[0].split(" ")[1])
    headers = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
    length = headers.get("content-length", "0" if status == 204 else "")
    if not length.isdigit() or headers.get("connection") == "close":
        return status, False
    await reader.readexactly(int(length))
    return status, True
