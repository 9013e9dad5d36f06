"""One file on its way to us: what of it is here, whether it comes fast enough, and how to ask for the rest."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from io import BufferedWriter
from pathlib import Path
from typing import Literal, Self

import httpx
import msgspec

_BUFFER_BYTES = 1 << 20
_PART = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
_STRONG_TAG = re.compile(r'"[\x21\x23-\x7e]{1,200}"', re.ASCII)

Take = Callable[[int], Awaitable[None]]
"""Asked for room before so many bytes are written; it raises where there is none."""
Progress = Literal["whole", "cut", "large", "slow", "other"]
"""What became of one answer: all is here; the rest is missing; above the cap; too slow; not a part of this file."""


class Floor:
    """The least speed: in every window of `seconds`, at least `bytes_a_second`. Zero asks for nothing."""

    def __init__(self, bytes_a_second: float, seconds: float) -> None:
        self.bytes_a_second, self.seconds = bytes_a_second, seconds
        self._since = 0.0
        self._received = 0

    def begin(self, now: float, received: int) -> None:
        """A window begins, at a connection's first byte."""
        self._since, self._received = now, received

    def broken(self, now: float, received: int) -> bool:
        """Whether the window that ends now, if one does, was too slow."""
        passed = now - self._since
        if passed < self.seconds:
            return False
        slow = received - self._received < self.bytes_a_second * passed
        self.begin(now, received)
        return slow


class Whole(msgspec.Struct, frozen=True):
    """What the finished file is."""

    bytes: int
    content_type: str | None
    sha256: str


class Transfer:
    """A new file and the state of its download over any number of connections.

    The file is made at the first good answer. Unless it was finished, leaving the context leaves no file.
    """

    def __init__(self, to: Path, *, max_bytes: int, floor: Floor, take: Take | None = None) -> None:
        self._to, self.max_bytes, self.floor, self._take = to, max_bytes, floor, take
        self._file: BufferedWriter | None = None
        self._buffer = bytearray()
        self._finished = False
        self._begin_anew()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None and not self._finished:
            with suppress(OSError):  # on a full disk
                self._file.close()  # waits for the write a cancellation left behind: buffered files have a lock
            self._to.unlink(missing_ok=True)

    def _begin_anew(self) -> None:
        self._digest = hashlib.sha256()
        self._received = 0
        self._total: int | None = None
        self._tag: str | None = None
        self._content_type: str | None = None
        self._buffer.clear()

    @property
    def started(self) -> bool:
        """Whether any answer was good enough to begin with."""
        return self._file is not None

    def headers(self) -> dict[str, str]:
        """Ask for the rest, provided that it is the same file (RFC 9110 §13.1.5, §14.2); else for all of it."""
        if self._received == 0 or self._tag is None:
            return {}
        return {"range": f"bytes={self._received}-", "if-range": self._tag}

    async def take(self, response: httpx.Response) -> Progress:
        """Read an answer of status 200 or 206 to its end. Raises what httpx raises when it is cut."""
        if response.status_code == 206:
            if not self._is_the_rest(response):
                self._begin_anew()
                return "other"
        else:
            await self._begin(response)
        declared = response.headers.get("content-length", "")
        if declared.isdecimal() and self._received + int(declared) > self.max_bytes:
            return "large"
        return await self._read(response)

    async def finish(self) -> Whole:
        """Write what is left, and close."""
        assert self._file is not None, "a transfer finishes after an answer"
        await self._flush()
        await asyncio.to_thread(self._file.close)
        self._finished = True
        return Whole(self._received, self._content_type, self._digest.hexdigest())

    def _is_the_rest(self, response: httpx.Response) -> bool:
        part = _PART.fullmatch(response.headers.get("content-range", ""))
        if part is None or int(part[1]) != self._received:
            return False
        if part[3] == "*" or self._total is None:
            return True
        return int(part[3]) == self._total

    async def _begin(self, response: httpx.Response) -> None:
        """The whole file comes, for the first time or because the server would not continue."""
        self._begin_anew()
        if self._file is None:
            # in a thread, a cancellation would leave an open file that nobody knows of
            self._file = self._to.open("xb")
        else:
            await asyncio.to_thread(_empty, self._file)
        declared = response.headers.get("content-length", "")
        self._total = int(declared) if declared.isdecimal() else None
        self._tag = _tag(response.headers)
        content_type = response.headers.get("content-type", "").split(";")[0].strip().lower()
        self._content_type = content_type or None

    async def _read(self, response: httpx.Response) -> Progress:
        now = asyncio.get_running_loop().time
        self.floor.begin(now(), self._received)
        async for chunk in response.aiter_raw():
            if self._received + len(chunk) > self.max_bytes:
                return "large"
            self._received += len(chunk)
            self._digest.update(chunk)
            self._buffer += chunk
            if len(self._buffer) >= _BUFFER_BYTES:
                await self._flush()
            if self.floor.broken(now(), self._received):
                return "slow"
        return "whole" if self._total in (None, self._received) else "cut"

    async def _flush(self) -> None:
        assert self._file is not None, "bytes come after the file was made"
        full, self._buffer = self._buffer, bytearray()
        if self._take is not None:
            await self._take(len(full))
        await asyncio.to_thread(self._file.write, full)


def _empty(file: BufferedWriter) -> None:
    file.seek(0)
    file.truncate()


def _tag(headers: httpx.Headers) -> str | None:
    """What names exactly these bytes: a strong entity tag. A date may be the same for two files of one second."""
    tag = headers.get("etag", "").strip()
    return tag if _STRONG_TAG.fullmatch(tag) else None
