"""What was asked for, once the body, its aliases and the flags in the prompt are brought together."""

import re
from typing import TypeVar

import msgspec

from seedance_api.catalog import flags, pixels
from seedance_api.catalog.capabilities import Model
from seedance_api.catalog.characters import find_control
from seedance_api.catalog.problem import Code, Report
from seedance_api.catalog.request import Request
from seedance_api.catalog.words import either

PROMPT_CHARACTERS = 32_000

_WHOLE_SECONDS = re.compile(r"\s*([+-]?[0-9]{1,9})(?:\.0*)?\s*")

T = TypeVar("T", int, str, bool)


class Wanted(msgspec.Struct, kw_only=True):
    """One value for each parameter; None means that nobody named one."""

    prompt: str
    duration: int | None = None
    frames: int | None = None
    resolution: str | None = None
    ratio: str | None = None
    size: str | None = None
    seed: int | None = None
    camera_fixed: bool | None = None
    watermark: bool | None = None


def gather(request: Request, report: Report) -> Wanted:
    """Bring the ways of saying a thing together; on a contradiction, say so and keep the body's."""
    prompt = read_prompt(request.prompt, report)
    parsed = flags.parse(prompt)
    report.problems.extend(parsed.problems)
    said, sources = parsed.fields, parsed.sources
    seconds = read_seconds(request, report)
    return Wanted(
        prompt=parsed.prompt,
        duration=_agree("duration", seconds, said.duration, sources, report),
        frames=_agree("frames", request.frames, said.frames, sources, report),
        resolution=_agree("resolution", _word(request.resolution), said.resolution, sources, report),
        ratio=_agree("ratio", _word(request.ratio), said.ratio, sources, report),
        size=request.size,
        seed=_agree("seed", request.seed, said.seed, sources, report),
        camera_fixed=_agree("camera_fixed", request.camera_fixed, said.camera_fixed, sources, report),
        watermark=_agree("watermark", request.watermark, said.watermark, sources, report),
    )


def read_prompt(prompt: str | None, report: Report) -> str:
    """The prompt with plain newlines, or nothing when it cannot be used."""
    if prompt is None:
        return ""
    if len(prompt) > PROMPT_CHARACTERS:
        report.add(
            Code.OUT_OF_RANGE,
            "prompt",
            f"must have at most {PROMPT_CHARACTERS:,} characters, but has {len(prompt):,}.",
            allowed=f"at most {PROMPT_CHARACTERS} characters",
        )
        return prompt[:PROMPT_CHARACTERS]
    prompt = prompt.replace("\r\n", "\n")
    if found := find_control(prompt):
        says = f"holds {found}; of those only line feed and tab are taken."
        report.add(Code.UNSUPPORTED_VALUE, "prompt", says)
    return prompt


def read_seconds(request: Request, report: Report) -> int | None:
    """`duration`, or OpenAI's `seconds`, a number or a numeric string; both only if they agree."""
    if request.seconds is None:
        return request.duration
    whole = _WHOLE_SECONDS.fullmatch(str(request.seconds)) if isinstance(request.seconds, str) else None
    if isinstance(request.seconds, str) and whole is None:
        report.add(Code.UNSUPPORTED_VALUE, "seconds", "must be a whole number of seconds.", value=request.seconds)
        return request.duration
    seconds = int(whole[1]) if whole else int(request.seconds)
    if request.duration is None:
        report.sources["duration"] = "seconds"
        return seconds
    if seconds != request.duration:
        report.add(Code.CONFLICT, "seconds", "contradicts `duration`; send only one.", value=request.seconds)
    return request.duration


def fit_size(wanted: Wanted, model: Model, resolutions: tuple[str, ...], report: Report) -> None:
    """Turn `size` into the resolution and ratio it stands for."""
    if wanted.size is None:
        return
    stands_for = pixels.from_size(model, wanted.size, resolutions)
    if stands_for is None:
        size, allowed = wanted.size, pixels.sizes(model, resolutions)
        report.add(
            Code.UNSUPPORTED_VALUE,
            "size",
            f"must be {either(allowed)} for {model.name}.",
            value=size,
            allowed=allowed,
            taken_by=lambda other: pixels.from_size(other, size, other.capabilities.resolutions) is not None,
        )
        return
    wanted.resolution = _stand("resolution", stands_for[0], wanted.resolution, wanted.size, report)
    wanted.ratio = _stand("ratio", stands_for[1], wanted.ratio, wanted.size, report)


def _stand(field: str, implied: str, named: str | None, size: str, report: Report) -> str:
    if named is None:
        report.sources[field] = "size"
        return implied
    if named != implied:
        source = report.sources.get(field, field)
        report.add(
            Code.CONFLICT, "size", f"stands for {implied}, which contradicts `{source}`; send only one.", value=size
        )
    return named


def _agree(field: str, body: T | None, flag: T | None, sources: dict[str, str], report: Report) -> T | None:
    if flag is None:
        return body
    if body is None:
        report.sources[field] = sources[field]
        return flag
    if body != flag:
        name = report.sources.get(field, field)
        report.add(Code.CONFLICT, "prompt", f"says `{sources[field]}`, which contradicts `{name}`; send only one.")
    return body


def _word(text: str | None) -> str | None:
    return None if text is None else text.strip().lower()
