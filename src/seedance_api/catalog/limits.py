"""What an input file may be: the one table that inspection, the catalogue's check, `GET /v1/models` and the docs read.

A file that fits `WIDEST` is taken in; one that fits a model's own limits is taken by a create with that model.
Sources: ModelArk 1520757 (input sections of `content`), 2607688 (PCM in MOV), the asset library's page (23.8 frames).
"""

from collections.abc import Iterator
from fractions import Fraction
from math import isfinite
from typing import assert_never

import msgspec

from seedance_api.catalog.order import Kind
from seedance_api.catalog.request import Facts

Value = str | int | float | None

# MB is read as 10^6 bytes, the smaller reading of the vendor's page.
MB = 1_000_000


class ImageLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds for one picture; sides and aspect (width / height) must lie strictly between theirs."""

    media_types: tuple[str, ...]
    """The types taken."""
    max_bytes: int
    """An image must be smaller."""
    sides: tuple[int, int]
    """Each side must lie between these, in pixels, and equal neither."""
    aspect: tuple[float, float]
    """So must width / height."""


class VideoLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds for one clip, and for the length of all of them together.

    Lengths and frame rates count rounded to `rounds_to`: "15 seconds" of 29.97 frames a second are 15.015 s long.
    """

    media_types: tuple[str, ...]
    """The types taken."""
    video_codecs: tuple[str, ...]
    """The codecs of the picture."""
    audio_codecs: tuple[str, ...]
    """The codecs of the sound."""
    mov_audio_codecs: tuple[str, ...] = ()
    """Further codecs of the sound, in MOV only."""
    max_bytes: int
    """The largest file."""
    sides: tuple[int, int]
    """Each side must lie between these, in pixels, and equal neither."""
    aspect: tuple[float, float]
    """So must width / height."""
    pixels: tuple[int, int]
    """Fewest and most pixels of a frame."""
    fps: tuple[float, float]
    """Fewest and most frames a second."""
    seconds: tuple[float, float]
    """Shortest and longest clip."""
    total_seconds: float
    """The longest of all clips together."""
    edit_seconds: tuple[float, float] | None = None
    """Shortest and longest clip to be edited."""
    rounds_to: float = 0.1
    """Lengths and frame rates count rounded to this."""


class AudioLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds for one sound, and for the length of all of them together; lengths count rounded to `rounds_to`."""

    media_types: tuple[str, ...]
    """The types taken."""
    max_bytes: int
    """The largest file."""
    seconds: tuple[float, float]
    """Shortest and longest sound."""
    total_seconds: float
    """The longest of all sounds together."""
    rounds_to: float = 0.1
    """Lengths count rounded to this."""


class InputLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What each kind of input may be; None where the model takes none."""

    image: ImageLimits
    video: VideoLimits | None = None
    audio: AudioLimits | None = None


_SIDES = (300, 6000)
_ASPECT = (0.4, 2.5)
_IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp", "image/tiff", "image/gif")

_IMAGE_1_0 = ImageLimits(media_types=_IMAGE_TYPES, max_bytes=30 * MB, sides=_SIDES, aspect=_ASPECT)
_IMAGE = msgspec.structs.replace(_IMAGE_1_0, media_types=(*_IMAGE_TYPES, "image/heic", "image/heif"))
_VIDEO_2_0 = VideoLimits(
    media_types=("video/mp4", "video/quicktime"),
    video_codecs=("h264", "hevc"),
    audio_codecs=("aac", "mp3"),
    max_bytes=200 * MB,
    sides=_SIDES,
    aspect=_ASPECT,
    pixels=(407_696, 8_295_044),
    # The create page says 24; the asset library takes 23.8, and so 24000/1001, which is what "24p" is.
    fps=(23.8, 60),
    seconds=(2, 15),
    total_seconds=15,
)
_VIDEO_2_5 = msgspec.structs.replace(
    _VIDEO_2_0, mov_audio_codecs=("pcm",), seconds=(2, 30), total_seconds=30, edit_seconds=(4, 30)
)
_AUDIO_2_0 = AudioLimits(media_types=("audio/wav", "audio/mpeg"), max_bytes=15 * MB, seconds=(2, 15), total_seconds=15)
_AUDIO_2_5 = msgspec.structs.replace(_AUDIO_2_0, seconds=(2, 30), total_seconds=30)

