"""The length of a video, in seconds or in frames, against what a model takes."""

from seedance_api.catalog.capabilities import Model
from seedance_api.catalog.order import TaskType
from seedance_api.catalog.problem import Code, Report
from seedance_api.catalog.wanted import Wanted


def settle_duration(wanted: Wanted, model: Model, task_type: TaskType, frames: int | None, report: Report) -> int:
    """The seconds that were wanted, or those that a model makes by itself; -1 where it chooses."""
    takes = model.capabilities.duration
    duration = wanted.duration
    if frames is not None and duration is None:
        return max(1, round((frames - 1) / 24))
    if task_type is TaskType.EDIT and duration not in (None, -1):
        says = "must be absent or -1 for `task_type` edit, which keeps the length of the video."
        report.add(Code.UNSUPPORTED_VALUE, "duration", says, value=duration, allowed=("-1",))
        return -1
    if duration is None:
        return -1 if task_type is TaskType.EDIT else takes.default
    if not takes.take(duration):
        allowed = f"{takes.least}–{takes.most}" + (" or -1" if takes.auto else "")
        automatic = " or -1 (automatic)" if takes.auto else ""
        report.add(
            Code.OUT_OF_RANGE,
            "duration",
            f"must be {takes.least}–{takes.most} seconds{automatic} for {model.name}.",
            value=duration,
            allowed=allowed,
            taken_by=lambda other: other.capabilities.duration.take(duration),
        )
    return duration


def settle_frames(wanted: Wanted, model: Model, report: Report) -> int | None:
    """The frames that were wanted, where the length is given in frames."""
    frames, takes = wanted.frames, model.capabilities.frames
    if frames is None:
        return None
    if wanted.duration is not None:
        other = report.sources.get("duration", "duration")
        report.add(Code.CONFLICT, "frames", f"cannot be used together with `{other}`; send only one.", value=frames)
    if takes is None:
        report.add(
            Code.UNSUPPORTED_PARAMETER,
            "frames",
            f"is not taken by {model.name}; use `duration`.",
            value=frames,
            taken_by=lambda other: other.capabilities.frames is not None,
        )
    elif not takes.take(frames):
        allowed = f"{takes.least}–{takes.most} in steps of {takes.step} (25 + 4n)"
        report.add(Code.OUT_OF_RANGE, "frames", f"must be {allowed} for {model.name}.", value=frames, allowed=allowed)
    return frames
