"""The probes on a port of their own, `/healthz` and `/readyz`, whatever the connections to the API do.

It speaks as much HTTP as a probe does. The answers are the application's, in this very process.
"""

import asyncio
from collections.abc import AsyncGenerator, Set
from contextlib import asynccontextmanager
from typing import Any

from litestar.types import ASGIApp, Message

_SECONDS = 5.0
"""For a whole probe: to ask takes a moment, and `/readyz` answers within two seconds."""
_CONCURRENCY = 64
_HEAD_BYTES = 4096
_REASONS = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}


@asynccontextmanager
async def probes(app: ASGIApp, paths: Set[str], host: str, port: int | None) -> AsyncGenerator[None, None]:
    """Answer probes of these paths on `port`, each process of the API for itself; None for no such port."""
    if port is None:
        yield
        return
    under_way: list[asyncio.Task[None]] = []

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        me = asyncio.current_task()
        assert me is not None
        under_way.append(me)
        if len(under_way) > _CONCURRENCY:
            under_way[0].cancel()  # the oldest: whoever fills the port is pushed out of it
        try:
            async with asyncio.timeout(_SECONDS):
                writer.write(await _answer(app, paths, await reader.readuntil(b"\r\n\r\n")))
                await writer.drain()
        except (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError):
            pass  # it has gone, or is no probe
        finally:
            under_way.remove(me)
            writer.close()

    server = await asyncio.start_server(meet, host, port, limit=_HEAD_BYTES, reuse_port=True)
    try:
        yield
    finally:
        server.close()


async def _answer(app: ASGIApp, paths: Set[str], head: bytes) -> bytes:
    method, _, rest = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")
    path = rest.partition(" ")[0].partition("?")[0]
    if method not in ("GET", "HEAD") or path not in paths:
        return _plain(404, b"")
    status, body = 503, b""

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, body
        if message["type"] == "http.response.start":
            status = message["status"]
        elif message["type"] == "http.response.body":
            body += message["body"]

    await app(_scope(method, path), receive, send)
    return _plain(status, body)


def _scope(method: str, path: str) -> Any:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.0",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "client": None,
        "server": None,
        "state": {},
        "extensions": {},
    }


def _plain(status: int, body: bytes) -> bytes:
    reason = _REASONS.get(status, "Unknown")
    kind = b"application/json"
    head = f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nCache-Control: no-store\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\nContent-Type: " + kind + b"\r\n\r\n" + body
