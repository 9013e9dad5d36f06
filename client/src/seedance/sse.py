"""A parser of server-sent events that takes bytes as they come."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

LINE_END = re.compile(rb"\r\n|\n|\r")
LONGEST_EVENT_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    data: str
    event: str = "message"
    id: str | None = None


@dataclass(slots=True)
class EventParser:
    """Give it chunks, cut anywhere; it answers with the events they complete."""

    last_id: str | None = None
    retry_seconds: float | None = None
    _rest: bytearray = field(default_factory=bytearray)
    _started: bool = False
    _after_cr: bool = False
    _event: str = ""
    _data: list[str] = field(default_factory=list[str])
    _data_size: int = 0

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        events: list[ServerSentEvent] = []
        for line in self._lines(chunk):
            event = self._take(line.decode("utf-8", "replace"))
            if event is not None:
                events.append(event)
        return events

    def _lines(self, chunk: bytes) -> list[bytes]:
        # A CR ends a line at once, without waiting to see whether an LF belongs to it.
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        searched = len(self._rest)
        self._rest += chunk
        if len(self._rest) + self._data_size > LONGEST_EVENT_BYTES:
            raise ValueError("an event is longer than any video object")
        if not self._started:
            if len(self._rest) < 3 and b"\xef\xbb\xbf".startswith(self._rest):
                return []
            self._rest = self._rest.removeprefix(b"\xef\xbb\xbf")
            self._started, searched = True, 0
        return self._cut(searched)

    def _cut(self, searched: int) -> list[bytes]:
        lines: list[bytes] = []
        start = 0
        for end in LINE_END.finditer(self._rest, searched):
            lines.append(bytes(self._rest[start : end.start()]))
            start = end.end()
        if lines:
            self._after_cr = start == len(self._rest) and self._rest.endswith(b"\r")
            self._rest = self._rest[start:]
        return lines

    def _take(self, line: str) -> ServerSentEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            self._data_size += len(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self.last_id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry_seconds = int(value) / 1000
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        data, event = self._data, self._event
        self._data, self._event, self._data_size = [], "", 0
        if not data:
            return None
        return ServerSentEvent("\n".join(data), event or "message", self.last_id)
