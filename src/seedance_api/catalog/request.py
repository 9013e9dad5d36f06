"""A request as it arrives at the catalogue: decoded, but nothing in it believed yet."""

import msgspec

from seedance_api.catalog.order import Kind, Order


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What inspection found in a piece of media; None where it does not apply. Codecs have FFmpeg's names."""

    media_type: str
    bytes: int
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    fps: float | None = None
    video_codec: str | None = None
    audio_codec: str | None = None


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of input media. `path` is where it stood in the request, such as `images[0]`.

    `facts` is None until the media has been inspected; then only its number and role can be checked.
    """

    kind: Kind
    role: str | None = None
    path: str
    facts: Facts | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. None means absent. `final_of` is the order of the draft to be taken in full."""

    model: str | None = None
    prompt: str | None = None
    duration: int | None = None
    seconds: int | str | None = None
    resolution: str | None = None
    ratio: str | None = None
    size: str | None = None
    images: tuple[Media, ...] | list[Media] = ()
    videos: tuple[Media, ...] | list[Media] = ()
    audios: tuple[Media, ...] | list[Media] = ()
    seed: int | None = None
    generate_audio: bool | None = None
    camera_fixed: bool | None = None
    watermark: bool | None = None
    return_last_frame: bool | None = None
    draft: bool | None = None
    service_tier: str | None = None
    frames: int | None = None
    task_type: str | None = None
    final_of: Order | None = None
