"""Footage: input clips, read frame by frame at our own rate."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import av
import numpy as np
import numpy.typing as npt
from av import AudioResampler, VideoFrame
from av.error import FFmpegError

from seedance_preview.pixels import InputUnreadableError, Planes, planes_of, scale
from seedance_preview.plan import FPS

RATE = 48_000


class Footage:
    """A clip, read forwards once. Holds one decoded frame; after its end it stays on the last.

    Everything raises InputUnreadableError when the file is no clip.
    """

    def __init__(self, path: Path) -> None:
        with _reading():
            self._container = av.open(path)
            if not self._container.streams.video:
                raise InputUnreadableError
            stream = self._container.streams.video[0]
            stream.thread_count = 1
            self._frames: Iterator[VideoFrame] = self._container.decode(stream)
        first = self._read()
        if first is None:
            raise InputUnreadableError
        self._now = first
        self._next: VideoFrame | None = first
        self._start = first.time or 0.0

    @property
    def ratio(self) -> float:
        """Width by height."""
        return self._now.width / self._now.height

    def frame_at(self, index: int) -> VideoFrame:
        """The frame shown at our frame `index`; indices must not go back."""
        while self._next is not None and (self._next.time or 0.0) - self._start <= index / FPS + 1e-4:
            self._now = self._next
            self._next = self._read()
        return self._now

    def last_frame(self) -> VideoFrame:
        """Read to the end."""
        while (frame := self._read()) is not None:
            self._now = frame
        return self._now

    def _read(self) -> VideoFrame | None:
        with _reading():
            return next(self._frames, None)

    def __enter__(self) -> "Footage":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()


def cover_frame(frame: VideoFrame, width: int, height: int) -> Planes:
    """Scale a frame so that it covers the size, and cut off what stands over."""
    factor = max(width / frame.width, height / frame.height)
    wide = max(width, round(frame.width * factor / 2) * 2)
    high = max(height, round(frame.height * factor / 2) * 2)
    whole = planes_of(scale(frame, wide, high))
    x, y = (wide - width) // 4 * 2, (high - height) // 4 * 2
    half = np.s_[y // 2 : (y + height) // 2, x // 2 : (x + width) // 2]
    return Planes(whole.y[y : y + height, x : x + width], whole.u[half], whole.v[half])


def has_sound(path: Path) -> bool:
    """Whether a file has sound. Raises InputUnreadableError."""
    with _reading(), av.open(path) as container:
        return bool(container.streams.audio)


def read_sound(path: Path) -> Iterator[npt.NDArray[np.float32]]:
    """The sound of a file in pieces, mono at 48 kHz. Raises InputUnreadableError."""
    with _reading(), av.open(path) as container:
        resampler = AudioResampler(format="flt", layout="mono", rate=RATE)
        for frame in container.decode(audio=0):
            frame.pts = None
            for piece in resampler.resample(frame):
                yield piece.to_ndarray()[0].astype(np.float32)
        for piece in resampler.resample(None):
            yield piece.to_ndarray()[0].astype(np.float32)


@contextmanager
def _reading() -> Generator[None, None, None]:
    try:
        yield
    except (FFmpegError, ValueError) as error:
        raise InputUnreadableError from error
