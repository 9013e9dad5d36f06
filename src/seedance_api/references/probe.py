"""Videos and sounds as FFmpeg sees them (in the child only), within the widest limits of any model.

The files are kept as they are, so what a header says is checked against what is really there.
"""

from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import msgspec
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from seedance_api.catalog.limits import WIDEST_AUDIO
from seedance_api.catalog.misfit import widest_misfits
from seedance_api.catalog.order import Kind
from seedance_api.catalog.request import Facts
from seedance_api.references.inspect import Refused, Work

HEADER_SECONDS = 0.5  # by so much may a header err

_CUT = Refused("media_unreadable", "the file is damaged: it does not hold what its header says")
_NO_PICTURE = Refused("media_unreadable", "the file is damaged: none of its pictures can be shown")


def misfit(facts: Facts) -> Refused | None:
    """The first reason why no model takes a file like this."""
    kind = Kind(facts.media_type.partition("/")[0])
    return next((Refused(one.code, one.message) for one in widest_misfits(kind, facts)), None)


def video(work: Work) -> Facts | Refused:
    """What a video is. It is as long as a player shows it: what its edit list cuts away does not count."""
    with _opened(work.path, "mov") as container:
        pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if len(pictures) != 1:
            return Refused("media_streams", f"{len(pictures)} video tracks: there must be one")
        stream = pictures[0]
        codecs = [_codec(sound) for sound in container.streams.audio]
        facts = Facts(
            media_type=work.media_type,
            bytes=container.size,
            width=stream.width,
            height=stream.height,
            seconds=_declared(stream, container),
            fps=_fps(stream) or None,
            video_codec=_codec(stream),
            audio_codec=next(iter(codecs), None),
        )
        for codec in codecs or [None]:
            refused = misfit(msgspec.structs.replace(facts, audio_codec=codec))
            if refused is not None:
                return refused
        if not _is_whole(work.path, stream.index):
            return _CUT
        stream.codec_context.thread_count = 1  # each thread would hold frames of its own
        walked = _walk(container, stream)
        if isinstance(walked, Refused):
            return walked
        turned = walked.first.rotation % 180 != 0
        sides = (stream.height, stream.width) if turned else (stream.width, stream.height)
        found = msgspec.structs.replace(
            facts,
            width=sides[0],
            height=sides[1],
            seconds=walked.seconds,
            fps=_fps(stream) or round(walked.frames / walked.seconds, 3),
        )
        return misfit(found) or found


class _Walked(msgspec.Struct, frozen=True):
    """What is shown of a video: for how long, in how many frames, and the first that can be decoded."""

    seconds: float
    frames: int
    first: VideoFrame


def _opened(path: str, form: str, **options: str) -> InputContainer:
    """Open with one demuxer, and never let the file point to another."""
    return av.open(path, format=form, options={"protocol_whitelist": "file"} | options, metadata_errors="replace")


def _codec(stream: VideoStream | AudioStream) -> str:
    """FFmpeg's name of the codec; its four letters where FFmpeg cannot decode it."""
    context = cast("CodecContext | None", stream.codec_context)
    if context is None:
        return "an unknown codec"
    return context.codec.canonical_name


def _fps(stream: VideoStream) -> float:
    return round(float(stream.average_rate or 0), 3)


