"""The plan of one video: everything that is decided before the first frame is painted."""

import hashlib
from dataclasses import dataclass
from enum import Enum, auto
from math import gcd

import numpy as np
from msgspec import structs

from seedance_api.catalog import tokens
from seedance_api.catalog.order import Kind, Order, Role, TaskType
from seedance_api.providers.provider import Commission, Input, Output
from seedance_api.providers.sandbox.magic import without_magic

FPS = 24
_RATIOS = {"16:9": 16 / 9, "4:3": 4 / 3, "1:1": 1.0, "3:4": 3 / 4, "9:16": 9 / 16, "21:9": 21 / 9}


class Shot(Enum):
    """How the inputs make the picture."""

    SCENE = auto()  # nothing but the prompt; references float before it
    FROM_PICTURE = auto()
    BETWEEN_PICTURES = auto()
    EDIT = auto()
    EXTEND = auto()


@dataclass(frozen=True)
class Plan:
    """Sizes in pixels; `seed` is the one really used."""

    order: Order
    prompt: str
    shot: Shot
    seed: int
    frames: int

    @property
    def seconds(self) -> float:
        """The length of the video."""
        return self.frames / FPS

    def draw(self, purpose: str) -> np.random.Generator:
        """A source of chance of its own for each purpose, fixed by the prompt and the seed."""
        digest = hashlib.sha256(f"{self.seed}\n{purpose}\n{self.prompt}".encode()).digest()
        return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def make_plan(commission: Commission) -> Plan:
    """Decide the shot, the seed and the number of frames."""
    order = commission.order
    prompt = without_magic(commission.prompt)
    seed = order.seed if order.seed >= 0 else _pick_seed(commission.attempt_id)
    plan = Plan(order=order, prompt=prompt, shot=_choose_shot(commission), seed=seed, frames=order.frames or 0)
    if plan.frames:
        return plan
    seconds = order.duration if order.duration > 0 else _pick_seconds(plan, commission.inputs)
    return Plan(order=order, prompt=prompt, shot=plan.shot, seed=seed, frames=FPS * seconds + 1)


def describe(plan: Plan, *, input_video_seconds: float, last_frame: bool) -> Output:
    """What the finished video is."""
    order = plan.order
    return Output(
        width=order.width,
        height=order.height,
        seconds=plan.seconds,
        frames=plan.frames,
        resolution=order.resolution,
        ratio=_name_ratio(order.width, order.height) if order.ratio == "adaptive" else order.ratio,
        seed=plan.seed,
        tokens=_count_tokens(plan, input_video_seconds),
        last_frame=last_frame,
    )


def _choose_shot(commission: Commission) -> Shot:
    """Read the inputs and not the mode: the final take of a draft is made like the draft was."""
    roles = {i.role for i in commission.inputs if i.kind is Kind.IMAGE}
    if Role.FIRST_FRAME in roles:
        return Shot.BETWEEN_PICTURES if Role.LAST_FRAME in roles else Shot.FROM_PICTURE
    if any(i.kind is Kind.VIDEO for i in commission.inputs):
        if commission.order.task_type is TaskType.EDIT:
            return Shot.EDIT
        if commission.order.task_type is TaskType.EXTEND:
            return Shot.EXTEND
    return Shot.SCENE


def _pick_seed(attempt_id: str) -> int:
    """The same for one attempt for ever, so that a render begun again is the same render."""
    return int.from_bytes(hashlib.sha256(attempt_id.encode()).digest()[:4], "big") & 0x7FFFFFFF


def _pick_seconds(plan: Plan, inputs: tuple[Input, ...]) -> int:
    if plan.shot is Shot.EDIT:
        length = next((i.seconds for i in inputs if i.kind is Kind.VIDEO and i.seconds), 4.0)
        return min(max(round(length), 4), 30)
    return 4 + int(plan.draw("seconds").integers(5))


def _name_ratio(width: int, height: int) -> str:
    name, ratio = min(_RATIOS.items(), key=lambda item: abs(item[1] - width / height))
    if abs(ratio - width / height) / ratio < 0.015:
        return name
    common = gcd(width, height)
    return f"{width // common}:{height // common}"


def _count_tokens(plan: Plan, input_video_seconds: float) -> int:
    """What the vendor would bill for this very video."""
    made = structs.replace(plan.order, seconds=(plan.frames - 1) / FPS, input_video_seconds=input_video_seconds)
    return tokens.estimate(made).expected