INPUT_2_5 = InputLimits(image=_IMAGE, video=_VIDEO_2_5, audio=_AUDIO_2_5)
INPUT_2_0 = InputLimits(image=_IMAGE, video=_VIDEO_2_0, audio=_AUDIO_2_0)
INPUT_1_5 = InputLimits(image=_IMAGE)
INPUT_1_0 = InputLimits(image=_IMAGE_1_0)

WIDEST_IMAGE, WIDEST_VIDEO, WIDEST_AUDIO = _IMAGE, _VIDEO_2_5, _AUDIO_2_5
"""What some model takes, of each kind: what an upload takes. A test compares them with every model's."""

WIDEST: dict[Kind, ImageLimits | VideoLimits | AudioLimits] = {
    Kind.IMAGE: WIDEST_IMAGE,
    Kind.VIDEO: WIDEST_VIDEO,
    Kind.AUDIO: WIDEST_AUDIO,
}

NAMES: dict[str, str] = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WebP",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
    "image/gif": "GIF",
    "image/heic": "HEIC",
    "image/heif": "HEIF",
    "video/mp4": "MP4",
    "video/quicktime": "MOV",
    "audio/wav": "WAV",
    "audio/mpeg": "MP3",
}
"""What people call the kinds of files that are taken."""

CODEC_NAMES = {"h264": "H.264", "hevc": "H.265", "aac": "AAC", "mp3": "MP3", "pcm": "PCM"}


def files_taken(kind: Kind | None = None) -> str:
    """The kinds of files that are taken, in words; of one kind of media, or of all."""
    named = [_list([NAMES[one] for one in WIDEST[each].media_types]) for each in Kind if kind in (None, each)]
    if len(named) == 1:
        return named[0]
    images, videos, sounds = named
    return f"images as {images}; videos as {videos}; sounds as {sounds}"


