"""Downloads a file: streamed, resumed after a cut, verified, and there only when whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

import httpx

from seedance.errors import DownloadFailed, RangeNotSatisfiable
from seedance.flow import Call, Flow, Reply, close, read, sleep, tell, work
from seedance.objects import Download, Video
from seedance.paths import video_path
from seedance.retry import Retries, request
from seedance.sink import Sink, open_sink

Variant: TypeAlias = Literal["video", "last_frame", "thumbnail"]
OnDownload: TypeAlias = Callable[[int, int | None], object]


def download_video(
    video: str | Video,
    to: str | Path | BinaryIO,
    *,
    variant: Variant,
    on_progress: OnDownload | None,
    retries: Retries,
) -> Flow[Download]:
    """Bring the content to `to`: a path gets all of it or nothing, an open file gets it where it stands."""
    params = {} if variant == "video" else {"variant": variant}
    return (yield from save(video_path(video, "/content"), params, to, on_progress, retries))


def save(
    path: str, params: Mapping[str, str], to: str | Path | BinaryIO, on_progress: OnDownload | None, retries: Retries
) -> Flow[Download]:
    """All of it or nothing, whatever file of the service it is."""
    sink = yield from work(lambda: open_sink(to))
    try:
        transfer = Transfer(path, params, sink, on_progress)
        yield from transfer.run(retries)
        yield from work(sink.commit)
    except BaseException:
        sink.abandon()
        raise
    return Download(path=sink.path, bytes=transfer.received)


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

    def run(self, retries: Retries) -> Flow[None]:
        furthest, failures = 0, 0
        while True:
            cut = yield from self._attempt(retries)
            if cut is None:
                return
            failures = 1 if self.received > furthest else failures + 1
            furthest = max(furthest, self.received)
            if failures > retries.most:
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
            return str(error) or type(error).__name__
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
        self.total = content_range(reply.headers)[1] if reply.status == 206 else content_length(reply.headers)

    def _receive(self, reply: Reply) -> Flow[None]:
        while chunk := (yield from read(reply)):
            self.received += len(chunk)
            if self.total is not None and self.received > self.total:
                raise DownloadFailed(f"the server sent more than the {self.total} bytes it announced")
            yield from work(lambda piece=chunk: self.sink.write(piece))
            yield from tell(self.on_progress, self.received, self.total)

    def _start_over(self) -> Flow[None]:
        self.received, self.total, self.etag = 0, None, None
        yield from work(self.sink.restart)


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
