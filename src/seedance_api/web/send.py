"""Sending an object of the store as a file: Range, If-Range, ETag and HEAD, streamed and never in memory whole."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Literal, Protocol

import msgspec
from litestar.types import ASGIApp, Receive, Scope, Send
from obstore.store import ObjectStore

from seedance_api.delivery.serve import Part, choose
from seedance_api.foundation import objects
from seedance_api.foundation.peer import Peer, find_peer, tells
from seedance_api.foundation.read_object import open_range
from seedance_api.web.body import AnyRequest
from seedance_api.web.hang_up import left


class Note(Protocol):
    """Told which bytes arrived: from, up to but without. `checked`: they were the whole file, and its digest fits."""

    async def __call__(self, start: int, end: int, *, checked: bool) -> None: ...


Changed = Callable[[], Awaitable[None]]
"""Told that an object is not what was put there."""
_ARRIVE_SECONDS = 600.0
"""How long we wait for what the system has taken from us to arrive."""


class Sendable(msgspec.Struct, frozen=True, kw_only=True):
    """An object as it is to be sent. `name` is what a browser saves it as, `sha256` its digest in hexadecimal."""

    object_key: str
    bytes: int
    media_type: str
    etag: str
    name: str
    modified_at: datetime | None = None
    sha256: str | None = None


async def send_object(
    request: AnyRequest,
    store: ObjectStore,
    sendable: Sendable,
    *,
    note: Note | None = None,
    changed: Changed | None = None,
) -> ASGIApp:
    """The answer to a GET or HEAD of an object. Where all of it is sent and its digest is known, its last bytes leave
    only if it has this digest: else the answer breaks off, so that nobody takes it for the file.

    Raises FileNotFoundError when it is gone by now, TornError when it is not whole, AppError 416, and what the store
    raises when it does not give the first bytes: nothing is answered before they are there.
    """
    part = choose(
        sendable.bytes,
        sendable.etag,
        wanted=request.headers.get("range") if request.method == "GET" else None,
        if_range=request.headers.get("if-range"),
        if_none_match=request.headers.get("if-none-match"),
    )
    headers = _headers(sendable, part)
    if part is None or request.method == "HEAD":
        return _nothing(part.status if part else 304, headers)
    digest = hashlib.sha256() if sendable.sha256 is not None and part.length == part.size else None
    chunks = await open_range(store, sendable.object_key, part.start, part.end, size=sendable.bytes, digest=digest)
    if digest is not None:
        chunks = _checked(chunks, lambda: digest.hexdigest() == sendable.sha256)
    begun = _begun(await anext(chunks, None), chunks)
    return _stream(begun, part, headers, note=note, changed=changed, checked=digest is not None)


async def _begun(first: bytes | None, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The same chunks, of which the first is here already."""
    async with aclosing(rest):
        if first is not None:
            yield first
        async for chunk in rest:
            yield chunk


async def _checked(chunks: AsyncGenerator[bytes, None], is_right: Callable[[], bool]) -> AsyncGenerator[bytes, None]:
    """The same chunks, the last one only if all of them were right. Raises TornError."""
    last: bytes | None = None
    async with aclosing(chunks):
        async for chunk in chunks:
            if last is not None:
                yield last
            last = chunk
    if not is_right():
        raise objects.TornError("the digest is another")
    if last is not None:
        yield last


def _stream(
    chunks: AsyncGenerator[bytes, None],
    part: Part,
    headers: list[tuple[bytes, bytes]],
    *,
    note: Note | None,
    changed: Changed | None,
    checked: bool,
) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.create_task(left(receive))
        peer = await asyncio.to_thread(_find_peer, scope) if note else None
        sent = part.start
        try:
            async with aclosing(chunks):
                await send({"type": "http.response.start", "status": part.status, "headers": headers})
                async for chunk in chunks:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                    # the web server takes what it is given though nobody is there; its word of that needs a turn
                    await asyncio.sleep(0)
                    if leaving.done() and sent + len(chunk) < part.end:
                        return
                    sent += len(chunk)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except objects.TornError:
            if changed is not None:
                await asyncio.shield(changed())
            raise
        finally:
            leaving.cancel()
            if note is not None:
                await asyncio.shield(_settle(note, peer, part.start, sent, checked=checked and sent == part.size))

    return answer


def _find_peer(scope: Scope) -> Peer | None | Literal["unknown"]:
    """The connection, for what arrives over it; `unknown` where the system does not tell."""
    client = scope["client"]
    return "unknown" if client is None or not tells() else find_peer(client)


async def _settle(note: Note, peer: Peer | None | Literal["unknown"], start: int, sent: int, *, checked: bool) -> None:
    """Tell what arrived of what was sent, where the system knows; else what was sent. Over what is gone, nothing."""
    if peer is None:
        return
    if peer != "unknown":
        with peer:
            sent = start + await peer.takes(sent - start, _ARRIVE_SECONDS)
    if sent > start:
        await note(start, sent, checked=checked)


def _nothing(status: int, headers: list[tuple[bytes, bytes]]) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return answer


def _headers(sendable: Sendable, part: Part | None) -> list[tuple[bytes, bytes]]:
    headers = {
        "etag": sendable.etag,
        "accept-ranges": "bytes",
        "cache-control": "private, no-store",
        "content-security-policy": "default-src 'none'; sandbox",
        "referrer-policy": "no-referrer",
        "x-accel-buffering": "no",  # a proxy that reads ahead would have the file before the client has
    }
    if sendable.modified_at is not None:
        headers["last-modified"] = format_datetime(sendable.modified_at.astimezone(UTC), usegmt=True)
    if sendable.sha256 is not None:  # RFC 9530: of the whole file, whatever part is sent
        headers["repr-digest"] = f"sha-256=:{base64.b64encode(bytes.fromhex(sendable.sha256)).decode()}:"
    if part is not None:
        headers |= {
            "content-type": sendable.media_type,
            "content-length": str(part.length),
            "content-disposition": f'attachment; filename="{sendable.name}"',
        }
        if part.status == 206:
            headers["content-range"] = f"bytes {part.start}-{part.end - 1}/{part.size}"
    return [(key.encode(), value.encode("latin-1")) for key, value in headers.items()]
