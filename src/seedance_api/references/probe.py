"""Videos and sounds as FFmpeg sees them (in the child only), within the widest limits of any model.

The limits are ModelArk's (1520757). The files are kept as they are, so what a header says is checked against
what is really there.
"""

from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from seedance_api.catalog.request import Facts
from seedance_api.references.inspect import Refused, Work

SIDES_PIXELS = (300, 6000)
FRAME_PIXELS = (407_696, 8_295_044)
FPS = (24, 60)
NTSC_FPS = 23.9  # 24000/1001, "24p", counts as 24
SECONDS = (2, 30)
HEADER_SECONDS = 0.5  # by so much may a header err

_VIDEO_CODECS = frozenset({"h264", "hevc"})
_AUDIO_CODECS = frozenset({"aac", "mp3"})
_CUT = Refused("media_unreadable", "the file is damaged: it does not hold what its header says")


def shape(width: int, height: int) -> Refused | None:
    """Sides within their bounds, and width / height strictly between 0.4 and 2.5."""
    least, most = SIDES_PIXELS
    if not (least <= width <= most and least <= height <= most):
        return Refused("media_size", f"{width} × {height} px: each side must be {least}–{most} px")
    if not (2 * height < 5 * width and 2 * width < 5 * height):
        return Refused(
            "media_ratio",
            f"{width} × {height} px is {width / height:.3f}: width / height must be over 0.4 and under 2.5",
        )
    return None


def video(work: Work) -> Facts | Refused:
    with _opened(work.path, "mov") as container:
        pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if len(pictures) != 1:
            return Refused("media_streams", f"{len(pictures)} video tracks: there must be one")
        stream = pictures[0]
        refused = _video_header(stream, container, quicktime=work.media_type == "video/quicktime")
        if refused is not None:
            return refused
        stream.codec_context.thread_count = 1  # each thread would hold frames of its own
        walked = _walk(container, stream)
        if walked is None:
            return _CUT
        seconds, first = walked
        refused = _length(seconds)
        if refused is not None:
            return refused
        turned = first.rotation % 180 != 0
        sides = (stream.height, stream.width) if turned else (stream.width, stream.height)
        return Facts(
            media_type=work.media_type,
            bytes=container.size,
            width=sides[0],
            height=sides[1],
            seconds=seconds,
            fps=_fps(stream),
            video_codec=_codec(stream),
            audio_codec=next((_codec(sound) for sound in container.streams.audio), None),
        )


def _opened(path: str, form: str) -> InputContainer:
    """Open with one demuxer, and never let the file point to another."""
    return av.open(path, format=form, options={"protocol_whitelist": "file"}, metadata_errors="replace")


def _video_header(stream: VideoStream, container: InputContainer, *, quicktime: bool) -> Refused | None:
    if _codec(stream) not in _VIDEO_CODECS:
        return Refused("media_codec", f"{_codec(stream)}: the video codec must be H.264 or H.265")
    for codec in map(_codec, container.streams.audio):
        if codec not in _AUDIO_CODECS and not (quicktime and codec.startswith("pcm_")):
            return Refused("media_codec", f"{codec}: the sound of a video must be AAC or MP3, in MOV also PCM")
    area, (least, most) = stream.width * stream.height, FRAME_PIXELS
    refused = shape(stream.width, stream.height)
    if refused is None and not least <= area <= most:
        size = f"{stream.width} × {stream.height} px"
        refused = Refused("media_size", f"{size} are {area} in all: a frame must have {least}–{most}")
    if refused is None and not NTSC_FPS <= _fps(stream) <= FPS[1]:
        refused = Refused("media_fps", f"{_fps(stream):g} frames/s: a video must have {FPS[0]}–{FPS[1]}")
    return refused or _length(_declared(stream, container))


def _codec(stream: VideoStream | AudioStream) -> str:
    return stream.codec_context.codec.canonical_name


def _fps(stream: VideoStream) -> float:
    return round(float(stream.average_rate or 0), 3)


def _declared(stream: VideoStream | AudioStream, container: InputContainer) -> float | None:
    """Seconds as the header has them; None where it has none, as in a fragmented file."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _length(seconds: float | None) -> Refused | None:
    least, most = SECONDS
    if seconds is None or least <= round(seconds, 3) <= most:
        return None
    return Refused("media_length", f"{seconds:.2f} s: it must be {least}–{most} s long")


def _walk(container: InputContainer, stream: VideoStream) -> tuple[float, VideoFrame] | None:
    """Read all packets, decode the first frame and the last group of frames; None if a part is missing."""
    first: VideoFrame | None = None
    start = end = last_key = None
    for packet in container.demux(stream):
        if packet.pts is None:  # what flushes the decoder at the end
            continue
        if packet.is_corrupt:
            return None
        if first is None:
            first = next(iter(packet.decode()), None)
        start = packet.pts if start is None else min(start, packet.pts)
        end = max(packet.pts + (packet.duration or 0), end or 0)
        last_key = packet.pts if packet.is_keyframe else last_key
    if start is None or end is None or last_key is None or stream.time_base is None:
        return None
    container.seek(last_key, stream=stream)
    frames = 0
    for frame in container.decode(stream):
        first = first or frame
        frames += 1
    seconds = float((end - start) * stream.time_base)
    declared = _declared(stream, container)
    if first is None or frames == 0 or abs((declared or seconds) - seconds) > HEADER_SECONDS:
        return None
    return round(declared or seconds, 3), first


def sound(work: Work) -> Facts | Refused:
    with _opened(work.path, "wav" if work.media_type == "audio/wav" else "mp3") as container:
        if len(container.streams.audio) != 1:
            return Refused("media_streams", f"{len(container.streams.audio)} sound tracks: there must be one")
        stream = container.streams.audio[0]
        codec = _codec(stream)
        if not (codec.startswith("pcm_") if work.media_type == "audio/wav" else codec == "mp3"):
            return Refused("media_codec", f"{codec}: a WAV must hold PCM, an MP3 must hold MP3")
        declared = _declared(stream, container)
        refused = _length(declared)
        if refused is not None:
            return refused
        seconds = Fraction(0)
        for frame in container.decode(stream):
            seconds += Fraction(frame.samples, frame.sample_rate)
            if seconds > SECONDS[1] + 1:
                break
        refused = _length(float(seconds))
        missing = _missing_seconds(work.path, stream) if work.media_type == "audio/wav" else 0
        if refused is None and max((declared or 0) - seconds, missing) > HEADER_SECONDS:
            refused = _CUT
        facts = Facts(
            media_type=work.media_type,
            bytes=container.size,
            seconds=round(float(seconds), 3),
            audio_codec=codec,
        )
        return refused or facts


def _missing_seconds(path: str, stream: AudioStream) -> float:
    """What a RIFF file lacks of the size in its head, which FFmpeg overlooks; 0 and -1 are a stream's."""
    with Path(path).open("rb") as file:
        size = int.from_bytes(file.read(8)[4:], "little")
    if size in {0, 0xFFFFFFFF} or not stream.bit_rate:
        return 0
    return (size + 8 - Path(path).stat().st_size) / (stream.bit_rate / 8)
