"""The check of a request: an order, or every problem it has, all at once."""

from datetime import date
from difflib import get_close_matches

import msgspec

from seedance_api.catalog import models, pixels
from seedance_api.catalog.capabilities import Model, State
from seedance_api.catalog.final import check_final
from seedance_api.catalog.inspection import check_facts, sum_seconds
from seedance_api.catalog.media import Placed, Placement, check_use, place
from seedance_api.catalog.order import Kind, Mode, Order, Role, TaskType
from seedance_api.catalog.parameters import Settled, check_seed, settle
from seedance_api.catalog.problem import Code, Problem, Report
from seedance_api.catalog.request import Request
from seedance_api.catalog.wanted import Wanted, gather


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A request in order: what to make, the prompt without its flags, and each piece of media in its role."""

    order: Order
    prompt: str = ""
    media: tuple[Placed, ...] = ()


def check(request: Request, *, today: date | None = None) -> Accepted | list[Problem]:
    """Check a request against the catalogue as it stands on a day, by default this one (UTC).

    Run it before the media are fetched and again once their facts are known; without facts only their number
    and roles are judged, and a video counts with the longest that the model takes.
    """
    report = Report(today or models.today_utc())
    if request.final_of is not None:
        return _check_final(request, request.final_of, report)
    model = _choose_model(request.model, report)
    wanted = gather(request, report)
    placement = place(request, report)
    _check_prompt_given(wanted, placement, report)
    if model is None:
        check_seed(wanted.seed, report)
        return report.problems
    check_use(request, placement, model, report)
    settled = settle(request, wanted, placement, model, report)
    check_facts(placement, model, settled.task_type, report)
    if report.problems or placement.mode is None:
        return report.problems
    order = _order(model, placement.mode, settled, placement)
    return Accepted(order=order, prompt=wanted.prompt, media=placement.media)


def _check_final(request: Request, draft_order: Order, report: Report) -> Accepted | list[Problem]:
    _choose_model(draft_order.model if request.model is None else request.model, report)
    order = check_final(request, draft_order, report)
    return Accepted(order=order) if order is not None else report.problems


def _choose_model(name: str | None, report: Report) -> Model | None:
    """The model asked for. A retired one is a problem, but the rest is checked against it all the same."""
    name = models.DEFAULT if name is None else name
    model = models.find(name)
    usable = tuple(known for known in models.MODELS if known.state(report.today) is not State.RETIRED)
    allowed = tuple(known.name for known in usable)
    if model is None:
        nearest = _nearest_names(name, usable)
        hint = f" Did you mean {' or '.join(nearest)}?" if nearest else ""
        message = f"Unknown model{models.quoted(name)}. Available: {', '.join(allowed)}.{hint}"
        report.add(Code.UNKNOWN_MODEL, "model", "", value=name, allowed=allowed, message=message)
    elif model.state(report.today) is State.RETIRED:
        ended_at = max(cloud.ends_at for cloud in model.clouds if cloud.ends_at is not None)
        says = f"{model.name} was retired by the vendor on {ended_at:%Y-%m-%d}; use {model.replacement} instead."
        report.add(Code.RETIRED_MODEL, "model", says, value=name, allowed=allowed)
    return model


def _nearest_names(name: str, usable: tuple[Model, ...]) -> list[str]:
    if len(name) > 100:
        return []
    by_name = {known: model.name for model in usable for known in (model.name, *model.aliases)}
    close = get_close_matches(name.lower(), by_name, n=3, cutoff=0.6)
    return list(dict.fromkeys(by_name[known] for known in close))


def _check_prompt_given(wanted: Wanted, placement: Placement, report: Report) -> None:
    if placement.mode is Mode.TEXT and not wanted.prompt.strip():
        report.add(Code.MISSING, "prompt", "is needed when there is no image, video or audio.")


def _order(model: Model, mode: Mode, settled: Settled, placement: Placement) -> Order:
    videos = placement.of(Kind.VIDEO)
    longest = model.limits.video.total_seconds if model.limits.video else 0
    width, height = _expected_size(model, settled, placement)
    return Order(
        model=model.name,
        mode=mode,
        width=width,
        height=height,
        seconds=_expected_seconds(model, settled, videos),
        input_video_seconds=sum_seconds(videos, longest=longest),
        **msgspec.structs.asdict(settled),
    )


def _expected_size(model: Model, settled: Settled, placement: Placement) -> tuple[int, int]:
    ratio = settled.ratio
    if ratio == pixels.ADAPTIVE:
        ratio = _followed_ratio(model, settled.resolution, placement)
    return pixels.size(model, settled.resolution, ratio)


def _followed_ratio(model: Model, resolution: str, placement: Placement) -> str:
    """`adaptive` follows the first frame, else the first video, else the first image, else nothing."""
    leaders = placement.of(Kind.IMAGE, Role.FIRST_FRAME) or placement.of(Kind.VIDEO) or placement.of(Kind.IMAGE)
    facts = leaders[0].facts if leaders else None
    if facts is None or not facts.width or not facts.height:
        return pixels.NEUTRAL
    return pixels.nearest_ratio(model, resolution, facts.width, facts.height)


def _expected_seconds(model: Model, settled: Settled, videos: list[Placed]) -> float:
    if settled.frames is not None:
        return settled.frames / 24
    clips = [piece.facts.seconds for piece in videos if piece.facts and piece.facts.seconds]
    if settled.task_type is TaskType.EDIT and clips:
        return max(clips)
    if settled.duration == -1:
        return float(model.capabilities.duration.typical)
    return float(settled.duration)
