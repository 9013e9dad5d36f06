"""Make a film of any length at the price of a second of it.

Every frame is an IDR frame of its own, so a dozen encoded pictures can be repeated for ever; of one tone that fits the
length of an AAC frame, one packet can.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# PyAV's stubs leave the type parameter of a packet open.

import io
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av import AudioFrame, Packet, VideoFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from fakes.ark.media.picture import ground, mark

FPS = 24
_RATE, _HOP = 48_000, 1024


@dataclass(frozen=True, slots=True)
class Film:
    """What a film is made from; equal ones have equal bytes."""

    width: int
    height: int
    frames: int
    audio: bool
    mov: bool = False
    hevc: bool = False
    """In 10 bits, as Ark has its largest."""

    @property
    def pictures(self) -> int:
        """How many are encoded: an even number, for idr_pic_id has to alternate, and few where each takes long."""
        return min(2 if self.hevc else 12, self.frames)

    def place(self, number: int) -> float:
        """Where the mark is in a frame."""
        return number % self.pictures / (self.pictures - 1)


def render(film: Film) -> bytes:
    """The bytes of the file."""
    with tempfile.TemporaryDirectory(prefix="fake-ark-") as folder:
        path = Path(folder) / ("film.mov" if film.mov else "film.mp4")
        with av.open(path, "w", options={"movflags": "+faststart", "fflags": "+bitexact"}) as container:
            _shoot(container, film)
        return path.read_bytes()  # a file, since faststart moves what is written already


def last_frame(film: Film) -> bytes:
    """The last frame as JPEG."""
    file = io.BytesIO()
    mark(ground(film.width, film.height), film.place(film.frames - 1)).save(file, "JPEG", quality=90)
    return file.getvalue()


def _shoot(container: OutputContainer, film: Film) -> None:
    video = _add_video(container, film)
    audio = _add_audio(container, film) if film.audio else None
    pictures = _encode_pictures(video, film)
    sound = _encode_sound(audio) if audio else None
    _mux(container, film, (video, pictures), (audio, sound) if audio and sound else None)


def _add_video(container: OutputContainer, film: Film) -> VideoStream:
    options = {"preset": "ultrafast", "crf": "24", "g": "1"}
    if film.hevc:
        options["x265-params"] = "keyint=1:pools=1:frame-threads=1:log-level=none"
        stream = container.add_stream("libx265", rate=FPS, options=options)
        stream.codec_context.codec_tag = "hvc1"
    else:
        options["x264-params"] = "keyint=1:threads=1"
        stream = container.add_stream("libx264", rate=FPS, options=options)
    stream.width, stream.height = film.width, film.height
    stream.pix_fmt = "yuv420p10le" if film.hevc else "yuv444p" if film.mov else "yuv420p"
    stream.time_base = Fraction(1, FPS)
    return stream


def _add_audio(container: OutputContainer, film: Film) -> AudioStream:
    return container.add_stream("pcm_s16le" if film.mov else "aac", rate=_RATE, layout="mono")


def _encode_pictures(stream: VideoStream, film: Film) -> list[bytes]:
    still, made = ground(film.width, film.height), list[bytes]()
    for number in range(film.pictures):
        frame = VideoFrame.from_ndarray(np.asarray(mark(still, film.place(number))), format="rgb24")
        frame.pts = number
        made += [bytes(packet) for packet in stream.encode(frame)]
    return made + [bytes(packet) for packet in stream.encode(None)]


def _encode_sound(stream: AudioStream) -> bytes:
    """One packet of a quiet tone, nine waves to a packet."""
    wave = np.sin(2 * np.pi * 9 * np.arange(_HOP) / _HOP) * 0.05
    is_pcm = stream.codec_context.name == "pcm_s16le"
    samples = (wave * 32767).astype(np.int16) if is_pcm else wave.astype(np.float32)
    made = list[bytes]()
    for number in range(1 if is_pcm else 8):
        frame = AudioFrame.from_ndarray(samples[np.newaxis, :], format="s16" if is_pcm else "fltp", layout="mono")
        frame.sample_rate, frame.pts = _RATE, number * _HOP
        made += [bytes(packet) for packet in stream.encode(frame)]
    made += [bytes(packet) for packet in stream.encode(None)]
    return made[len(made) // 2]


def _mux(
    container: OutputContainer,
    film: Film,
    video: tuple[VideoStream, list[bytes]],
    audio: tuple[AudioStream, bytes] | None,
) -> None:
    """Interleave: to each picture the sound that begins before it ends."""
    heard = 0
    for number in range(film.frames):
        pictures = video[1]
        _mux_one(container, video[0], pictures[number % len(pictures)], pts=number, length=1)
        while audio and heard * _HOP * FPS < (number + 1) * _RATE:
            _mux_one(container, audio[0], audio[1], pts=heard * _HOP, length=_HOP)
            heard += 1


def _mux_one(
    container: OutputContainer, stream: VideoStream | AudioStream, data: bytes, *, pts: int, length: int
) -> None:
    """Write a packet; times are in frames, or in samples."""
    packet = Packet(data)
    packet.stream = stream
    packet.time_base = Fraction(1, FPS) if isinstance(stream, VideoStream) else Fraction(1, _RATE)
    packet.pts = packet.dts = pts
    packet.duration = length
    packet.is_keyframe = True
    container.mux_one(packet)
