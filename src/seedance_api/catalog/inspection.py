"""Inspected media against a model's limits, each by itself and all together."""

from collections.abc import Sequence

from seedance_api.catalog.capabilities import Model
from seedance_api.catalog.limits import AudioLimits, VideoLimits
from seedance_api.catalog.media import Placed, Placement
from seedance_api.catalog.misfit import misfits, rounded
from seedance_api.catalog.order import Kind, TaskType
from seedance_api.catalog.problem import Code, Report


def check_facts(placement: Placement, model: Model, task_type: TaskType, report: Report) -> None:
    """Every piece that has been inspected, and the length of all of them together."""
    limits = model.limits
    for piece in placement.media:
        for misfit in misfits(piece.kind, piece.facts, limits) if piece.facts else ():
            report.add(
                Code.BAD_MEDIA,
                piece.path,
                f"does not fit {model.name}: {misfit.message}.",
                value=misfit.value,
                allowed=misfit.allowed,
            )
    videos, audios = placement.of(Kind.VIDEO), placement.of(Kind.AUDIO)
    if limits.video is not None:
        _check_total("videos", videos, limits.video, model, report)
        if task_type is TaskType.EDIT and limits.video.edit_seconds is not None:
            _check_edited(videos, limits.video, limits.video.edit_seconds, report)
    if limits.audio is not None:
        _check_total("audios", audios, limits.audio, model, report)


def _check_total(
    path: str, media: Sequence[Placed], limits: VideoLimits | AudioLimits, model: Model, report: Report
) -> None:
    total, maximum = sum_seconds(media), limits.total_seconds
    if rounded(total, limits) > maximum:
        says = f"are {total:.2f} seconds long together; {model.name} takes at most {maximum:g}."
        report.add(Code.BAD_MEDIA, path, says, value=total, allowed=f"at most {maximum:g} seconds in all")


def _check_edited(videos: Sequence[Placed], limits: VideoLimits, bounds: tuple[float, float], report: Report) -> None:
    """Which clip is edited is the prompt's affair; one of them must be long enough."""
    lengths = [piece.facts.seconds for piece in videos if piece.facts and piece.facts.seconds is not None]
    fits = [bounds[0] <= rounded(length, limits) <= bounds[1] for length in lengths]
    if lengths and len(lengths) == len(videos) and not any(fits):
        allowed = f"{bounds[0]:g}–{bounds[1]:g} seconds"
        report.add(
            Code.BAD_MEDIA,
            "videos",
            f"must hold a clip of {allowed} to be edited; the longest is {max(lengths):.2f} s.",
            allowed=allowed,
        )


def sum_seconds(media: Sequence[Placed], *, longest: float = 0) -> float:
    """The length of all pieces together. Those that were not inspected fill up what is left of `longest`."""
    lengths = [piece.facts.seconds if piece.facts else None for piece in media]
    known = round(sum(length for length in lengths if length is not None), 6)
    return max(known, longest) if None in lengths else known
