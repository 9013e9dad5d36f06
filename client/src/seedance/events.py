"""A video's events, over as many connections as it takes."""

from __future__ import annotations

from collections import deque

import httpx
import msgspec

from seedance.answer import from_dict
from seedance.errors import ConnectionFailed, UnexpectedAnswer
from seedance.flow import Call, Flow, Reply, close, emit, read, sleep
from seedance.objects import Video, VideoEvent
from seedance.paths import video_path
from seedance.retry import NO_DEADLINE, Deadline, Retries, request
from seedance.sse import EventParser, ServerSentEvent

# The server says something every 15 s; three silences mean that the connection is dead.
SILENCE_SECONDS = 45


def stream_events(video_id: str, retries: Retries) -> Flow[None]:
    """Emit each change of state, progress or place in the queue, the present state first, up to a final one."""
    stream = EventStream(video_id, retries)
    try:
        while (event := (yield from stream.next())) is not None:
            yield from emit(event)
    finally:
        yield from stream.close()


class EventStream:
    """Pulls events; reconnects when the connection drops; skips what it has already given."""

    def __init__(self, video_id: str, retries: Retries, deadline: Deadline = NO_DEADLINE) -> None:
        self._video_id = video_id
        self._retries = retries
        self._deadline = deadline
        self._parser = EventParser()
        self._waiting: deque[VideoEvent] = deque()
        self._reply: Reply | None = None
        self._silence_seconds: float = SILENCE_SECONDS
        self._last: VideoEvent | None = None
        self._drops = 0
        self._heard = False

    def next(self) -> Flow[VideoEvent | None]:
        """The next event, or None after the final one or at the deadline."""
        while not (self._last and self._last.video.final):
            if self._waiting:
                event = self._waiting.popleft()
                if is_change(self._last, event):
                    self._last, self._drops = event, 0
                    return event
            elif self._deadline.passed:
                return None
            elif self._reply is None:
                self._reply = yield from self._connect()
            else:
                yield from self._read(self._reply)
        return None

    def close(self) -> Flow[None]:
        if self._reply is not None:
            reply, self._reply = self._reply, None
            yield from close(reply)

    def _connect(self) -> Flow[Reply]:
        self._heard = False
        self._silence_seconds = self._deadline.within(SILENCE_SECONDS)
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if self._parser.last_id is not None:
            headers["Last-Event-ID"] = self._parser.last_id
        self._parser = EventParser(last_id=self._parser.last_id, retry_seconds=self._parser.retry_seconds)
        call = Call(
            "GET",
            video_path(self._video_id, "/events"),
            headers=headers,
            stream=True,
            timeout_seconds=self._silence_seconds,
        )
        reply = yield from request(call, self._retries, self._deadline)
        if not reply.headers.get("content-type", "").startswith("text/event-stream"):
            yield from close(reply)
            raise UnexpectedAnswer("the server offers no event stream for this video")
        return reply

    def _read(self, reply: Reply) -> Flow[None]:
        try:
            chunk = yield from read(reply)
        except httpx.RequestError as error:
            if isinstance(error, httpx.ReadTimeout) and not self._heard and not self._deadline.passed:
                # Something in between holds events back; more connections would be as silent.
                raise UnexpectedAnswer("the event stream says nothing") from None
            yield from self._reconnect_later(type(error).__name__)
            return
        if not chunk:
            yield from self._reconnect_later("it ended early")
            return
        self._heard = True
        self._waiting.extend(self._parse(chunk))
        # A read can only be given its time limit when connecting: near the deadline, connect anew with less.
        if not self._waiting and self._deadline.within(self._silence_seconds) < self._silence_seconds - 1:
            yield from self.close()

    def _parse(self, chunk: bytes) -> list[VideoEvent]:
        try:
            return [to_event(raw) for raw in self._parser.feed(chunk) if raw.event.startswith("video.")]
        except (msgspec.MsgspecError, ValueError) as error:
            raise UnexpectedAnswer(f"the event stream is unreadable: {error}") from None

    def _reconnect_later(self, reason: str) -> Flow[None]:
        yield from self.close()
        if self._deadline.passed:
            return
        if self._drops >= self._retries.max_retries:
            raise ConnectionFailed(f"the event stream of {self._video_id} dropped {self._drops + 1} times: {reason}")
        delay = max(self._retries.delay(self._drops), min(self._parser.retry_seconds or 0, 5))
        self._drops += 1
        yield from sleep(self._deadline.within(delay))


def to_event(raw: ServerSentEvent) -> VideoEvent:
    data = msgspec.json.decode(raw.data, type=dict[str, object])
    return VideoEvent(type=raw.event, video=from_dict(data, Video), id=raw.id)


def is_change(last: VideoEvent | None, event: VideoEvent) -> bool:
    """After a reconnection the present state is sent again; only news is passed on."""
    if last is None:
        return True
    return event.video.standing != last.video.standing
