"""Read requests out of a stream of bytes."""

import time
from urllib.parse import unquote

from fakes.ark.wire.messages import Request

MOST_HEAD = 256 * 1024
"""A list call with 500 ids has a long first line."""
MOST_BODY = 65 * 1024 * 1024


class BrokenRequestError(Exception):
    """These bytes are no request that is taken; the status to answer is its argument."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Reader:
    """Collects bytes; gives requests as soon as they are complete."""

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self._buffer = bytearray()
        self._head: Request | None = None
        self._length: int | None = 0
        self.wants_continue = False
        """The client waits for `100 Continue` before it sends the body."""

    def feed(self, data: bytes) -> None:
        """Take what has arrived."""
        self._buffer += data

    def next(self) -> Request | None:
        """The next complete request."""
        if self._head is None and not self._read_head():
            return None
        head = self._head
        assert head is not None
        body = self._read_chunks() if self._length is None else self._read_body(self._length)
        if body is None:
            return None
        self._head, self.wants_continue, head.body = None, False, body
        return head

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MOST_HEAD:
                raise BrokenRequestError(431)
            return False
        lines = self._buffer[:end].decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        self._head = head = _request(lines, self._peer)
        self._length = _length(head.headers)
        self.wants_continue = head.headers.get("expect", "").lower() == "100-continue"
        return True

    def _read_body(self, length: int) -> bytes | None:
        if len(self._buffer) < length:
            return None
        body = bytes(memoryview(self._buffer)[:length])
        del self._buffer[:length]
        return body

    def _read_chunks(self) -> bytes | None:
        """The body in chunks; looked through anew each time, since clients seldom send one."""
        place, body = 0, bytearray()
        while (end := self._buffer.find(b"\r\n", place)) >= 0:
            try:
                size = int(self._buffer[place:end].split(b";")[0], 16)
            except ValueError:
                raise BrokenRequestError(400) from None
            start = end + 2
            if len(body) + size > MOST_BODY:
                raise BrokenRequestError(413)
            if len(self._buffer) < start + size + 2:
                return None
            body += self._buffer[start : start + size]
            place = start + size + 2
            if size == 0:
                del self._buffer[:place]
                return bytes(body)
        return None


def _request(lines: list[str], peer: str) -> Request:
    try:
        method, target, _ = lines[0].split(" ")
        pairs = [line.split(":", 1) for line in lines[1:]]
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
    except ValueError:
        raise BrokenRequestError(400) from None
    path, _, query = target.partition("?")
    return Request(method, unquote(path), query, headers, b"", peer, time.monotonic())


def _length(headers: dict[str, str]) -> int | None:
    """The length of the body; None when it comes in chunks."""
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return None
    try:
        length = int(headers.get("content-length") or 0)
    except ValueError:
        raise BrokenRequestError(400) from None
    if length > MOST_BODY:
        raise BrokenRequestError(413)
    return length
