"""The plan of one video: everything that is decided before the first frame is painted."""

import hashlib
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from seedance_preview.job import Job

FPS = 24


class Shot(Enum):
    """How the inputs make the picture."""

    SCENE = auto()  # nothing but the prompt; references float before it
    FROM_PICTURE = auto()
    BETWEEN_PICTURES = auto()
    EDIT = auto()
    EXTEND = auto()


@dataclass(frozen=True)
class Plan:
    """A job, with nothing left open."""

    job: Job
    shot: Shot
    frames: int

    @property
    def seconds(self) -> float:
        """The length of the video."""
        return self.frames / FPS

    def draw(self, purpose: str) -> np.random.Generator:
        """A source of chance of its own for each purpose, fixed by the prompt and the seed."""
        digest = hashlib.sha256(f"{self.job.seed}\n{purpose}\n{self.job.prompt}".encode()).digest()
        return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def make_plan(job: Job) -> Plan:
    """Decide the shot and the number of frames."""
    plan = Plan(job=job, shot=_choose_shot(job), frames=job.frames or 0)
    if plan.frames:
        return plan
    seconds = job.seconds if job.seconds > 0 else _pick_seconds(plan)
    return Plan(job=job, shot=plan.shot, frames=FPS * seconds + 1)


def _choose_shot(job: Job) -> Shot:
    """Read the inputs first: the final take of a draft is made like the draft was."""
    roles = {given.role for given in job.inputs if given.kind == "image"}
    if "first_frame" in roles:
        return Shot.BETWEEN_PICTURES if "last_frame" in roles else Shot.FROM_PICTURE
    if any(given.kind == "video" for given in job.inputs):
        if job.task == "edit":
            return Shot.EDIT
        if job.task == "extend":
            return Shot.EXTEND
    return Shot.SCENE


def _pick_seconds(plan: Plan) -> int:
    if plan.shot is Shot.EDIT:
        length = next((given.seconds for given in plan.job.inputs if given.kind == "video" and given.seconds), 4.0)
        return min(max(round(length), 4), 30)
    return 4 + int(plan.draw("seconds").integers(5))
