"""Understanding a create: from a decoded body, JSON or form, to what the verb takes, with everything wrong in it."""

import hashlib
from typing import Any, cast

import msgspec

from seedance_api.api.webhook_forms import check_url
from seedance_api.catalog import check as catalog
from seedance_api.catalog.characters import find_control
from seedance_api.catalog.order import Kind
from seedance_api.catalog.request import Media, Request
from seedance_api.catalog.words import got
from seedance_api.foundation.errors import Problem
from seedance_api.foundation.ids import is_id
from seedance_api.foundation.money import amount_of_number
from seedance_api.foundation.outbound import Outbound
from seedance_api.generations.accept import refusal
from seedance_api.generations.create import CreateGeneration
from seedance_api.references.admit import ASSET, Source, is_asset
from seedance_api.references.inspect import Staged
from seedance_api.web.assemble import PLAIN
from seedance_api.web.body import MEDIA_LISTS, Body
from seedance_api.web.decode import decode
from seedance_api.web.forms import Upload

_MEDIA_MOST = 64
_URL_MOST = 1 << 16


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


class Asked(msgspec.Struct, frozen=True):
    """A create as the verb takes it, and as it was said: `fields` are those that are there."""

    wish: CreateGeneration
    fields: dict[str, Any]


def understand(body: Body, posting: Outbound) -> Asked:
    """What a decoded body asks for. Raises AppError with every field that is wrong."""
    form, problems = decode(CreateVideo, _with_lists(body), strict=body.typed)
    request, sources = _media(form, body, problems)
    _check_own_fields(form, problems)
    if form.webhook_url is not None:
        problems += check_url(form.webhook_url, "webhook_url", posting)
    if problems:
        raise refusal([*problems, *_catalogue_problems(form, request, problems)])
    wish = CreateGeneration(
        request=request,
        sources=tuple(sources),
        draft_id=form.draft_id,
        metadata=form.metadata or {},
        keep_seconds=form.expires_after,
        max_cost=None if form.max_cost is None else amount_of_number(form.max_cost),
        webhook_url=form.webhook_url,
    )
    # what JSON and a form say in two ways counts as one
    plain = {"seconds": None if form.seconds is None else str(form.seconds), "max_cost": wish.max_cost}
    fields = msgspec.structs.asdict(form) | plain
    return Asked(wish, {name: value for name, value in fields.items() if value is not None})


def _catalogue_problems(form: CreateVideo, request: Request, problems: list[Problem]) -> list[catalog.Problem]:
    """What else is wrong, so that the caller hears everything at once; a field that has a problem has one only."""
    if form.draft_id is not None:
        return []
    found = catalog.check(request)
    named = {problem.path.split("[")[0].split(".")[0] for problem in problems}
    return [] if isinstance(found, catalog.Accepted) else [one for one in found if one.path.split("[")[0] not in named]


def what_it_says(asked: Asked, files: list[Staged]) -> bytes:
    """What a create says, the same for the same, in whatever order and form it is said: a digest of each file in it."""
    said = {name: _stable(value, files) for name, value in asked.fields.items()}
    return msgspec.json.encode(said, order="sorted")


def _check_own_fields(form: CreateVideo, problems: list[Problem]) -> None:
    if form.ratio and form.aspect_ratio and form.ratio != form.aspect_ratio:
        problems.append(
            Problem(path="aspect_ratio", code="conflict", message="`aspect_ratio` contradicts `ratio`; send only one.")
        )
    if form.expires_after is not None and not 3600 <= form.expires_after <= 604_800:
        message = f"`expires_after` must be 3600 to 604800 seconds{got(form.expires_after)}."
        problems.append(Problem(path="expires_after", code="out_of_range", message=message, allowed="3600 to 604800"))
    if form.max_cost is not None:
        try:
            amount_of_number(form.max_cost)
        except ValueError as error:
            message = f"`max_cost` {error}{got(form.max_cost)}."
            problems.append(Problem(path="max_cost", code="out_of_range", message=message))
    entries = form.metadata or {}
    if len(entries) > 16 or any(not 0 < len(key) <= 64 or len(value) > 512 for key, value in entries.items()):
        message = "`metadata` takes at most 16 entries, keys of 1 to 64 and values of up to 512 characters."
        problems.append(Problem(path="metadata", code="out_of_range", message=message))
        return
    for at, (key, value) in enumerate(entries.items(), start=1):
        found = find_control(key) or find_control(value)
        if found is not None:
            part = "key" if find_control(key) else "value"
            message = f"`metadata`: the {part} of entry {at} holds {found}; of those only line feed and tab are taken."
            problems.append(Problem(path="metadata", code="unsupported_value", message=message))


