"""The body of a create and of a quote: its fields, as JSON or a form says them, and what it says in all."""

import hashlib
from typing import Any, cast

import msgspec

from seedance_api.foundation.errors import Problem
from seedance_api.foundation.money import amount_of_number
from seedance_api.references.inspect import Staged
from seedance_api.web.body import MEDIA_LISTS, Body
from seedance_api.web.decode import decode
from seedance_api.web.forms import Upload


class MediaItem(msgspec.Struct, frozen=True, kw_only=True):
    """A reference medium: exactly one of `url` (https, data URL or `asset://`) and `file_id`, and what it is for."""

    url: str | None = None
    """An https address or a `data:` URL; with a live key also `asset://` and the id of an asset that the upstream
    keeps. Videos not as a `data:` URL."""
    file_id: str | None = None
    """The id of an uploaded file, instead of `url`."""
    role: str | None = None
    """`first_frame`, `last_frame` or `reference`. Needed on every image as soon as there are several media."""
    image_url: str | None = None
    """Another name for `url`, as OpenAI's clients send it."""


class CreateVideo(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a create: OpenAI's fields and more. Null stands for absent."""

    model: str | None = None
    """A model's name or one of the vendor's ids; see `GET /v1/models`. The default is `seedance-2.0-mini`."""
    prompt: str | None = None
    """What the video shows, up to 32,000 characters. Needed unless there is an image, video or audio."""
    duration: int | None = None
    """Length in whole seconds; -1 lets the model decide, where it can. The default is the model's, `5` or `-1`."""
    seconds: int | str | None = None
    """OpenAI's name for `duration`."""
    resolution: str | None = None
    """`480p`, `720p`, `1080p` or `4k`, as far as the model goes. The default is the model's, `720p` or `1080p`."""
    ratio: str | None = None
    """`16:9`, `4:3`, `1:1`, `3:4`, `9:16`, `21:9`, or `adaptive`, which follows the first image. The default is the
    model's, mostly `adaptive`."""
    aspect_ratio: str | None = None
    """Another name for `ratio`."""
    size: str | None = None
    """OpenAI's way to say resolution and ratio: `1280x720`."""
    images: list[Any] | None = None
    """Reference images with the role `first_frame`, `last_frame` or `reference`. One image without a role is the first
    frame."""
    videos: list[Any] | None = None
    """Reference videos. With a live key, images, videos and sounds may be `asset://` and the id of an asset of the
    upstream."""
    audios: list[Any] | None = None
    """Reference sounds."""
    input_reference: Any = None
    """OpenAI's name for the first frame; several are references."""
    seed: int | None = None
    """-1 to 2147483647; the same request with the same seed gives the same sandbox video. -1, the default, takes
    any."""
    generate_audio: bool | None = None
    """Whether the video has sound. Where a model can, the default is true."""
    camera_fixed: bool | None = None
    """Keep the camera still. Seedance 1.x. The default is `false`."""
    watermark: bool | None = None
    """Write a visible mark into the picture. The default is `false`."""
    return_last_frame: bool | None = None
    """Also keep the last frame as a picture. The default is `false`."""
    draft: bool | None = None
    """A quick 480p look; see `draft_id`. Seedance 1.5 pro and 2.5. The default is `false`."""
    draft_id: str | None = None
    """The id of a completed draft, to make its full take. Prompt, media and seed are the draft's."""
    service_tier: str | None = None
    """`default` or `flex`. Seedance 1.x. The default is `default`."""
    frames: int | None = None
    """Length in frames, 25 + 4n, instead of `duration`. Seedance 1.0."""
    task_type: str | None = None
    """What Seedance 2.5 does with references: `auto`, `reference`, `edit` or `extend`. The default is `auto`."""
    metadata: dict[str, str] | None = None
    """Up to 16 texts of your own, given back with the video."""
    expires_after: int | None = None
    """How long the finished video is kept, in seconds: 3600 to 604800. The default is the installation's, `259200` (3
    days) if its operator did not change it."""
    max_cost: str | float | None = None
    """The most that the video may cost, such as `1.50`, in the account's currency. A create that may cost more is
    refused."""
    webhook_url: str | None = None
    """An address that is told once, by a signed POST, how the video ended. `POST /v1/webhook_secret/rotate` shows what
    signs it."""


def decode_video(body: Body) -> tuple[CreateVideo, list[Problem]]:
    """The fields of a body, and what is wrong with their types."""
    return decode(CreateVideo, _with_lists(body), strict=body.typed)


def _with_lists(body: Body) -> dict[str, Any]:
    """A form sends one image as `images`, where JSON has a list of one; its lists may be of one as well."""
    if body.typed:
        return body.values
    values: dict[str, Any] = {}
    for name, value in body.values.items():
        if name == "input_reference":
            several = cast("list[Any]", value) if isinstance(value, list) else [value]
            values[name] = several[0] if len(several) == 1 else several
        else:
            values[name] = [value] if name in MEDIA_LISTS and not isinstance(value, list) else value
    return values


def what_it_says(form: CreateVideo, files: list[Staged]) -> bytes:
    """What a create says, the same for the same, in whatever order and form it is said: a digest of each file in it."""
    # what JSON and a form say in two ways counts as one
    plain = {
        "seconds": None if form.seconds is None else str(form.seconds),
        "max_cost": None if form.max_cost is None else amount_of_number(form.max_cost),
    }
    fields = {name: value for name, value in (msgspec.structs.asdict(form) | plain).items() if value is not None}
    return msgspec.json.encode({name: _stable(value, files) for name, value in fields.items()}, order="sorted")


def _stable(value: Any, files: list[Staged]) -> Any:
    """A value as it counts for a fingerprint: an upload by what is in it."""
    if isinstance(value, Upload):
        with files[value.number].path.open("rb") as file:
            return {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    if isinstance(value, dict):
        return {
            str(key): _stable(part, files) for key, part in cast("dict[Any, Any]", value).items() if part is not None
        }
    if isinstance(value, list):
        return [_stable(part, files) for part in cast("list[Any]", value)]
    return value
