"""The probes on a port of their own, `/healthz` and `/readyz`, whatever the connections to the API do.

The answers are the application's, in this very process.
"""

from collections.abc import AsyncGenerator, Set
from contextlib import asynccontextmanager
from typing import Any

from litestar.types import ASGIApp, Message

from seedance_api.foundation.side_port import Reply, open_side_port


@asynccontextmanager
async def probes(app: ASGIApp, paths: Set[str], host: str, port: int | None) -> AsyncGenerator[None, None]:
    """Answer probes of these paths on `port`, each process of the API for itself; None for no such port."""
    if port is None:
        yield
        return

    async def answer(method: str, path: str) -> Reply:
        return await _ask(app, method, path) if path in paths else Reply(404)

    server = await open_side_port(answer, host, port, shared=True)
    try:
        yield
    finally:
        server.close()


async def _ask(app: ASGIApp, method: str, path: str) -> Reply:
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
    return Reply(status, body)


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
