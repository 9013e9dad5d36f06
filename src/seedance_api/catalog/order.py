"""An order: what a request means once the catalogue has accepted it."""

from enum import StrEnum

import msgspec


class Mode(StrEnum):
    """How the inputs are used. The names are the vendor's own."""

    TEXT = "t2v"
    FIRST_FRAME = "i2v"
    FIRST_LAST = "flf2v"
    REFERENCE = "r2v"
    FINAL = "final"  # the full-quality take of an earlier draft


class Kind(StrEnum):
    """What a piece of input media is."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


class Role(StrEnum):
    """What a piece of input media is for."""

    FIRST_FRAME = "first_frame"
    LAST_FRAME = "last_frame"
    REFERENCE = "reference"


class TaskType(StrEnum):
    """What Seedance 2.5 is to do with reference media; `auto` lets the prompt decide."""

    AUTO = "auto"
    REFERENCE = "reference"
    EDIT = "edit"
    EXTEND = "extend"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A checked and normalised request: every default is filled in, every number is definite.

    `ratio` and `duration` say what was asked and may be `adaptive` and -1 (the model decides).
    `width`, `height` (pixels) and `seconds` say what is expected of the output; a quote is made from them.
    """

    model: str
    mode: Mode
    task_type: TaskType = TaskType.AUTO
    resolution: str
    ratio: str
    width: int
    height: int
    duration: int
    frames: int | None = None
    seconds: float
    seed: int
    generate_audio: bool
    camera_fixed: bool = False
    watermark: bool = False
    return_last_frame: bool = False
    draft: bool = False
    service_tier: str = "default"
    input_video_seconds: float = 0.0
