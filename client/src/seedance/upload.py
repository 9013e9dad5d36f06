"""Uploads a file as it is read, never whole in memory."""

from __future__ import annotations

import asyncio
import hashlib
import io
import mimetypes
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, TypeAlias
from uuid import uuid4

from seedance.errors import BadRequest, TooLarge, Unprocessable, UnsupportedMedia
from seedance.flow import Call, Flow, Reply, work
from seedance.objects import File, Verification
from seedance.retry import Retries, decode, request

Source: TypeAlias = str | Path | BinaryIO | bytes
OnUpload: TypeAlias = Callable[[int, int | None], object]

PIECE_BYTES = 256 * 1024


def upload_file(
    source: Source,
    *,
    filename: str | None = None,
    media_type: str | None = None,
    idempotency_key: str | None = None,
    on_progress: OnUpload | None = None,
    retries: Retries,
) -> Flow[File]:
    """Send `source` (a path, an open binary file or bytes) and return what the service made of it."""
    key, name = idempotency_key or str(uuid4()), filename or name_of(source)
    kind = media_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
    headers = {"Idempotency-Key": key}
    reply = yield from _post(
        source, "/v1/files", headers, name=name, kind=kind, seed=key, on_progress=on_progress, retries=retries
    )
    return decode(reply, File)


def verify_file(source: Source, *, on_progress: OnUpload | None = None, retries: Retries) -> Flow[Verification]:
    """Send `source` and return what the service knows of it. It keeps nothing, and is not told the file's name."""
    reply = yield from _post(
        source, "/v1/verify", {}, name="file", kind="application/octet-stream", seed=str(uuid4()),
        on_progress=on_progress, retries=retries,
    )  # fmt: skip
    return decode(reply, Verification)


def _post(
    source: Source, path: str, headers: dict[str, str], *, name: str, kind: str, seed: str,
    on_progress: OnUpload | None, retries: Retries,
) -> Flow[Reply]:  # fmt: skip
    with ExitStack() as stack:
        file = yield from work(lambda: open_source(source, stack))
        body = MultipartFile(file, name=name, media_type=kind, seed=seed, on_progress=on_progress)
        more = {"Content-Type": body.content_type}
        if body.length is not None:
            more["Content-Length"] = str(body.length)
        call = Call("POST", path, headers=headers | more, body=body, repeatable=body.start is not None)
        try:
            return (yield from request(call, retries))
        except (BadRequest, TooLarge, UnsupportedMedia, Unprocessable) as error:
            if shown := str(source) if isinstance(source, str | Path) else getattr(source, "name", None):
                error.name_file(str(shown))
            raise


def open_source(source: Source, stack: ExitStack) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if isinstance(source, str | Path):
        return stack.enter_context(Path(source).open("rb"))
    if isinstance(source, io.TextIOBase):
        raise TypeError("open the file in binary mode: open(…, 'rb')")
    return source


def name_of(source: Source) -> str:
    if isinstance(source, bytes):
        return "file"
    name = str(source) if isinstance(source, str | Path) else getattr(source, "name", None)
    return Path(name).name if isinstance(name, str) and name else "file"


class MultipartFile:
    """A multipart body around an open file; seekable files can be sent again from where they stood."""

    def __init__(self, file: BinaryIO, *, name: str, media_type: str, seed: str, on_progress: OnUpload | None) -> None:
        # Derived from the idempotency key: a repeat, even by another process, is the same body byte for byte.
        boundary = "seedance-" + hashlib.sha256(seed.encode()).hexdigest()[:40]
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._file = file
        self._head = head(boundary, name, media_type)
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._on_progress = on_progress
        self.start = file.tell() if file.seekable() else None
        self._size = None if self.start is None else file.seek(0, os.SEEK_END) - self.start
        self.length = None if self._size is None else len(self._head) + self._size + len(self._tail)

    def chunks(self) -> Iterator[bytes]:
        self._rewind()
        yield self._head
        sent = 0
        while piece := self._piece(sent):
            yield piece
            sent += len(piece)
            self._report(sent)
        yield self._tail

    async def chunks_async(self) -> AsyncIterator[bytes]:
        await asyncio.to_thread(self._rewind)
        yield self._head
        sent = 0
        while piece := await asyncio.to_thread(self._piece, sent):
            yield piece
            sent += len(piece)
            self._report(sent)
        yield self._tail

    def _rewind(self) -> None:
        if self.start is not None:
            self._file.seek(self.start)

    def _piece(self, sent: int) -> bytes:
        # A file that grows meanwhile must not exceed the length that was announced.
        left = PIECE_BYTES if self._size is None else min(PIECE_BYTES, self._size - sent)
        return self._file.read(left) if left else b""

    def _report(self, sent: int) -> None:
        if self._on_progress is not None:
            self._on_progress(sent, self._size)


def head(boundary: str, name: str, media_type: str) -> bytes:
    safe = name.replace("\\", "_").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    kind = media_type if media_type.isascii() and media_type.isprintable() else "application/octet-stream"
    return (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{safe}"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    ).encode("utf-8", "replace")
