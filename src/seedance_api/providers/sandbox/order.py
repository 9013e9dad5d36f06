"""What the renderer is told of a commission, and what its result says to us."""

import hashlib
from collections.abc import Sequence
from math import gcd
from typing import assert_never

from msgspec import structs

from seedance_api.catalog import tokens
from seedance_api.catalog.order import Kind, Order
from seedance_api.providers.provider import Commission, Done, Failed, Output
from seedance_api.providers.sandbox.magic import Magic, Spell, read_magic, without_magic
from seedance_preview.job import Input, Job, NotRendered, Rendered, Result

_WITHHELD = Failed(code="output_moderated", message="The finished video was withheld by moderation (sandbox).")
_NOT_RENDERED = {
    "failed": Failed(code="provider_failed", message="The render failed (sandbox)."),
    "input_unreadable": Failed(
        code="input_unreadable", message="An input file could not be read as what it is said to be."
    ),
}
_RATIOS = {"16:9": 16 / 9, "4:3": 4 / 3, "1:1": 1.0, "3:4": 3 / 4, "9:16": 9 / 16, "21:9": 21 / 9}


def make_job(commission: Commission, files: Sequence[str]) -> Job:
    """What to render; `files` hold the commission's inputs, in their order."""
    order, magic = commission.order, _magic(commission)
    given = zip(commission.inputs, files, strict=True)
    return Job(
        prompt=without_magic(commission.prompt),
        inputs=tuple(
            Input(
                file=file,
                kind=media.kind.value,
                role=media.role.value,
                media_type=media.media_type or "",
                seconds=media.seconds,
            )
            for media, file in given
        ),
        width=order.width,
        height=order.height,
        frames=order.frames,
        seconds=order.duration,
        seed=order.seed if order.seed >= 0 else _pick_seed(commission.attempt_id),
        task=order.task_type.value,
        sound=order.generate_audio,
        camera_fixed=order.camera_fixed,
        watermark=order.watermark,
        draft=order.draft,
        last_frame=order.return_last_frame,
        slow_seconds=magic.slow_seconds,
        fails=Spell.FAIL in magic,
        cut=Spell.BROKEN in magic,
    )


def outcome(commission: Commission, job: Job, result: Result) -> Done | Failed:
    """How the commission has ended."""
    match result:
        case NotRendered():
            return _NOT_RENDERED[result.reason]
        case Rendered():
            if Spell.OUTPUT_MODERATED in _magic(commission):
                return _WITHHELD
            return Done(_describe(commission, job, result))
        case _:
            assert_never(result)


def _magic(commission: Commission) -> Magic:
    magic = read_magic(commission.prompt)
    assert isinstance(magic, Magic), "`start` refuses the others"
    return magic


def _pick_seed(attempt_id: str) -> int:
    """The same for one attempt for ever, so that a render begun again is the same render."""
    return int.from_bytes(hashlib.sha256(attempt_id.encode()).digest()[:4], "big") & 0x7FFFFFFF


def _describe(commission: Commission, job: Job, made: Rendered) -> Output:
    order = commission.order
    return Output(
        width=order.width,
        height=order.height,
        seconds=made.seconds,
        frames=made.frames,
        resolution=order.resolution,
        ratio=_name_ratio(order.width, order.height) if order.ratio == "adaptive" else order.ratio,
        seed=job.seed,
        tokens=_count_tokens(order, made, _video_seconds(commission)),
        last_frame=order.return_last_frame,
    )


def _name_ratio(width: int, height: int) -> str:
    name, ratio = min(_RATIOS.items(), key=lambda item: abs(item[1] - width / height))
    if abs(ratio - width / height) / ratio < 0.015:
        return name
    common = gcd(width, height)
    return f"{width // common}:{height // common}"


def _count_tokens(order: Order, made: Rendered, input_video_seconds: float) -> int:
    """What the vendor would bill for this very video."""
    billed = structs.replace(order, seconds=(made.frames - 1) / tokens.FPS, input_video_seconds=input_video_seconds)
    return tokens.estimate(billed).expected


def _video_seconds(commission: Commission) -> float:
    return commission.order.input_video_seconds or sum(
        media.seconds or 0.0 for media in commission.inputs if media.kind is Kind.VIDEO
    )
