"""The shape of a video: its resolution and its ratio, against what a model takes in a mode."""

from collections.abc import Callable

from seedance_api.catalog.capabilities import Draft, Model, ModeRules
from seedance_api.catalog.order import Mode, TaskType
from seedance_api.catalog.pixels import ADAPTIVE
from seedance_api.catalog.problem import Code, Report
from seedance_api.catalog.wanted import Wanted
from seedance_api.catalog.words import either


def settle_resolution(
    wanted: Wanted, model: Model, rules: ModeRules | None, draft: Draft | None, report: Report
) -> str:
    """The resolution that was wanted, or the one that a model makes by itself."""
    capabilities = model.capabilities
    if draft is not None:
        allowed, default = (draft.resolution,), draft.resolution
        where = f"a draft of {model.name}"
    elif rules is not None and rules.resolutions != capabilities.resolutions:
        allowed, default = rules.resolutions, capabilities.default_resolution
        where = f"{model.name} in {rules.mode} mode"
    else:
        allowed, default, where = capabilities.resolutions, capabilities.default_resolution, model.name

    def taken_by(other: Model) -> bool:
        return draft is None and wanted.resolution in _resolutions_of(other, rules.mode if rules else None)

    return check_resolution(wanted.resolution, allowed, default, where=where, report=report, taken_by=taken_by)


def check_resolution(
    resolution: str | None,
    allowed: tuple[str, ...],
    default: str,
    *,
    where: str,
    report: Report,
    taken_by: Callable[[Model], bool] | None = None,
) -> str:
    """The resolution, if it is one of those allowed here."""
    if resolution is None:
        return default
    if resolution not in allowed:
        report.add(
            Code.UNSUPPORTED_VALUE,
            "resolution",
            f"must be {either(allowed)} for {where}.",
            value=resolution,
            allowed=allowed,
            taken_by=taken_by,
        )
    return resolution


def settle_ratio(wanted: Wanted, model: Model, rules: ModeRules | None, task_type: TaskType, report: Report) -> str:
    """The ratio that was wanted, or the one that a model makes by itself."""
    ratio = wanted.ratio
    if task_type in (TaskType.EDIT, TaskType.EXTEND):
        allowed, where = (ADAPTIVE,), f"`task_type` {task_type}, which keeps the shape of the video"
    elif rules is not None:
        allowed, where = rules.ratios, f"{model.name} in {rules.mode} mode"
    else:
        allowed, where = model.capabilities.ratios, model.name
    if ratio is None:
        return rules.default_ratio if rules else ADAPTIVE
    if ratio not in allowed:
        mode = rules.mode if rules else None
        report.add(
            Code.UNSUPPORTED_VALUE,
            "ratio",
            f"must be {either(allowed)} for {where}.",
            value=ratio,
            allowed=allowed,
            taken_by=lambda other: ratio in _ratios_of(other, mode),
        )
    return ratio


def _resolutions_of(model: Model, mode: Mode | None) -> tuple[str, ...]:
    """The resolutions of a model in a mode; none where it does not have that mode."""
    if mode is None:
        return model.capabilities.resolutions
    rules = model.rules(mode)
    return rules.resolutions if rules else ()


def _ratios_of(model: Model, mode: Mode | None) -> tuple[str, ...]:
    """The ratios of a model in a mode; none where it does not have that mode."""
    if mode is None:
        return model.capabilities.ratios
    rules = model.rules(mode)
    return rules.ratios if rules else ()
