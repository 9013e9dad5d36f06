"""Video tokens: the vendor's unit of billing, computed exactly.

Source: ModelArk 1544106 (pricing) for the published estimate and the minimum with video input; the extra
frame and the truncation were measured on the live service and reproduce every known bill.
"""

from fractions import Fraction
from functools import lru_cache
from math import ceil, floor

import msgspec

from seedance_api.catalog.capabilities import Model
from seedance_api.catalog.models import find
from seedance_api.catalog.order import Order, TaskType
from seedance_api.catalog.pixels import ADAPTIVE, largest_area

FPS = 24
PIXELS_PER_TOKEN = 1024

# `adaptive` output may leave the table and exceed its largest area by a few pixels; 1 % is ample.
_OFF_TABLE = Fraction(101, 100)

Seconds = int | float | Fraction


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What a generation should cost, and the most that it can."""

    expected: int
    """What it should take."""
    most: int
    """What no generation of this request exceeds."""


def estimate(order: Order) -> Tokens:
    """The tokens of an order. `most` allows for whatever was left to the model: the length, the shape."""
    return _estimate(msgspec.structs.replace(order, seed=-1))  # all else being equal, a seed changes nothing


@lru_cache(maxsize=4096)
def _estimate(order: Order) -> Tokens:
    model = find(order.model)
    if model is None:
        raise ValueError("an order names a model of the catalogue")
    percent = _draft_percent(order, model)
    return Tokens(
        expected=floor(Fraction(_expected(order) * percent, 100)),
        most=ceil(Fraction(_maximum(order, model) * percent, 100)),
    )


def _expected(order: Order) -> int:
    if order.frames is not None:
        return of_frames(order.width, order.height, order.frames)
    return billed(
        order.width,
        order.height,
        order.seconds,
        order.input_video_seconds,
        extra_frame=order.task_type is not TaskType.EXTEND,  # measured once: 530×794, 5 s + 5 s, 98 629
    )


def _maximum(order: Order, model: Model) -> int:
    area = order.width * order.height
    if order.ratio == ADAPTIVE:
        area = max(area, ceil(largest_area(model, order.resolution) * _OFF_TABLE))
    if order.frames is not None:
        return of_frames(area, 1, order.frames)
    # Whether part seconds of input are rounded is not known: take them as whole ones.
    return billed(area, 1, _max_seconds(order, model), ceil(order.input_video_seconds))


def _max_seconds(order: Order, model: Model) -> int:
    if order.duration != -1:
        return ceil(order.seconds)
    longest = model.capabilities.duration.most
    if order.task_type is TaskType.EDIT:  # the output follows the edited clip, which is one of the inputs
        return min(longest, max(ceil(order.input_video_seconds), ceil(order.seconds)))
    return longest


def _draft_percent(order: Order, model: Model) -> int:
    draft = model.capabilities.draft
    if not order.draft or draft is None:
        return 100
    return draft.audio_percent if order.generate_audio else draft.silent_percent


def billed(
    width: int, height: int, seconds: Seconds, input_video_seconds: Seconds = 0, *, extra_frame: bool = True
) -> int:
    """What the vendor bills: input and output, one frame more, and with video input at least the floor."""
    frames = FPS * (exact(seconds) + exact(input_video_seconds)) + extra_frame
    floor_tokens = minimum(width, height, seconds) if input_video_seconds > 0 else 0
    return max(of_frames(width, height, frames), floor_tokens)


def minimum(width: int, height: int, seconds: Seconds) -> int:
    """The floor under any generation with video input: five thirds of its length, in whole seconds."""
    return of_frames(width, height, FPS * ceil(exact(seconds) * Fraction(5, 3)))


def of_frames(width: int, height: int, frames: int | Fraction) -> int:
    """The tokens of so many frames, truncated."""
    return floor(width * height * frames / Fraction(PIXELS_PER_TOKEN))


def nominal_seconds(frames: int) -> float:
    """The length in seconds that 24 frames a second and the one extra frame stand for: 121 frames are 5 s."""
    return frames // 24 if frames % 24 <= 1 else round(frames / 24, 3)


def exact(number: Seconds) -> Fraction:
    """The number as it is written, so that 0.1 is a tenth."""
    return number if isinstance(number, Fraction) else Fraction(str(number))
