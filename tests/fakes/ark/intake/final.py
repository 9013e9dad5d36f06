"""The final video of a draft: what it takes over, and what may be said anew."""

from dataclasses import replace

from fakes.ark.errors import invalid
from fakes.ark.intake import parameters
from fakes.ark.intake.body import Body
from fakes.ark.intake.order import Content, Order
from fakes.ark.models import Model

_TAKEN_OVER = ("generate_audio", "seed", "ratio", "duration", "camera_fixed", "omni_reference_task_type", "tools")


def read(body: Body, model: Model, draft: Order, content: Content) -> Order:
    """The order of the final. What is not taken over has the model's defaults, not the draft's."""
    if draft.model is not model:
        raise invalid("model", "must be the model of the draft task")
    if body.get("draft"):
        raise invalid("draft", "must be false for the final of a draft")
    parameters.common(body, model)
    for name in _TAKEN_OVER if model.family == "2.5" else ():
        if name in body:
            raise invalid(name, "is taken over from the draft task")
    return replace(
        draft,
        content=replace(draft.content, draft_id=content.draft_id),
        resolution=_resolution(body, model),
        watermark=body.get("watermark", False),
        return_last_frame=body.get("return_last_frame", False),
        draft=False,
        service_tier=parameters.service_tier(body, model),
        expires_after=body.get("execution_expires_after", 172_800),
        priority=body.get("priority", 0),
        output_format=body.get("output_format", "mp4"),
        callback_url=body.get("callback_url"),
        safety_identifier=body.get("safety_identifier"),
        draft_task_id=content.draft_id,
    )


def _resolution(body: Body, model: Model) -> str:
    if model.family != "2.5":
        return parameters.resolution(body, Content(), model, "draft")
    given = body.get("resolution", "1080p").lower()
    if given != "1080p":
        raise invalid("resolution", "the final of a draft must be 1080p")
    return given
