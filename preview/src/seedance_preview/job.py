"""A job and its result: all that is said between the renderer and whoever has it run."""

from typing import Literal

import msgspec


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of input media, and the file of the job's folder that holds it."""

    file: str
    kind: Literal["image", "video", "audio"]
    role: Literal["first_frame", "last_frame", "reference"]
    media_type: str = ""
    seconds: float | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One video to make, in `job.json`. The same job makes the same bytes.

    Sizes in pixels; `frames` is None where `seconds` says how long it is, and that is -1 where the length is free.
    """

    prompt: str
    inputs: tuple[Input, ...] = ()
    width: int
    height: int
    frames: int | None = None
    seconds: int = -1
    seed: int
    task: Literal["auto", "reference", "edit", "extend"] = "auto"
    sound: bool = False
    camera_fixed: bool = False
    watermark: bool = False
    draft: bool = False
    last_frame: bool = False
    slow_seconds: int = 0
    """The render takes at least that long."""
    fails: bool = False
    """It breaks off after a third."""
    cut: bool = False
    """The finished file is cut off in the middle."""


class Rendered(msgspec.Struct, frozen=True, tag="rendered"):
    """`video.mp4` is there, and `last_frame.png` where it was wanted."""

    frames: int
    seconds: float


class NotRendered(msgspec.Struct, frozen=True, tag="not_rendered"):
    """There is no video, and why."""

    reason: Literal["failed", "input_unreadable"]


Result = Rendered | NotRendered
"""What `result.json` holds."""
