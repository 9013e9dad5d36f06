"""The final take of an earlier draft: it reuses what that was made from (ModelArk 1520757, `draft_task`)."""

import msgspec

from seedance_api.catalog import pixels
from seedance_api.catalog.capabilities import Draft, Model
from seedance_api.catalog.models import find
from seedance_api.catalog.order import Mode, Order
from seedance_api.catalog.parameters import check_service_tier
from seedance_api.catalog.problem import Code, Report, Value
from seedance_api.catalog.request import Request
from seedance_api.catalog.shape import check_resolution

_FINAL_OF = "final_of"


def check_final(request: Request, draft_order: Order, report: Report) -> Order | None:
    """The order for the final take; None, with the reason in the report, when there can be none at all."""
    model = find(draft_order.model)
    draft = model.capabilities.draft if model else None
    if model is None or draft is None or not draft_order.draft or draft_order.mode is Mode.FINAL:
        report.add(Code.CONFLICT, _FINAL_OF, "is not a draft.")
        return None
    _check_model(request, draft_order, report)
    _check_nothing_sent_again(request, report)
    _check_repeats(request, draft_order, draft, report)
    resolution = check_resolution(
        request.resolution.strip().lower() if request.resolution is not None else None,
        draft.final_resolutions,
        draft.final_default_resolution,
        where=f"the final take of a draft of {model.name}",
        report=report,
    )
    service_tier = check_service_tier(request.service_tier, model, None, report)
    if report.problems:
        return None
    width, height = _size(model, resolution, draft_order)
    return msgspec.structs.replace(
        draft_order,
        mode=Mode.FINAL,
        resolution=resolution,
        width=width,
        height=height,
        watermark=bool(request.watermark),
        return_last_frame=bool(request.return_last_frame),
        draft=False,
        service_tier=service_tier,
    )


def _check_model(request: Request, draft_order: Order, report: Report) -> None:
    model = None if request.model is None else find(request.model)
    if model is not None and model.name != draft_order.model:
        says = f"must be the model of the draft, {draft_order.model}, or absent."
        report.add(Code.CONFLICT, "model", says, value=request.model, allowed=(draft_order.model,))


def _check_nothing_sent_again(request: Request, report: Report) -> None:
    """What the final take never takes, whether it is the same or not."""
    given: dict[str, bool] = {
        "prompt": bool(request.prompt),
        "images": bool(request.images),
        "videos": bool(request.videos),
        "audios": bool(request.audios),
        "frames": request.frames is not None,
        "size": request.size is not None,
        "draft": request.draft is True,
    }
    for field, sent in given.items():
        if sent:
            report.add(Code.CONFLICT, field, "must be absent: a final take reuses what its draft was made of.")


def _check_repeats(request: Request, draft_order: Order, draft: Draft, report: Report) -> None:
    """What is fixed by the draft: 1.5 pro bears an equal value, 2.5 none."""
    pairs: dict[str, tuple[Value, Value]] = {
        "duration": (request.duration, draft_order.duration),
        "seconds": (request.seconds, draft_order.duration),
        "ratio": (request.ratio, draft_order.ratio),
        "seed": (request.seed, draft_order.seed),
        "generate_audio": (request.generate_audio, draft_order.generate_audio),
        "camera_fixed": (request.camera_fixed, draft_order.camera_fixed),
        "task_type": (request.task_type, draft_order.task_type.value),
    }
    for field, (sent, drafted) in pairs.items():
        if sent is None or (draft.final_repeats and _text(sent) == _text(drafted)):
            continue
        says = "must be absent: a final take reuses that of its draft."
        if draft.final_repeats:
            says = f"must be absent or {_text(drafted)}, as in the draft."
        allowed = _text(drafted) if draft.final_repeats else None
        report.add(Code.CONFLICT, field, says, value=sent, allowed=allowed)


def _size(model: Model, resolution: str, draft_order: Order) -> tuple[int, int]:
    """An adaptive draft keeps the shape that was expected of it."""
    ratio = draft_order.ratio
    if ratio == pixels.ADAPTIVE:
        ratio = pixels.nearest_ratio(model, resolution, draft_order.width, draft_order.height)
    return pixels.size(model, resolution, ratio)


def _text(value: Value) -> str:
    return str(value).strip().lower() if not isinstance(value, int) or abs(value) < 10**18 else ""