def _media(form: CreateVideo, body: Body, problems: list[Problem]) -> tuple[Request, list[Source]]:
    sources: list[Source] = []
    media: dict[Kind, list[Media]] = {kind: [] for kind in Kind}
    for path, kind, value, role in _with_frames(_listed(form, problems), form, body):
        item = _item(value, path, body, problems)
        if item is None:
            continue
        url, file_id, upload, own_role = item
        asset = url if url is not None and url.startswith(ASSET) else None
        if asset is not None and not is_asset(asset):
            message = f"`{path}` must read asset:// and an asset's id: up to 128 letters, digits, - and _."
            problems.append(Problem(path=path, code="bad_media", message=message))
            continue
        sources.append(
            Source(path=path, kind=kind, url=None if asset else url, file_id=file_id, upload=upload, asset=asset)
        )
        media[kind].append(Media(kind=kind, role=own_role or role, path=path))
    request = Request(
        model=form.model,
        prompt=form.prompt,
        duration=form.duration,
        seconds=form.seconds,
        resolution=form.resolution,
        ratio=form.ratio or form.aspect_ratio,
        size=form.size,
        images=media[Kind.IMAGE],
        videos=media[Kind.VIDEO],
        audios=media[Kind.AUDIO],
        seed=form.seed,
        generate_audio=form.generate_audio,
        camera_fixed=form.camera_fixed,
        watermark=form.watermark,
        return_last_frame=form.return_last_frame,
        draft=form.draft,
        service_tier=form.service_tier,
        frames=form.frames,
        task_type=form.task_type,
    )
    return request, sources


def _listed(form: CreateVideo, problems: list[Problem]) -> list[tuple[str, Kind, Any, str | None]]:
    """Every medium with its path and kind. OpenAI's `input_reference` is a first frame, several are references."""
    given = form.input_reference
    found = (
        [("input_reference", Kind.IMAGE, given, "first_frame")]
        if given is not None and not isinstance(given, list)
        else []
    )
    several: list[Any] = cast("list[Any]", given) if isinstance(given, list) else []
    role = "reference" if len(several) > 1 else "first_frame"
    for name, kind, values, own in (
        ("input_reference", Kind.IMAGE, several, role),
        ("images", Kind.IMAGE, form.images or [], None),
        ("videos", Kind.VIDEO, form.videos or [], None),
        ("audios", Kind.AUDIO, form.audios or [], None),
    ):
        if len(values) > _MEDIA_MOST:
            message = f"`{name}` has {len(values)} entries; no model takes more than {_MEDIA_MOST}."
            problems.append(Problem(path=name, code="too_many", message=message, allowed=f"at most {_MEDIA_MOST}"))
        found += [(f"{name}[{at}]", kind, one, own) for at, one in enumerate(values[:_MEDIA_MOST])]
    return found


def _with_frames(
    listed: list[tuple[str, Kind, Any, str | None]], form: CreateVideo, body: Body
) -> list[tuple[str, Kind, Any, str | None]]:
    """Two pictures that a form sends as `images`, without roles, are the first and the last frame."""
    images = form.images or []
    if body.typed or len(listed) != 2 or len(images) != 2 or any(_has_role(value) for value in images):
        return listed
    return [(*one[:3], role) for one, role in zip(listed, ("first_frame", "last_frame"), strict=True)]


def _has_role(value: Any) -> bool:
    return isinstance(value, dict) and "role" in value


def _item(
    value: Any, path: str, body: Body, problems: list[Problem]
) -> tuple[str | None, str | None, Staged | None, str | None] | None:
    role = None
    if not body.typed and isinstance(value, dict):
        value, role = _apart(cast("dict[str, Any]", value))
    if isinstance(value, Upload):
        return None, None, body.files[value.number], role
    if isinstance(value, str):
        value = value.strip() if len(value) < _URL_MOST else value  # what is longer is a data URL
        return (None, value, None, role) if is_id("file", value) else (value, None, None, role)
    if not isinstance(value, dict):
        message = f"`{path}` must be an address, a file's id, or an object with `url` or `file_id`."
        problems.append(Problem(path=path, code="wrong_type", message=message))
        return None
    item, wrong = decode(MediaItem, cast("dict[str, Any]", value), strict=body.typed, path=path + ".")
    problems += wrong
    url = item.url or item.image_url
    if not wrong and (url is None) == (item.file_id is None):
        message = f"`{path}` needs exactly one of `url` and `file_id`."
        problems.append(Problem(path=path, code="missing", message=message))
    return None if wrong or (url is None and item.file_id is None) else (url, item.file_id, None, item.role)


def _apart(value: dict[str, Any]) -> tuple[Any, str | None]:
    """An item of a form as its value and its role; a file may stand in it by a name of its own, `images[0][file]`."""
    role = value.get("role")
    others = {name: one for name, one in value.items() if name != "role"}
    if (role is None or isinstance(role, str)) and len(others) == 1:
        (name, one), *_ = others.items()
        if name == PLAIN or (name == "file" and isinstance(one, Upload)):
            return one, role
    return value, None


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


def _stable(value: Any, files: list[Staged]) -> Any:
    """A value as it counts for a fingerprint: an upload by what is in it."""
    if isinstance(value, Upload):
        with files[value.number].path.open("rb") as file:
            return {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    if isinstance(value, dict):
        return {str(key): _stable(one, files) for key, one in cast("dict[Any, Any]", value).items() if one is not None}
    if isinstance(value, list):
        return [_stable(one, files) for one in cast("list[Any]", value)]
    return value
