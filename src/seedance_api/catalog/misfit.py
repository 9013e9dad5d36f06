"""In what a file does not fit: what inspection found, compared with what a model takes."""

from collections.abc import Iterator
from fractions import Fraction
from math import isfinite
from typing import assert_never

import msgspec

from seedance_api.catalog.limits import (
    CODEC_NAMES,
    INPUT_2_5,
    MB,
    NAMES,
    AudioLimits,
    ImageLimits,
    InputLimits,
    VideoLimits,
    listed,
)
from seedance_api.catalog.order import Kind
from seedance_api.catalog.request import Facts

Value = str | int | float | None


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
        names = listed([NAMES[one] for one in limits.media_types])
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
        allowed = listed([CODEC_NAMES[one] for one in limits.video_codecs])
        message = f"{facts.video_codec}: the video codec must be {allowed}"
        yield Misfit(code="media_codec", message=message, value=facts.video_codec, allowed=limits.video_codecs)
    codec = facts.audio_codec
    mov = limits.mov_audio_codecs if facts.media_type == "video/quicktime" else ()
    taken = (*limits.audio_codecs, *mov)
    if codec is not None and ("pcm" if codec.startswith("pcm_") else codec) not in taken:
        allowed = listed([CODEC_NAMES[one] for one in limits.audio_codecs])
        if limits.mov_audio_codecs:
            allowed += ", in MOV also " + listed([CODEC_NAMES[one] for one in limits.mov_audio_codecs])
        message = f"{codec}: the sound of a video must be {allowed}"
        yield Misfit(code="media_codec", message=message, value=codec, allowed=taken)


def _check_seconds(facts: Facts, limits: VideoLimits | AudioLimits) -> Iterator[Misfit]:
    minimum, maximum = limits.seconds
    if facts.seconds is not None and not minimum <= rounded(facts.seconds, limits) <= maximum:
        allowed = f"{minimum:g}–{maximum:g} s"
        message = f"{facts.seconds:.2f} s: it must be {allowed} long"
        yield Misfit(code="media_length", message=message, value=facts.seconds, allowed=allowed)


def _number(value: float, form: str = "") -> str:
    return format(value, form) if abs(value) < 10**15 else "too many"
