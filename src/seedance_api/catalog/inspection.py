"""Inspected media against a model's limits (ModelArk 1520757, the input sections of `content`)."""

from collections.abc import Sequence
from typing import assert_never

from seedance_api.catalog.capabilities import AudioLimits, ImageLimits, Model, VideoLimits
from seedance_api.catalog.media import Placed, Placement
from seedance_api.catalog.order import Kind, TaskType
from seedance_api.catalog.problem import Code, Report, Value
from seedance_api.catalog.request import Facts
from seedance_api.catalog.tokens import exact

Bounds = tuple[float, float]

# Other names that servers and probes give to the same format.
_SAME_TYPE = {
    "image/jpg": "image/jpeg",
    "audio/mp3": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
}
_SAME_CODEC = {"h265": "hevc"}


def check_facts(placement: Placement, model: Model, task_type: TaskType, report: Report) -> None:
    """Every piece that has been inspected, and the length of all of them together."""
    limits = model.limits
    for piece in placement.media:
        if piece.facts is None:
            continue
        match piece.kind:
            case Kind.IMAGE:
                _check_image(piece.path, piece.facts, limits.image, report)
            case Kind.VIDEO:
                if limits.video is not None:
                    _check_video(piece.path, piece.facts, limits.video, report)
            case Kind.AUDIO:
                if limits.audio is not None:
                    _check_audio(piece.path, piece.facts, limits.audio, report)
            case _:
                assert_never(piece.kind)
    videos, audios = placement.of(Kind.VIDEO), placement.of(Kind.AUDIO)
    if limits.video is not None:
        _check_total("videos", videos, limits.video.total_seconds, report)
        if task_type is TaskType.EDIT and limits.video.edit_seconds is not None:
            _check_edited(videos, limits.video.edit_seconds, report)
    if limits.audio is not None:
        _check_total("audios", audios, limits.audio.total_seconds, report)


def _check_image(path: str, facts: Facts, limits: ImageLimits, report: Report) -> None:
    _check_file(path, facts, limits.media_types, limits.max_bytes, report)
    _check_shape(path, facts, limits.sides, limits.aspect, report)


def _check_video(path: str, facts: Facts, limits: VideoLimits, report: Report) -> None:
    _check_file(path, facts, limits.media_types, limits.max_bytes, report)
    _check_shape(path, facts, limits.sides, limits.aspect, report)
    if facts.width is not None and facts.height is not None:
        _check_within(path, "pixels in a frame", facts.width * facts.height, limits.pixels, report)
    _check_within(path, "frames a second", facts.fps, limits.fps, report)
    _check_within(path, "seconds", facts.seconds, limits.seconds, report)
    _check_codec(path, "video", facts.video_codec, limits.video_codecs, report)
    _check_codec(path, "sound", facts.audio_codec, limits.audio_codecs, report)


def _check_audio(path: str, facts: Facts, limits: AudioLimits, report: Report) -> None:
    _check_file(path, facts, limits.media_types, limits.max_bytes, report)
    _check_within(path, "seconds", facts.seconds, limits.seconds, report)


def _check_file(path: str, facts: Facts, types: tuple[str, ...], most_bytes: int, report: Report) -> None:
    if _SAME_TYPE.get(facts.media_type, facts.media_type) not in types:
        says = f"must be one of {', '.join(types)}."
        report.add(Code.BAD_MEDIA, path, says, value=facts.media_type, allowed=types)
    if not 0 < facts.bytes <= most_bytes:
        says = f"must not be empty and at most {most_bytes // 1_000_000} MB."
        report.add(Code.BAD_MEDIA, path, says, value=facts.bytes, allowed=f"1–{most_bytes} bytes")


def _check_shape(path: str, facts: Facts, sides: tuple[int, int], aspect: Bounds, report: Report) -> None:
    if facts.width is None or facts.height is None:
        return
    least, most = sides
    for name, side in (("width", facts.width), ("height", facts.height)):
        if not least < side < most:
            says = f"must have a {name} between {least} and {most} pixels, both excluded."
            report.add(Code.BAD_MEDIA, path, says, value=side, allowed=f"{least + 1}–{most - 1} pixels")
    narrow, wide = exact(aspect[0]), exact(aspect[1])
    if min(facts.width, facts.height) > 0 and not (narrow * facts.height < facts.width < wide * facts.height):
        says = f"must have a width of {aspect[0]} to {aspect[1]} times its height, both excluded."
        value = f"{facts.width}x{facts.height}" if max(facts.width, facts.height) < 10**9 else None
        allowed = f"width / height between {aspect[0]} and {aspect[1]}"
        report.add(Code.BAD_MEDIA, path, says, value=value, allowed=allowed)


def _check_within(path: str, what: str, value: float | None, bounds: Bounds, report: Report) -> None:
    if value is None or bounds[0] <= value <= bounds[1]:
        return
    allowed = f"{bounds[0]}–{bounds[1]} {what}"
    report.add(Code.BAD_MEDIA, path, f"must have {allowed}.", value=value, allowed=allowed)


def _check_codec(path: str, what: str, codec: Value, codecs: tuple[str, ...], report: Report) -> None:
    if isinstance(codec, str) and _SAME_CODEC.get(codec, codec) not in codecs:
        says = f"must have its {what} in one of {', '.join(codecs)}."
        report.add(Code.BAD_MEDIA, path, says, value=codec, allowed=codecs)


def _check_total(path: str, media: Sequence[Placed], most: float, report: Report) -> None:
    total = sum_seconds(media)
    if total > most:
        says = f"may be {most} seconds long in all."
        report.add(Code.BAD_MEDIA, path, says, value=total, allowed=f"at most {most} seconds in all")


def _check_edited(videos: Sequence[Placed], bounds: Bounds, report: Report) -> None:
    """Which clip is edited is the prompt's affair; one of them must be long enough."""
    lengths = [piece.facts.seconds for piece in videos if piece.facts and piece.facts.seconds is not None]
    if lengths and len(lengths) == len(videos) and not any(bounds[0] <= length <= bounds[1] for length in lengths):
        allowed = f"{bounds[0]}–{bounds[1]} seconds"
        report.add(Code.BAD_MEDIA, "videos", f"must hold a clip of {allowed} to be edited.", allowed=allowed)


def sum_seconds(media: Sequence[Placed], unknown: float = 0) -> float:
    """The length of all pieces together; one that was not inspected counts as `unknown`."""
    lengths = [piece.facts.seconds if piece.facts else None for piece in media]
    return round(sum(unknown if length is None else length for length in lengths), 6)