def _declared(stream: VideoStream | AudioStream, container: InputContainer) -> float | None:
    """Seconds as the header has them; None where it has none, as in a fragmented file."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _is_whole(path: str, index: int) -> bool:
    """Whether all that is stored of a track, shown or not, is there and as long as its header says.

    What is paid for input video depends on lengths, and the upstream may go by another one than we do.
    """
    with _opened(path, "mov", ignore_editlist="1") as container:
        stream = container.streams[index]
        start = end = None
        for packet in container.demux(stream):
            if packet.dts is None:  # what flushes the decoder at the end
                continue
            if packet.is_corrupt:
                return False
            start = packet.dts if start is None else start
            end = packet.dts + (packet.duration or 0)
        if start is None or end is None or stream.time_base is None:
            return False
        declared = (stream.duration or end - start) * stream.time_base
        return abs(float(declared - (end - start) * stream.time_base)) <= HEADER_SECONDS


def _walk(container: InputContainer, stream: VideoStream) -> _Walked | Refused:
    """Read all packets that are shown, decode the first frame and the last group of frames."""
    first: VideoFrame | None = None
    start = end = key = last_key = None
    shown = 0
    for packet in container.demux(stream):
        if packet.pts is None:  # what flushes the decoder at the end
            continue
        if packet.is_corrupt:
            return _CUT
        if first is None:
            first = next(iter(packet.decode()), None)
        key = packet.pts if packet.is_keyframe else key
        if packet.is_discard:  # the edit list cuts it away; what follows may need it all the same
            continue
        shown += 1
        start = packet.pts if start is None else min(start, packet.pts)
        end = max(packet.pts + (packet.duration or 0), end or 0)
        last_key = key
    if start is None or end is None or last_key is None or stream.time_base is None:
        return _CUT
    container.seek(last_key, stream=stream)
    frames = 0
    for frame in container.decode(stream):
        first = first or frame
        frames += 1
    if first is None or frames == 0:
        return _NO_PICTURE
    seconds = round(float((end - start) * stream.time_base), 3)
    return _Walked(seconds, shown, first) if seconds > 0 else _CUT


def sound(work: Work) -> Facts | Refused:
    with _opened(work.path, "wav" if work.media_type == "audio/wav" else "mp3") as container:
        if len(container.streams.audio) != 1:
            return Refused("media_streams", f"{len(container.streams.audio)} sound tracks: there must be one")
        stream = container.streams.audio[0]
        codec = _codec(stream)
        if not (codec.startswith("pcm_") if work.media_type == "audio/wav" else codec == "mp3"):
            return Refused("media_codec", f"{codec}: a WAV must hold PCM, an MP3 must hold MP3")
        facts = Facts(media_type=work.media_type, bytes=container.size, audio_codec=codec)
        is_wav = work.media_type == "audio/wav"
        declared = _declared(stream, container) if is_wav or _counts_frames(work.path) else None
        refused = misfit(msgspec.structs.replace(facts, seconds=declared))
        if refused is not None:
            return refused
        seconds = Fraction(0)
        for frame in container.decode(stream):
            seconds += Fraction(frame.samples, frame.sample_rate)
            if seconds > WIDEST_AUDIO.seconds[1] + 1:
                break
        found = msgspec.structs.replace(facts, seconds=round(float(seconds), 3))
        refused = misfit(found)
        missing = _missing_seconds(work.path, stream) if is_wav else 0
        if refused is None and max((declared or 0) - seconds, missing) > HEADER_SECONDS:
            refused = _CUT
        return refused or found


_ID3_HEAD = 10


def _counts_frames(path: str) -> bool:
    """Whether an MP3 says how long it is, in its first frame. Of any other FFmpeg guesses, by its first bit rate."""
    with Path(path).open("rb") as file:
        head = file.read(_ID3_HEAD)
        size = 0
        for byte in head[6:] if head.startswith(b"ID3") else b"":
            size = size << 7 | byte & 0x7F
        file.seek(size + _ID3_HEAD if size else 0)
        frame = file.read(4096)
    return any(name in frame for name in (b"Xing", b"Info", b"VBRI"))


def _missing_seconds(path: str, stream: AudioStream) -> float:
    """What a RIFF file lacks of the size in its head, which FFmpeg overlooks; 0 and -1 are a stream's."""
    with Path(path).open("rb") as file:
        size = int.from_bytes(file.read(8)[4:], "little")
    if size in {0, 0xFFFFFFFF} or not stream.bit_rate:
        return 0
    return (size + 8 - Path(path).stat().st_size) / (stream.bit_rate / 8)
