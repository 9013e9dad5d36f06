"""Read what the vendor answers. Total: whatever comes, it is a task, a page or nothing, and never an exception.

The fields: ModelArk and Volcengine 82379/1521309 (get), 82379/1521675 (list).
"""

import re
from typing import cast

import msgspec

from seedance_api.providers.ark.errors import why_failed
from seedance_api.providers.ark.said import cut, fitting, flag, members, read_json, text, whole
from seedance_api.providers.provider import Check, Done, Failed, Original, Output, Pending, Unseen

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
"""What may stand in an address as a task's id. Real ones are `cgt-20261003224324-vdy12` and `cgt-batch-…`."""

_MAX_URL = 8192
_RATIO = re.compile(r"[0-9]{1,4}:[0-9]{1,4}", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9_-]{1,16}", re.ASCII)


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A task as far as it could be read. Times are Unix seconds by the vendor's clock."""

    id: str
    model: str | None = None
    status: str | None = None
    error: Original | None = None
    created_at: int | None = None
    updated_at: int | None = None
    video_url: str | None = None
    last_frame_url: str | None = None
    tokens: int | None = None
    seed: int | None = None
    resolution: str | None = None
    ratio: str | None = None
    duration: int | None = None
    frames: int | None = None
    service_tier: str | None = None
    expires_after: int | None = None
    customer: str | None = None
    generate_audio: bool | None = None
    draft: bool | None = None
    draft_task: str | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a list, in the vendor's order. Not `clean` when something in it could not be read as a task."""

    tasks: tuple[Task, ...]
    total: int | None = None
    clean: bool = True
    now: int | None = None
    """The vendor's clock when it answered, in Unix seconds, where it said."""


def read_id(body: bytes) -> str | None:
    """The id in the answer to a create."""
    said = members(read_json(body)).get("id")
    return said if isinstance(said, str) and ID.fullmatch(said) else None


def read_task(said: object) -> Task | None:
    """A task; None where there is no id that could be one."""
    parts = members(said)
    name = parts.get("id")
    if not isinstance(name, str) or not ID.fullmatch(name):
        return None
    content, usage = members(parts.get("content")), members(parts.get("usage"))
    return Task(
        id=name,
        model=text(parts.get("model"), 200),
        status=text(parts.get("status"), 40),
        error=_error(parts.get("error")) or _error(parts.get("failure_reason")),
        created_at=whole(parts.get("created_at")),
        updated_at=whole(parts.get("updated_at")),
        video_url=text(content.get("video_url"), _MAX_URL),
        last_frame_url=text(content.get("last_frame_url"), _MAX_URL),
        tokens=whole(usage.get("completion_tokens")),
        seed=whole(parts.get("seed")),
        resolution=fitting(_WORD, parts.get("resolution")),
        ratio=fitting(_RATIO, parts.get("ratio")),
        duration=whole(parts.get("duration")),
        frames=whole(parts.get("frames")),
        service_tier=fitting(_WORD, parts.get("service_tier")),
        expires_after=whole(parts.get("execution_expires_after")),
        customer=text(parts.get("safety_identifier"), 200),
        generate_audio=flag(parts.get("generate_audio")),
        draft=flag(parts.get("draft")),
        draft_task=fitting(ID, parts.get("draft_task_id")),
    )


def read_page(body: bytes, now: int | None = None) -> Page | None:
    """A page of a list; None where it is none."""
    parts = members(read_json(body))
    items = parts.get("items")
    if items is None and whole(parts.get("total")) == 0:
        items = []
    if not isinstance(items, list):
        return None
    said = cast("list[object]", items)
    tasks = tuple(task for item in said if (task := read_task(item)) is not None)
    return Page(tasks=tasks, total=whole(parts.get("total")), clean=len(tasks) == len(said), now=now)


def as_check(task: Task) -> Check:
    """How a task stands. An unknown state is no end: nothing follows from it."""
    match task.status:
        case "queued":
            return Pending(begun=False)
        case "running":
            return Pending()
        case "succeeded":
            return Done(_output(task))
        case "failed":
            return why_failed(task.error or Original())
        case "expired":
            return Failed("deadline_exceeded", "The provider did not finish the video before its deadline.")
        case "cancelled":
            return Failed("canceled", "The video was canceled.")
        case _:
            return Unseen("the provider named a state that is not known")


def _output(task: Task) -> Output:
    return Output(
        seconds=None if task.duration is None else float(task.duration),
        frames=task.frames,
        resolution=task.resolution.lower() if task.resolution else None,
        ratio=task.ratio,
        seed=task.seed,
        tokens=task.tokens,
        last_frame=task.last_frame_url is not None,
    )


def _error(said: object) -> Original | None:
    if isinstance(said, str):
        return Original(message=said[:1000]) if said else None
    parts = members(said)
    if not parts:
        return None
    return Original(code=text(parts.get("code"), 200), message=cut(parts.get("message"), 1000))
