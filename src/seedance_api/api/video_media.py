"""The media of a create: each by an address, a file's id or a part of the form, in whatever way the body names it."""

from typing import Any, cast

import msgspec

from seedance_api.api.video_form import CreateVideo, MediaItem
from seedance_api.catalog.order import Kind
from seedance_api.catalog.request import Media
from seedance_api.foundation.errors import Problem
from seedance_api.foundation.ids import is_id
from seedance_api.references.source import ASSET, Source, is_asset
from seedance_api.web.assemble import PLAIN
from seedance_api.web.body import Body
from seedance_api.web.decode import decode
from seedance_api.web.forms import Upload

_MEDIA_MOST = 64
_URL_MOST = 1 << 16


def read_media(form: CreateVideo, body: Body, problems: list[Problem]) -> tuple[dict[Kind, list[Media]], list[Source]]:
    """The media that a body names, by kind, and where each comes from; adds to `problems` what is wrong with them."""
    sources: list[Source] = []
    media: dict[Kind, list[Media]] = {kind: [] for kind in Kind}
    for path, kind, value, role in _with_frames(_listed(form, problems), form, body):
        item = _read_item(value, path, kind, body, problems)
        if item is not None:
            source, own_role = item
            sources.append(source)
            media[kind].append(Media(kind=kind, role=own_role or role, path=path))
    return media, sources


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
        found += [(f"{name}[{at}]", kind, value, own) for at, value in enumerate(values[:_MEDIA_MOST])]
    return found


def _with_frames(
    listed: list[tuple[str, Kind, Any, str | None]], form: CreateVideo, body: Body
) -> list[tuple[str, Kind, Any, str | None]]:
    """Two pictures that a form sends as `images`, without roles, are the first and the last frame."""
    images = form.images or []
    if body.typed or len(listed) != 2 or len(images) != 2 or any(_has_role(value) for value in images):
        return listed
    return [(*medium[:3], role) for medium, role in zip(listed, ("first_frame", "last_frame"), strict=True)]


def _has_role(value: Any) -> bool:
    return isinstance(value, dict) and "role" in value


def _read_item(
    value: Any, path: str, kind: Kind, body: Body, problems: list[Problem]
) -> tuple[Source, str | None] | None:
    """Where a medium comes from, and the role that it names itself."""
    role = None
    if not body.typed and isinstance(value, dict):
        value, role = _apart(cast("dict[str, Any]", value))
    if isinstance(value, Upload):
        return Source(path=path, kind=kind, upload=body.files[value.number]), role
    if isinstance(value, str):
        value = value.strip() if len(value) < _URL_MOST else value  # what is longer is a data URL
        item = MediaItem(file_id=value, role=role) if is_id("file", value) else MediaItem(url=value, role=role)
    else:
        item = _decode_item(value, path, body, problems)
    if item is None:
        return None
    if item.url is None or not item.url.startswith(ASSET):
        return Source(path=path, kind=kind, url=item.url, file_id=item.file_id), item.role
    if not is_asset(item.url):
        message = f"`{path}` must read asset:// and an asset's id: up to 128 letters, digits, - and _."
        problems.append(Problem(path=path, code="bad_media", message=message))
        return None
    return Source(path=path, kind=kind, file_id=item.file_id, asset=item.url), item.role


def _decode_item(value: Any, path: str, body: Body, problems: list[Problem]) -> MediaItem | None:
    if not isinstance(value, dict):
        message = f"`{path}` must be an address, a file's id, or an object with `url` or `file_id`."
        problems.append(Problem(path=path, code="wrong_type", message=message))
        return None
    item, wrong = decode(MediaItem, cast("dict[str, Any]", value), strict=body.typed, path=path + ".")
    problems += wrong
    if wrong:
        return None
    url = item.url or item.image_url
    if (url is None) == (item.file_id is None):
        message = f"`{path}` needs exactly one of `url` and `file_id`."
        problems.append(Problem(path=path, code="missing", message=message))
    return None if url is None and item.file_id is None else msgspec.structs.replace(item, url=url)


def _apart(value: dict[str, Any]) -> tuple[Any, str | None]:
    """An item of a form as its value and its role; a file may stand in it by a name of its own, `images[0][file]`."""
    role = value.get("role")
    others = {name: part for name, part in value.items() if name != "role"}
    if (role is None or isinstance(role, str)) and len(others) == 1:
        (name, part), *_ = others.items()
        if name == PLAIN or (name == "file" and isinstance(part, Upload)):
            return part, role
    return value, None
