"""A task, and what the API tells of it."""

import copy
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from fakes.ark.intake.order import Order
from fakes.ark.plan import Plan


class Status(StrEnum):
    """The states."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.EXPIRED, Status.CANCELLED})


@dataclass(slots=True)
class Effects:
    """What a script does to one task."""

    stuck: bool = False
    backwards: bool = False
    """Succeeded, then running again, then succeeded: to those who look."""
    looks: int = 0
    changes: dict[str, Any] = field(default_factory=dict[str, Any])
    removals: list[str] = field(default_factory=list[str])


@dataclass(slots=True, eq=False)
class Task:
    """One task."""

    id: str
    account: str
    order: Order
    plan: Plan
    lane: tuple[str, ...]
    created: float
    updated: float
    status: Status = Status.QUEUED
    error: dict[str, str] | None = None
    video_url: str | None = None
    last_frame_url: str | None = None
    effects: Effects = field(default_factory=Effects)
    encoded: bytes | None = None
    """What is told of it, until it changes."""

    def forget(self) -> None:
        """Make what is told of it anew."""
        self.encoded = None


def encode(task: Task) -> bytes:
    """The object as JSON."""
    if task.encoded is None or task.effects.backwards:
        body = msgspec.json.encode(show(task))
        if task.effects.backwards:
            return body
        task.encoded = body
    return task.encoded


def show(task: Task, *, counts: bool = True) -> dict[str, Any]:
    """The object, with what a script has changed; `counts` as a look at it."""
    status = _status_to_show(task) if counts else task.status
    shown = _early(task, status)
    if status not in {Status.QUEUED, Status.RUNNING}:
        shown |= _echoes(task)
    if status is Status.SUCCEEDED:
        shown |= _result(task)
    if status is Status.FAILED:
        shown["error"] = shown["failure_reason"] = task.error
    return change(shown, task.effects.changes, task.effects.removals)


def _status_to_show(task: Task) -> Status:
    if task.effects.backwards and task.status is Status.SUCCEEDED:
        task.effects.looks += 1
        if task.effects.looks == 2:
            return Status.RUNNING
    return task.status


def _early(task: Task, status: Status) -> dict[str, Any]:
    order = task.order
    shown: dict[str, Any] = {
        "id": task.id,
        "model": order.model_id,
        "status": status.value,
        "created_at": int(task.created),
        "updated_at": int(task.updated),
        "service_tier": order.service_tier,
        "execution_expires_after": order.expires_after,
    }
    if order.safety_identifier is not None:
        shown["safety_identifier"] = order.safety_identifier
    return shown


def _echoes(task: Task) -> dict[str, Any]:
    order, plan = task.order, task.plan
    shown: dict[str, Any] = {
        "seed": plan.seed,
        "resolution": order.resolution,
        "ratio": plan.ratio,
        "framespersecond": 24,
    }
    shown |= {"frames": order.frames} if order.frames else {"duration": plan.seconds}
    if order.model.audio and order.model.family != "2.0 mini":
        shown["generate_audio"] = order.generate_audio
    if order.model.is_second:
        shown["priority"] = order.priority
    if order.model.is_second or order.model.draft:
        shown["draft"] = order.draft
    if order.model.family == "2.5":
        shown["output_format"] = order.output_format
    if order.draft_task_id:
        shown["draft_task_id"] = order.draft_task_id
    return shown


def _result(task: Task) -> dict[str, Any]:
    content = {"video_url": task.video_url}
    if task.last_frame_url:
        content["last_frame_url"] = task.last_frame_url
    usage: dict[str, Any] = {"completion_tokens": task.plan.tokens, "total_tokens": task.plan.tokens}
    shown: dict[str, Any] = {"content": content, "usage": usage}
    if task.order.web_search:
        usage["tool_usage"] = {"web_search": 1}
        shown["tools"] = [{"type": "web_search"}]
    return shown


def change(shown: dict[str, Any], changes: dict[str, Any], removals: list[str]) -> dict[str, Any]:
    """Set and remove fields by dotted paths."""
    for path, value in changes.items():
        holder, name = _holder(shown, path)
        holder[name] = copy.deepcopy(value)
    for path in removals:
        holder, name = _holder(shown, path)
        holder.pop(name, None)
    return shown


def _holder(shown: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    *way, name = path.split(".")
    for step in way:
        inner = shown.get(step)
        if not isinstance(inner, dict):
            inner = shown[step] = {}
        shown = inner  # pyright: ignore[reportUnknownVariableType] JSON
    return shown, name
