"""Write a commission as the vendor's create body: only what each model takes, and that explicitly.

A known field that a model does not take is refused; an unknown one is silently ignored, and the video is billed.
Which model takes what: ModelArk 1520757 and Volcengine 82379/1520757 (create), 82379/2607688 (Seedance 2.5).
"""

from typing import Any

from seedance_api.catalog.capabilities import Model, Seed
from seedance_api.catalog.order import Mode, Order, TaskType
from seedance_api.catalog.pixels import ADAPTIVE
from seedance_api.providers.provider import NONCES, Commission

MIN_EXPIRES = 3600
MAX_EXPIRES = 259_200
_MAX_SEED = 2**31 - 1

Item = dict[str, Any]
"""One entry of `content`."""


def write_body(commission: Commission, media: list[Item], model: Model, vendor_id: str) -> dict[str, Any]:
    """The body of a create. `media` are the inputs' items in their order, or a draft's single one."""
    order = commission.order
    body: dict[str, Any] = {"model": vendor_id, "content": _content(commission, media)}
    body |= fields_of(order, model)
    body["watermark"] = order.watermark
    if order.return_last_frame and not _draft_without_last_frame(order, model):
        body["return_last_frame"] = True
    if "flex" in model.capabilities.service_tiers:  # 2.x refuses the field, whatever it says
        body["service_tier"] = order.service_tier
    body["execution_expires_after"] = expires_after(commission.nonce, commission.seconds_left)
    body["safety_identifier"] = commission.customer
    if commission.callback_url is not None:
        body["callback_url"] = commission.callback_url
    return body


def fields_of(order: Order, model: Model) -> dict[str, Any]:
    """What a create says of the video itself: what its model takes, each in so many words."""
    return _of_final(order) if order.mode is Mode.FINAL else _of_take(order, model)


def draft_item(task_id: str) -> Item:
    """The only item of a final take."""
    return {"type": "draft_task", "draft_task": {"id": task_id}}


def expires_after(nonce: int, seconds_left: float) -> int:
    """Whole seconds after which the vendor gives up: the first number from the deadline on that leaves the nonce.

    The vendor knows no idempotency key, but echoes this number: by it an attempt without an answer is told from all
    others. Numbers of different nonces differ, whatever their deadlines.
    """
    bounded = int(min(max(seconds_left, MIN_EXPIRES), MAX_EXPIRES - NONCES))
    return bounded + (nonce - bounded) % NONCES


def nonce_of(seconds: int) -> int:
    """The nonce that `expires_after` was made of."""
    return seconds % NONCES


def tier_of(order: Order) -> str:
    """The service tier under which the vendor lists the task."""
    return "flex" if order.service_tier == "flex" else "default"


def _content(commission: Commission, media: list[Item]) -> list[Item]:
    if commission.order.mode is Mode.FINAL or not commission.prompt.strip():
        return media
    return [{"type": "text", "text": commission.prompt}, *media]


def _of_final(order: Order) -> dict[str, Any]:
    """Everything else is the draft's, and 2.5 refuses even an equal value."""
    return {"resolution": order.resolution}


def _of_take(order: Order, model: Model) -> dict[str, Any]:
    takes = model.capabilities
    rules = model.rules(order.mode)
    omni = len(takes.task_types) > 1  # Seedance 2.5
    said: dict[str, Any] = {"resolution": order.resolution}
    if not (omni and order.mode is not Mode.TEXT and order.ratio == ADAPTIVE):
        # 2.5 follows its input; there the ratio is left out, which can never contradict the prompt
        said["ratio"] = order.ratio
    if order.frames is not None and takes.frames is not None:
        said["frames"] = order.frames
    elif order.task_type is not TaskType.EDIT:
        said["duration"] = order.duration
    if takes.audio:
        said["generate_audio"] = order.generate_audio
    if order.seed >= 0 and takes.seed is not Seed.UNPROVEN:
        said["seed"] = min(order.seed, _MAX_SEED)
    if order.camera_fixed and rules is not None and rules.camera_fixed:
        said["camera_fixed"] = True
    if order.draft and takes.draft is not None:
        said["draft"] = True
    if omni and order.mode is Mode.REFERENCE and order.task_type is not TaskType.AUTO:
        said["omni_reference_task_type"] = order.task_type.value  # so that a mistake is refused at the create
    return said


def _draft_without_last_frame(order: Order, model: Model) -> bool:
    draft = model.capabilities.draft
    return order.draft and draft is not None and not draft.last_frame
