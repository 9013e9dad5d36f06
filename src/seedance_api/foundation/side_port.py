"""A port beside the API's, for probes and for Prometheus: it speaks as much HTTP as they do.

It depends on nothing that requests of the API use up. What asks for long, or in crowds, is pushed out.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

_SECONDS = 5.0
"""For all of a request."""
_CONCURRENCY = 64
_HEAD_BYTES = 4096
_REASONS = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}


class Reply(msgspec.Struct, frozen=True):
    """What is answered."""

    status: int
    body: bytes = b""
    media_type: str = "application/json"


Answer = Callable[[str, str], Awaitable[Reply]]
"""Answers a GET or a HEAD, of which it is told the method and the path."""


async def open_side_port(answer: Answer, host: str, port: int, *, shared: bool) -> asyncio.Server:
    """Answer on a port, which other processes of ours may have as well if it is `shared`. Raises OSError."""
    under_way: list[asyncio.Task[None]] = []

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        me = asyncio.current_task()
        assert me is not None
        under_way.append(me)
        if len(under_way) > _CONCURRENCY:
            under_way[0].cancel()  # the oldest: whoever fills the port is pushed out of it
        try:
            async with asyncio.timeout(_SECONDS):
                writer.write(await _reply(answer, await reader.readuntil(b"\r\n\r\n")))
                await writer.drain()
        except (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError):
            pass  # it has gone, or is none of those who ask here
        finally:
            under_way.remove(me)
            writer.close()

    return await asyncio.start_server(meet, host, port, limit=_HEAD_BYTES, reuse_port=shared)


async def _reply(answer: Answer, head: bytes) -> bytes:
    method, _, rest = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")
    path = rest.partition(" ")[0].partition("?")[0]
    reply = await answer(method, path) if method in ("GET", "HEAD") else Reply(404)
    lines = (
        f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Unknown')}",
        "Connection: close",
        "Cache-Control: no-store",
        f"Content-Length: {len(reply.body)}",
        f"Content-Type: {reply.media_type}",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if method == "HEAD" else reply.body)
