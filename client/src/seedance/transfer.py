"""Fetches one file over as many connections as it takes, and knows when all of it is here and right."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import httpx

from seedance.digest import repr_digest
from seedance.errors import DownloadFailed, RangeNotSatisfiable, SeedanceError
from seedance.flow import Call, Flow, Reply, close, read, sleep, tell, work
from seedance.retry import Retries, request
from seedance.sink import Sink
from seedance.unreached import reason_of

if TYPE_CHECKING:
    from _hashlib import HASH

OnDownload: TypeAlias = Callable[[int, int | None], object]


@dataclass(slots=True)
class Transfer:
    """How much of the content is here, and of which version of it."""

    path: str
    params: Mapping[str, str]
    sink: Sink
    on_progress: OnDownload | None
    received: int = 0
    total: int | None = None
    etag: str | None = None
    digest: bytes | None = None
    redirected: bool = False
    hash: HASH = field(default_factory=hashlib.sha256)

    def run(self, retries: Retries) -> Flow[None]:
        """Fetch the file; once more if it is not what the service says it is."""
        if (yield from self._fetch_whole(retries)):
            return
        yield from self._start_over()
        if (yield from self._fetch_whole(retries)):
            return
        arrived = self.hash.hexdigest()
        yield from self._start_over()
        raise DownloadFailed(
            f"the file arrived damaged twice; its SHA-256 is not the one that the service tells: {arrived}"
        )

    def _fetch_whole(self, retries: Retries) -> Flow[bool]:
        """Fetch the file; whether it has its digest, if that is known."""
        yield from self._fetch(retries)
        if self.digest is None and self.redirected:
            # Who sent the file does not know it by its digest; the service does.
            self.digest = yield from ask_digest(self.path, self.params, retries)
        return self.digest in (None, self.hash.digest())

    def _fetch(self, retries: Retries) -> Flow[None]:
        furthest, failures = 0, 0
        while True:
            cut = yield from self._attempt(retries)
            if cut is None:
                return
            failures = 1 if self.received > furthest else failures + 1
            furthest = max(furthest, self.received)
            if failures > retries.max_retries:
                share = "" if self.total is None else f" of {self.total}"
                raise DownloadFailed(f"the download broke off at {self.received}{share} bytes: {cut}")
            yield from sleep(retries.delay(failures - 1))

    def _attempt(self, retries: Retries) -> Flow[str | None]:
        """Fetch what is missing; None when all is here, otherwise what went wrong."""
        if self.received and self.etag is None:
            yield from self._start_over()
        try:
            reply = yield from request(self._call(), retries)
        except RangeNotSatisfiable:
            yield from self._start_over()
            return "the content changed meanwhile"
        try:
            if not self._continues(reply):
                yield from self._start_over()
                if reply.status == 206:
                    return "the server sent another part than asked for"
            self._note(reply)
            yield from self._receive(reply)
        except httpx.RequestError as error:
            return reason_of(error)
        finally:
            yield from close(reply)
        if self.total is None or self.received == self.total:
            return None
        return "it ended early"

    def _call(self) -> Call:
        # Not compressed: ranges and lengths must count the bytes of the file itself.
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if self.received and self.etag:
            headers |= {"Range": f"bytes={self.received}-", "If-Range": self.etag}
        return Call(
            "GET",
            self.path,
            params=self.params,
            headers=headers,
            stream=True,
            follow_redirects=True,
        )

    def _continues(self, reply: Reply) -> bool:
        """Whether the answer starts where we stand, in the version that we have."""
        if reply.status != 206:
            return self.received == 0
        start, total = content_range(reply.headers)
        same = self.received == 0 or (strong_etag(reply.headers) == self.etag and total == self.total)
        return start == self.received and same

    def _note(self, reply: Reply) -> None:
        self.etag = strong_etag(reply.headers)
        self.digest = repr_digest(reply.headers) or self.digest
        self.redirected = bool(reply.response.history)
        self.total = content_range(reply.headers)[1] if reply.status == 206 else content_length(reply.headers)

    def _receive(self, reply: Reply) -> Flow[None]:
        while chunk := (yield from read(reply)):
            self.received += len(chunk)
            if self.total is not None and self.received > self.total:
                raise DownloadFailed(f"the server sent more than the {self.total} bytes it announced")
            yield from work(lambda piece=chunk: self._keep(piece))
            yield from tell(self.on_progress, self.received, self.total)

    def _keep(self, piece: bytes) -> None:
        self.sink.write(piece)
        self.hash.update(piece)

    def _start_over(self) -> Flow[None]:
        self.received, self.total, self.etag, self.digest = 0, None, None, None
        self.hash = hashlib.sha256()
        yield from work(self.sink.restart)


def ask_digest(path: str, params: Mapping[str, str], retries: Retries) -> Flow[bytes | None]:
    try:
        reply = yield from request(Call("HEAD", path, params=params), retries)
    except SeedanceError:
        return None
    return repr_digest(reply.headers)


def content_length(headers: httpx.Headers) -> int | None:
    value = headers.get("content-length", "")
    return int(value) if value.isascii() and value.isdigit() else None


def content_range(headers: httpx.Headers) -> tuple[int | None, int | None]:
    """Where a part starts, and the length of the whole."""
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("content-range", "").strip())
    if match is None:
        return None, None
    return int(match[1]), None if match[2] == "*" else int(match[2])


def strong_etag(headers: httpx.Headers) -> str | None:
    etag = headers.get("etag")
    return etag if etag and not etag.startswith("W/") else None
