"""Asks for a video, after uploading what is still on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias, TypedDict, cast
from uuid import uuid4

import msgspec

from seedance.flow import Call, Flow
from seedance.money import amount_text
from seedance.objects import File, Quote, Video
from seedance.retry import Retries, decode, request
from seedance.upload import name_of, upload_file

Role: TypeAlias = Literal["first_frame", "last_frame", "reference"]
OnMediaUpload: TypeAlias = Callable[[str, int, int | None], object]


class Reference(TypedDict, total=False):
    """A reference with a role; exactly one of `url`, `file_id` and `file` says which.

    With a live key a `url` may also be `asset://` and the id of an asset that the upstream keeps.
    """

    url: str
    file_id: str
    file: Path | BinaryIO | File
    role: Role


Media: TypeAlias = str | Path | BinaryIO | File | Reference


class VideoOptions(TypedDict, total=False):
    """What a video can be asked for with; what is left out or None is the service's choice."""

    model: str | None
    duration: float | None
    seconds: str | int | None
    resolution: str | None
    ratio: str | None
    size: str | None
    images: Sequence[Media] | None
    videos: Sequence[Media] | None
    audios: Sequence[Media] | None
    seed: int | None
    generate_audio: bool | None
    camera_fixed: bool | None
    watermark: bool | None
    return_last_frame: bool | None
    draft: bool | None
    draft_id: str | None
    service_tier: str | None
    frames: int | None
    task_type: str | None
    metadata: dict[str, str] | None
    expires_after: int | None
    max_cost: str | float | Decimal | None
    webhook_url: str | None
    extra_body: dict[str, Any] | None


def create_video(
    prompt: str | None,
    options: VideoOptions,
    *,
    idempotency_key: str | None,
    on_upload: OnMediaUpload | None,
    retries: Retries,
) -> Flow[Video]:
    key = idempotency_key or str(uuid4())
    body = yield from build_body(prompt, options, key=key, on_upload=on_upload, retries=retries)
    reply = yield from request(post_json("/v1/videos", body, key), retries)
    return decode(reply, Video)


def quote_video(prompt: str | None, options: VideoOptions, *, retries: Retries) -> Flow[Quote]:
    key = str(uuid4())
    body = yield from build_body(prompt, options, key=key, on_upload=None, retries=retries)
    reply = yield from request(post_json("/v1/videos/quote", body, key), retries)
    return decode(reply, Quote)


def build_body(
    prompt: str | None,
    options: VideoOptions,
    *,
    key: str,
    on_upload: OnMediaUpload | None,
    retries: Retries,
) -> Flow[dict[str, Any]]:
    fields = {name: value for name, value in options.items() if value is not None}
    extra = cast("dict[str, Any]", fields.pop("extra_body", {}))
    body: dict[str, Any] = {} if prompt is None else {"prompt": prompt}
    for name, value in fields.items():
        if name in {"images", "videos", "audios"}:
            # Uploads get keys derived from the creation's: a repeat under the same key finds the same files.
            body[name] = yield from refer_all(as_media(name, value), f"{key}-{name}", on_upload, retries)
        elif name == "max_cost":
            body[name] = amount_text(cast("str | float | Decimal", value))
        else:
            body[name] = value
    return body | extra


def as_media(name: str, value: object) -> Sequence[Media]:
    if isinstance(value, str | bytes | Path | dict) or not isinstance(value, Sequence):
        raise TypeError(f"{name} takes a list")
    return cast("Sequence[Media]", value)


def refer_all(
    media: Sequence[Media], key: str, on_upload: OnMediaUpload | None, retries: Retries
) -> Flow[list[str | dict[str, str]]]:
    references: list[str | dict[str, str]] = []
    for index, item in enumerate(media):
        reference = yield from refer(item, f"{key}-{index}", on_upload, retries)
        references.append(reference)
    return references


def refer(item: Media, key: str, on_upload: OnMediaUpload | None, retries: Retries) -> Flow[str | dict[str, str]]:
    """What stands for `item` in the request: strings pass on, what is local is uploaded first."""
    if isinstance(item, str):
        return item
    if isinstance(item, dict):
        plain = {name: value for name, value in item.items() if name != "file"}
        local = item.get("file")
        if local is not None:
            plain["file_id"] = yield from file_id_of(local, key, on_upload, retries)
        return cast("dict[str, str]", plain)
    return (yield from file_id_of(item, key, on_upload, retries))


def file_id_of(item: Path | BinaryIO | File, key: str, on_upload: OnMediaUpload | None, retries: Retries) -> Flow[str]:
    if isinstance(item, File):
        return item.id
    name = name_of(item)
    progress = None if on_upload is None else partial(on_upload, name)
    file = yield from upload_file(item, idempotency_key=key, on_progress=progress, retries=retries)
    return file.id


def post_json(path: str, body: dict[str, Any], key: str) -> Call:
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    return Call("POST", path, headers=headers, body=msgspec.json.encode(body))