class Misfit(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which a file does not fit. `message` says what was found and what is allowed, without a full stop."""

    code: str
    message: str
    value: Value = None
    allowed: tuple[str, ...] | str


def misfits(kind: Kind, facts: Facts, limits: InputLimits) -> Iterator[Misfit]:
    """Everything in which a file does not fit; nothing is said of what is not known yet, nor of a kind not taken."""
    match kind:
        case Kind.IMAGE:
            yield from _check_file(kind, facts, limits.image)
            yield from _check_shape(facts, limits.image)
        case Kind.VIDEO:
            if limits.video is not None:
                yield from _check_video(facts, limits.video)
        case Kind.AUDIO:
            if limits.audio is not None:
                yield from _check_file(kind, facts, limits.audio)
                yield from _check_seconds(facts, limits.audio)
        case _:
            assert_never(kind)


def widest_misfits(kind: Kind, facts: Facts) -> Iterator[Misfit]:
    """In what a file fits no model at all."""
    return misfits(kind, facts, INPUT_2_5)


def rounded(seconds_or_rate: float, limits: VideoLimits | AudioLimits) -> float:
    """A length or a frame rate as it counts against the bounds."""
    steps = seconds_or_rate / limits.rounds_to  # which is infinite for the largest numbers too
    return round(round(steps) * limits.rounds_to, 6) if isfinite(steps) else seconds_or_rate


def check_size(kind: Kind, size: int, max_bytes: int) -> Misfit | None:
    """The cap on the bytes of a file, which is judged before anything is decoded."""
    if 0 < size <= max_bytes:
        return None
    if size <= 0:
        return Misfit(code="media_unknown", message="the file is empty", value=size, allowed=f"1–{max_bytes} bytes")
    message = f"{_number(size / MB, '.2f')} MB: {A[kind]} may have at most {max_bytes // MB} MB"
    return Misfit(code="media_too_large", message=message, value=size, allowed=f"1–{max_bytes} bytes")


A = {Kind.IMAGE: "an image", Kind.VIDEO: "a video", Kind.AUDIO: "a sound"}


def _check_file(kind: Kind, facts: Facts, limits: ImageLimits | VideoLimits | AudioLimits) -> Iterator[Misfit]:
    if facts.media_type not in limits.media_types:
        shown = NAMES.get(facts.media_type, facts.media_type)
        names = _list([NAMES[one] for one in limits.media_types])
        message = f"the file is {shown}: {A[kind]} must be {names}"
        yield Misfit(code="media_kind", message=message, value=facts.media_type, allowed=limits.media_types)
    if misfit := check_size(kind, facts.bytes, limits.max_bytes):
        yield misfit


def _check_shape(facts: Facts, limits: ImageLimits | VideoLimits) -> Iterator[Misfit]:
    width, height = facts.width, facts.height
    if width is None or height is None:
        return
    shown = f"{_number(width)} × {_number(height)} px"
    minimum, maximum = limits.sides
    for name, side in (("width", width), ("height", height)):
        if not minimum < side < maximum:
            message = f"{shown}: the {name} must be over {minimum} and under {maximum} px"
            yield Misfit(code="media_size", message=message, value=side, allowed=f"{minimum + 1}–{maximum - 1} px")
    narrow, wide = (Fraction(str(bound)) for bound in limits.aspect)
    if min(width, height) > 0 and not narrow * height < width < wide * height:
        ratio = f"{width / height:.3f}" if max(width, height) < 10**9 else "out of bounds"
        allowed = f"over {limits.aspect[0]} and under {limits.aspect[1]}"
        message = f"{shown} is {ratio}: width / height must be {allowed}"
        value = f"{width}x{height}" if max(width, height) < 10**9 else None
        yield Misfit(code="media_ratio", message=message, value=value, allowed=allowed)


def _check_video(facts: Facts, limits: VideoLimits) -> Iterator[Misfit]:
    yield from _check_file(Kind.VIDEO, facts, limits)
    yield from _check_codecs(facts, limits)
    yield from _check_shape(facts, limits)
    minimum, maximum = limits.pixels
    if facts.width is not None and facts.height is not None and not minimum <= facts.width * facts.height <= maximum:
        area = facts.width * facts.height
        shown = f"{_number(facts.width)} × {_number(facts.height)} px are {_number(area, ',')} in all"
        message = f"{shown}: a frame must have {minimum:,}–{maximum:,}"
        yield Misfit(code="media_size", message=message, value=area, allowed=f"{minimum}–{maximum} pixels in a frame")
    slow, fast = limits.fps
    if facts.fps is not None and not slow <= rounded(facts.fps, limits) <= fast:
        message = f"{facts.fps:g} frames a second: a video must have {slow:g}–{fast:g}"
        yield Misfit(code="media_fps", message=message, value=facts.fps, allowed=f"{slow:g}–{fast:g} frames a second")
    yield from _check_seconds(facts, limits)


def _check_codecs(facts: Facts, limits: VideoLimits) -> Iterator[Misfit]:
    if facts.video_codec is not None and facts.video_codec not in limits.video_codecs:
        allowed = _list([CODEC_NAMES[one] for one in limits.video_codecs])
        message = f"{facts.video_codec}: the video codec must be {allowed}"
        yield Misfit(code="media_codec", message=message, value=facts.video_codec, allowed=limits.video_codecs)
    codec = facts.audio_codec
    mov = limits.mov_audio_codecs if facts.media_type == "video/quicktime" else ()
    taken = (*limits.audio_codecs, *mov)
    if codec is not None and ("pcm" if codec.startswith("pcm_") else codec) not in taken:
        allowed = _list([CODEC_NAMES[one] for one in limits.audio_codecs])
        if limits.mov_audio_codecs:
            allowed += ", in MOV also " + _list([CODEC_NAMES[one] for one in limits.mov_audio_codecs])
        message = f"{codec}: the sound of a video must be {allowed}"
        yield Misfit(code="media_codec", message=message, value=codec, allowed=taken)


def _check_seconds(facts: Facts, limits: VideoLimits | AudioLimits) -> Iterator[Misfit]:
    minimum, maximum = limits.seconds
    if facts.seconds is not None and not minimum <= rounded(facts.seconds, limits) <= maximum:
        allowed = f"{minimum:g}–{maximum:g} s"
        message = f"{facts.seconds:.2f} s: it must be {allowed} long"
        yield Misfit(code="media_length", message=message, value=facts.seconds, allowed=allowed)


def _list(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]


def _number(value: float, form: str = "") -> str:
    return format(value, form) if abs(value) < 10**15 else "too many"
