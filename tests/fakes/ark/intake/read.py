"""Read a create: the checks in the order in which the API reports them."""

from collections.abc import Callable

from fakes.ark import flags
from fakes.ark.errors import invalid, missing
from fakes.ark.intake import content as contents
from fakes.ark.intake import final, parameters
from fakes.ark.intake.body import Body, check_types
from fakes.ark.intake.order import Content, Order
from fakes.ark.models import Model


def read(body: Body, model: Model, model_id: str, draft: Callable[[str], Order]) -> Order:
    """The order, or an `ArkError`. `draft` gives the order of a draft task by its id."""
    if not body.get("content"):
        raise missing("content")
    check_types(body)
    content = contents.read(body["content"])
    parameters.check_fields(body, model)
    if content.draft_id:
        return final.read(body, model, draft(content.draft_id), content)
    return _read(body, content, model, model_id)


def _read(body: Body, content: Content, model: Model, model_id: str) -> Order:
    mode = contents.mode_of(content, model)
    parameters.common(body, model)
    if body.get("return_last_frame") and body.get("draft") and model.family == "1.5":
        raise invalid("return_last_frame", "cannot be used with draft")
    if body.get("camera_fixed") and mode == "r2v":
        raise invalid("camera_fixed", "not supported in r2v")
    tier = parameters.service_tier(body, model)
    resolution = parameters.resolution(body, content, model, mode)
    ratio, fixes_ratio = parameters.ratio(body, content, model, mode)
    seconds, frames, fixes_seconds = parameters.length(body, content, model, mode)
    flag = flags.as_boolean(content.flags.get("watermark", ""))
    return Order(
        model=model, model_id=model_id, asked_model=body["model"], content=content, mode=mode, resolution=resolution,
        ratio=ratio, seconds=seconds, frames=frames, seed=parameters.seed(body, content),
        generate_audio=model.audio and body.get("generate_audio", True),
        watermark=body.get("watermark", flag or False), return_last_frame=body.get("return_last_frame", False),
        draft=body.get("draft", False), service_tier=tier,
        expires_after=body.get("execution_expires_after", 172_800), priority=body.get("priority", 0),
        web_search=parameters.web_search(body, mode), output_format=body.get("output_format", "mp4"),
        task_type=parameters.task_type(body, content, mode, fixes_ratio=fixes_ratio, fixes_seconds=fixes_seconds),
        fixes_ratio=fixes_ratio, fixes_seconds=fixes_seconds, callback_url=body.get("callback_url"),
        safety_identifier=body.get("safety_identifier"),
    )  # fmt: skip
