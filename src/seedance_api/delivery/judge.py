"""Judge a fetched file: what is measured on it, in a confined process, and whether it is as ordered."""

from pathlib import Path

import msgspec

from seedance_api.catalog import models, pixels
from seedance_api.catalog.order import Order
from seedance_api.delivery.confined import Measured, MeasureQuestion
from seedance_api.foundation.confine import Confine, Failure
from seedance_api.providers.provider import Output

_SECONDS = 120.0
_CPU_SECONDS = 90
_MEMORY = 3 << 30
_SHORT_SECONDS = 0.5
"""A video may be this much shorter than ordered, or a twentieth. A longer one is the customer's: he pays no more."""


async def measure(confine: Confine, video: Path, thumbnail: Path, last_frame: Path | None) -> Measured | Failure | None:
    """What is in a fetched file, of which a thumbnail is made; None where it cannot be played."""
    question = msgspec.json.encode(
        MeasureQuestion(video=str(video), thumbnail=str(thumbnail), last_frame=str(last_frame) if last_frame else None)
    )
    answer = await confine.run(
        "seedance_api.delivery.measure",
        question,
        seconds=_SECONDS,
        memory_bytes=_MEMORY,
        cpu_seconds=_CPU_SECONDS,
        read=[path for path in (video, last_frame) if path is not None],
        write=[thumbnail],
    )
    if isinstance(answer, Failure):
        return answer
    return msgspec.json.decode(answer, type=Measured | None)


def is_as_ordered(order: Order, measured: Measured) -> bool:
    """Whether a playable file is near enough: as long and of the shape that was ordered, and whole."""
    if order.duration != -1 and measured.seconds < order.seconds - max(_SHORT_SECONDS, order.seconds / 20):
        return False
    if order.return_last_frame and measured.last_frame is None:
        return False
    return order.ratio == "adaptive" or abs(measured.width / measured.height - order.width / order.height) < 0.1


def output_of(order: Order, reported: Output, measured: Measured) -> Output:
    """What there is to say about the video: what was measured, and else what its provider says."""
    return msgspec.structs.replace(
        reported,
        width=measured.width,
        height=measured.height,
        frames=measured.frames,
        seconds=measured.seconds,
        resolution=reported.resolution or order.resolution,
        ratio=_ratio_of(order, reported, measured),
        last_frame=order.return_last_frame,
    )


def _ratio_of(order: Order, reported: Output, measured: Measured) -> str:
    """The ratio's usual name when the size is one of the model's table, else what the provider says."""
    model = models.find(order.model)
    resolution = reported.resolution or order.resolution
    if model is not None and resolution in model.capabilities.resolutions:
        nearest = pixels.nearest_ratio(model, resolution, measured.width, measured.height)
        if pixels.size(model, resolution, nearest) == (measured.width, measured.height):
            return nearest
    return reported.ratio or order.ratio
