"""Decide at create what a task comes to: its pixels, length, tokens, how long it takes, and whether it fails."""

import random
from dataclasses import dataclass

from fakes.ark import moderation, pixels, tokens
from fakes.ark.intake.order import Order

_MISREAD_SECONDS = 20.0
_QUEUE_SECONDS = (1.0, 6.0)
_FLEX_SECONDS = (900.0, 1800.0)
_PIXELS = {"480p": 0.8, "720p": 1.0, "1080p": 1.4, "4k": 2.5}


@dataclass(frozen=True, slots=True)
class Seen:
    """What the references showed."""

    shape: float | None = None
    """Width by height of what an adaptive ratio follows."""
    input_seconds: int = 0
    """Of all videos together."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a task comes to."""

    width: int
    height: int
    ratio: str
    seconds: int
    frame_count: int
    tokens: int
    seed: int
    input_seconds: int
    queue_seconds: float
    run_seconds: float
    error: dict[str, str] | None
    stuck: bool


def decide(order: Order, seen: Seen, rng: random.Random, pace: tuple[float, float] | None, draft: Plan | None) -> Plan:
    """The plan of a new task. `draft` is the plan of the draft which it is the final of."""
    seed = draft.seed if draft else order.seed if order.seed >= 0 else rng.getrandbits(31)
    ratio, (width, height) = _size(order, seen, draft)
    input_seconds = draft.input_seconds if draft else seen.input_seconds
    seconds = draft.seconds if draft else _seconds(order, input_seconds, rng)
    extends = "extend" in {order.task_type, order.content.spell.reads}
    frame_count = order.frames or 24 * seconds + (0 if extends else 1)
    error = _error(order)
    return Plan(
        width=width, height=height, ratio=ratio, seconds=seconds, frame_count=frame_count, seed=seed, error=error,
        tokens=_tokens(order, (width, height), seconds, input_seconds, extends=extends), input_seconds=input_seconds,
        queue_seconds=rng.uniform(*(_FLEX_SECONDS if order.service_tier == "flex" else _QUEUE_SECONDS)),
        run_seconds=_run_seconds(order, seconds, error, rng, pace), stuck=order.content.spell.stuck,
    )  # fmt: skip


def _size(order: Order, seen: Seen, draft: Plan | None) -> tuple[str, tuple[int, int]]:
    family, resolution = order.model.family, order.resolution
    if draft:
        ratio = order.ratio if order.ratio != "adaptive" else draft.ratio
        return ratio, pixels.size(family, resolution, ratio)
    if order.ratio != "adaptive":
        return order.ratio, pixels.size(family, resolution, order.ratio)
    if seen.shape is None:
        return "16:9", pixels.size(family, resolution, "16:9")
    return pixels.nearest(family, resolution, seen.shape)


def _seconds(order: Order, input_seconds: int, rng: random.Random) -> int:
    if order.seconds > 0:
        return order.seconds
    model = order.model
    if "edit" in {order.task_type, order.content.spell.reads} and input_seconds:
        return min(max(input_seconds, model.shortest), model.longest)
    return rng.randint(max(model.shortest, 5), min(model.longest, 10))


def _tokens(order: Order, size: tuple[int, int], seconds: int, input_seconds: int, *, extends: bool) -> int:
    width, height = size
    if order.frames:
        return tokens.billed_by_frames(width, height, order.frames)
    count = tokens.billed(width, height, seconds=seconds, input_seconds=input_seconds, extends=extends)
    if order.draft and order.model.family == "1.5":
        return count * (6 if order.generate_audio else 7) // 10
    return count


def _error(order: Order) -> dict[str, str] | None:
    spell = order.content.spell
    if spell.fail:
        return moderation.failure(spell.fail)
    reads = spell.reads
    if reads is None or order.model.family != "2.5" or order.mode != "r2v":
        return None
    if order.task_type not in {"auto", reads}:
        return _misread("InvalidParameter.TaskTypeMismatch", reads)
    if order.fixes_ratio and reads in {"edit", "extend"}:
        return _misread("InvalidParameter.TaskTypeConstraint", reads)
    if order.fixes_seconds and reads == "edit":
        return _misread("InvalidParameter.TaskTypeConstraint", reads)
    return None


def _misread(code: str, reads: str) -> dict[str, str]:
    return {"code": code, "message": f"The request was taken for {reads}, which its parameters do not allow."}


def _run_seconds(
    order: Order,
    seconds: int,
    error: dict[str, str] | None,
    rng: random.Random,
    pace: tuple[float, float] | None,
) -> float:
    chance = rng.uniform(0.75, 1.4)
    if order.content.spell.seconds is not None:
        return order.content.spell.seconds
    if pace is not None:
        return rng.uniform(*pace)
    if error and error["code"].startswith("InvalidParameter"):
        return _MISREAD_SECONDS
    return order.model.seconds_per_second * seconds * _PIXELS[order.resolution] * chance
