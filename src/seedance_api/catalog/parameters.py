"""The parameters of a request against what a model takes, each filled in with its default."""

import msgspec

from seedance_api.catalog.capabilities import Draft, Model, ModeRules
from seedance_api.catalog.length import settle_duration, settle_frames
from seedance_api.catalog.media import Placement
from seedance_api.catalog.order import Kind, Mode, TaskType
from seedance_api.catalog.problem import Code, Report
from seedance_api.catalog.request import Request
from seedance_api.catalog.shape import settle_ratio, settle_resolution
from seedance_api.catalog.wanted import Wanted, fit_size
from seedance_api.catalog.words import either

# The API page still prints 2^32-1, its newer text 2^31-1; the smaller bound is right under both.
SEEDS = (-1, 2_147_483_647)


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """Every parameter, definite. Meaningful only if no problem was found."""

    resolution: str
    ratio: str
    duration: int
    frames: int | None
    seed: int
    generate_audio: bool
    camera_fixed: bool
    watermark: bool
    return_last_frame: bool
    draft: bool
    service_tier: str
    task_type: TaskType


def settle(request: Request, wanted: Wanted, placement: Placement, model: Model, report: Report) -> Settled:
    """Check every parameter and fill in what was left out."""
    rules = model.rules(placement.mode)
    draft = _draft(request, model, report)
    fit_size(wanted, model, rules.resolutions if rules else model.capabilities.resolutions, report)
    task_type = _task_type(request, placement, model, report)
    frames = settle_frames(wanted, model, report)
    return Settled(
        resolution=settle_resolution(wanted, model, rules, draft, report),
        ratio=settle_ratio(wanted, model, rules, task_type, report),
        duration=settle_duration(wanted, model, task_type, frames, report),
        frames=frames,
        seed=check_seed(wanted.seed, report),
        generate_audio=_generate_audio(request, model, report),
        camera_fixed=_camera_fixed(wanted, model, rules, report),
        watermark=bool(wanted.watermark),
        return_last_frame=_return_last_frame(request, model, draft, report),
        draft=draft is not None,
        service_tier=check_service_tier(request.service_tier, model, draft, report),
        task_type=task_type,
    )


def _draft(request: Request, model: Model, report: Report) -> Draft | None:
    if not request.draft:
        return None
    if model.capabilities.draft is None:
        report.add(
            Code.UNSUPPORTED_PARAMETER,
            "draft",
            f"is not offered by {model.name}.",
            value=True,
            taken_by=lambda other: other.capabilities.draft is not None,
        )
    return model.capabilities.draft


def check_seed(seed: int | None, report: Report) -> int:
    """The seed, -1 for a random one."""
    if seed is None:
        return -1
    minimum, maximum = SEEDS
    if not minimum <= seed <= maximum:
        says = f"must be {minimum + 1} to {maximum}, or {minimum} for a random seed."
        report.add(Code.OUT_OF_RANGE, "seed", says, value=seed, allowed=f"{minimum}–{maximum}")
    return seed


def _generate_audio(request: Request, model: Model, report: Report) -> bool:
    audio = model.capabilities.audio
    if request.generate_audio is None:
        return audio
    if request.generate_audio and not audio:
        report.add(
            Code.UNSUPPORTED_PARAMETER,
            "generate_audio",
            f"is not offered by {model.name}, which makes silent videos.",
            value=True,
            taken_by=lambda other: other.capabilities.audio,
        )
    return request.generate_audio


def _camera_fixed(wanted: Wanted, model: Model, rules: ModeRules | None, report: Report) -> bool:
    if not wanted.camera_fixed:
        return False
    if not model.capabilities.camera_fixed:
        report.add(
            Code.UNSUPPORTED_PARAMETER,
            "camera_fixed",
            f"is not taken by {model.name}; describe the camera in the prompt.",
            value=True,
            taken_by=lambda other: other.capabilities.camera_fixed,
        )
    elif rules is not None and not rules.camera_fixed:
        says = f"is not taken by {model.name} in {rules.mode} mode."
        report.add(Code.UNSUPPORTED_PARAMETER, "camera_fixed", says, value=True)
    return True


def _return_last_frame(request: Request, model: Model, draft: Draft | None, report: Report) -> bool:
    if not request.return_last_frame:
        return False
    if draft is not None and not draft.last_frame:
        says = f"is not offered with a draft of {model.name}."
        report.add(Code.CONFLICT, "return_last_frame", says, value=True)
    return True


def check_service_tier(tier: str | None, model: Model, draft: Draft | None, report: Report) -> str:
    """The service tier, if the model has it and, for a draft, a draft may use it."""
    if tier is None:
        return "default"
    allowed = model.capabilities.service_tiers
    if tier not in allowed:
        report.add(
            Code.UNSUPPORTED_VALUE,
            "service_tier",
            f"must be {either(allowed)} for {model.name}.",
            value=tier,
            allowed=allowed,
            taken_by=lambda other: tier in other.capabilities.service_tiers,
        )
    elif draft is not None and tier not in draft.service_tiers:
        says = f"must be {draft.service_tiers[0]} for a draft of {model.name}."
        report.add(Code.CONFLICT, "service_tier", says, value=tier, allowed=draft.service_tiers)
    return tier


def _task_type(request: Request, placement: Placement, model: Model, report: Report) -> TaskType:
    name, allowed = request.task_type, model.capabilities.task_types
    if name is None:
        return TaskType.AUTO
    if name not in allowed:
        report.add(
            Code.UNSUPPORTED_VALUE,
            "task_type",
            f"must be {either(allowed)} for {model.name}.",
            value=name,
            allowed=tuple(kind.value for kind in allowed),
            taken_by=lambda other: name in other.capabilities.task_types,
        )
        return TaskType.AUTO
    task_type = TaskType(name)
    if task_type in (TaskType.EDIT, TaskType.EXTEND) and not placement.of(Kind.VIDEO):
        report.add(Code.MISSING, "videos", f"needs a video for `task_type` {task_type}.")
    elif task_type is TaskType.REFERENCE and placement.mode not in (Mode.REFERENCE, None):
        message = "`task_type` reference needs at least one input with the role `reference`."
        report.add(Code.CONFLICT, "task_type", value=name, message=message)
    return task_type
