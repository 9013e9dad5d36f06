"""Waits for a video: by its events, or by asking where there are none."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from seedance.errors import ConnectionFailed, SeedanceError, VideoFailed, WaitTimeout
from seedance.events import EventStream
from seedance.flow import Call, Flow, sleep, tell
from seedance.objects import Video
from seedance.paths import id_of, video_path
from seedance.retry import Deadline, Retries, decode, request


def wait_for_video(
    video: str | Video,
    *,
    timeout_seconds: float | None,
    on_change: Callable[[Video], object] | None,
    raise_on_failure: bool,
    retries: Retries,
) -> Flow[Video]:
    """Return the finished video; a failed or canceled one is raised unless asked otherwise."""
    known = video if isinstance(video, Video) else None
    watch = Watch(id_of(video), Deadline.after(timeout_seconds), on_change, retries)
    final = known if known and known.final else (yield from watch.until_final())
    if final is None:
        raise WaitTimeout(watch.video_id, timeout_seconds or 0, watch.seen)
    if raise_on_failure and final.status != "completed":
        raise VideoFailed(final)
    return final


class Watch:
    """Sees one video change, and tells so."""

    def __init__(
        self,
        video_id: str,
        deadline: Deadline,
        on_change: Callable[[Video], object] | None,
        retries: Retries,
    ) -> None:
        self.video_id = video_id
        self.seen: Video | None = None
        self._deadline = deadline
        self._on_change = on_change
        self._retries = retries

    def until_final(self) -> Flow[Video | None]:
        """The final video, or None at the deadline."""
        try:
            return (yield from self._stream()) or (yield from self._poll())
        except ConnectionFailed:
            if self._deadline.passed:
                return None
            raise

    def _stream(self) -> Flow[Video | None]:
        stream = EventStream(self.video_id, self._retries, self._deadline)
        try:
            while True:
                try:
                    event = yield from stream.next()
                except SeedanceError:
                    # Whatever is wrong with the stream: what matters is whether the video itself can be seen.
                    return None
                if event is None:
                    return self.seen if self.seen and self.seen.final else None
                yield from self._see(event.video)
        finally:
            yield from stream.close()

    def _poll(self) -> Flow[Video | None]:
        for delay in poll_delays():
            video = yield from retrieve_video(self.video_id, self._retries, self._deadline)
            yield from self._see(video)
            if video.final or self._deadline.passed:
                return video if video.final else None
            yield from sleep(self._deadline.within(delay))
        return None

    def _see(self, video: Video) -> Flow[None]:
        last, self.seen = self.seen, video
        if last is None or last.standing != video.standing:
            yield from tell(self._on_change, video)


def retrieve_video(video: str | Video, retries: Retries, deadline: Deadline | None = None) -> Flow[Video]:
    reply = yield from request(Call("GET", video_path(video)), retries, deadline or Deadline())
    return decode(reply, Video)


def poll_delays() -> Iterator[float]:
    """1 s, growing by half, to 5 s."""
    return (min(5.0, 1.5**turn) for turn in itertools.count())
