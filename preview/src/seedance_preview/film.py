"""The film: paints the frames ahead in two threads, encodes them in order, and keeps only a few at a time."""

# pyright: reportUnknownMemberType=false
# PyAV's stubs leave the type parameter of a packet open.

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
from av import AudioFrame, AudioStream, VideoFrame, VideoStream
from av.codec.context import Flags
from av.container import OutputContainer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from seedance_preview.footage import RATE
from seedance_preview.paint import Painter
from seedance_preview.pixels import to_picture
from seedance_preview.plan import FPS
from seedance_preview.sound import Track

_PAINTERS = 2
_AHEAD = 4
_SAMPLES = RATE // FPS

# One thread, and no AVX-512: with the one or the other, some films in a hundred came out with other bytes (measured
# with x264 165 under load; without them none in 1,600). The painters keep the other cores busy.
_X264 = {
    "preset": "veryfast",
    "profile": "high",
    "crf": "18",
    "x264-params": "threads=1:rc-lookahead=12:keyint=48:scenecut=0"
    ":aq-mode=3:aq-strength=0.9:chroma-qp-offset=-6:subme=1:ref=1:trellis=0",
}
_NO_AVX512 = ":asm=avx2"


def shoot(painter: Painter, track: Track | None, path: Path, after_frame: Callable[[int], None]) -> None:
    """Render the whole film to `path`; calls `after_frame` with the number of frames encoded so far."""
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(path, "w", format="mp4", options=options) as container:
        video = _add_video(container, painter)
        audio = _add_audio(container) if track else None
        with ThreadPoolExecutor(_PAINTERS, thread_name_prefix="painter") as pool:
            for index, frame in enumerate(_frames_in_order(painter, pool)):
                container.mux(video.encode(frame))
                if audio and track:
                    container.mux(audio.encode(_sound(track, index)))
                after_frame(index + 1)
        container.mux(video.encode(None))
        if audio:
            container.mux(audio.encode(None))


def read_last_frame(path: Path) -> VideoFrame:
    """Decode the last frame of a film."""
    with av.open(path) as container:
        stream = container.streams.video[0]
        container.seek(stream.duration or 0, stream=stream)
        [frame] = deque(container.decode(stream), maxlen=1)
    return frame


def save_last_frame(painter: Painter, film: Path, path: Path) -> None:
    """Write the film's last frame as PNG: its very pixels, but what the watermark hides painted anew."""
    picture = to_picture(read_last_frame(film))
    if painter.mark_box is not None:
        last = painter.plan.frames - 1
        clean = to_picture(painter.paint(last, painter.feed(last), marked=False))
        picture.paste(clean.crop(painter.mark_box), painter.mark_box[:2])
    picture.save(path, "PNG", compress_level=3)


def _frames_in_order(painter: Painter, pool: ThreadPoolExecutor) -> Iterator[VideoFrame]:
    waiting: deque[Future[VideoFrame]] = deque()
    for index in range(painter.plan.frames):
        if len(waiting) == _AHEAD:
            yield waiting.popleft().result()
        waiting.append(pool.submit(painter.paint, index, painter.feed(index)))
    while waiting:
        yield waiting.popleft().result()


def _add_video(container: OutputContainer, painter: Painter) -> VideoStream:
    options = dict(_X264)
    if "avx512" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace"):
        options["x264-params"] += _NO_AVX512
    stream = container.add_stream("libx264", rate=FPS, options=options)
    stream.width, stream.height = painter.size
    stream.pix_fmt = "yuv420p"
    stream.codec_context.colorspace = Colorspace.ITU709
    stream.codec_context.color_primaries = ColorPrimaries.BT709
    stream.codec_context.color_trc = ColorTrc.BT709
    stream.codec_context.color_range = ColorRange.MPEG
    stream.codec_context.flags |= Flags.bitexact
    return stream


def _add_audio(container: OutputContainer) -> AudioStream:
    stream = container.add_stream("aac", rate=RATE, layout="mono")
    stream.bit_rate = 96_000
    stream.codec_context.flags |= Flags.bitexact
    return stream


def _sound(track: Track, index: int) -> AudioFrame:
    samples = track.read(index * _SAMPLES, _SAMPLES)
    frame = AudioFrame.from_ndarray(samples[np.newaxis, :], format="fltp", layout="mono")
    frame.sample_rate = RATE
    frame.pts = index * _SAMPLES
    return frame
