"""Decode the body: null is absent, unknown keys are ignored, and the known ones have their types."""

from typing import Any

import msgspec

from fakes.ark.errors import ArkError, invalid, missing
from fakes.ark.models import BY_ID, KNOWN, Model
from fakes.ark.options import Options

_BOOLEANS = ("return_last_frame", "generate_audio", "draft", "camera_fixed", "watermark")
_INTEGERS = ("execution_expires_after", "priority", "seed", "duration", "frames")
_TEXTS = (
    "model", "callback_url", "service_tier", "resolution", "ratio", "safety_identifier", "output_format",
    "omni_reference_task_type",
)  # fmt: skip

Body = dict[str, Any]


def decode(raw: bytes) -> Body:
    """The known fields that are there."""
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ArkError("InvalidParameter", "The request body is not valid JSON") from None
    if not isinstance(body, dict):
        raise ArkError("InvalidParameter", "The request body is not a JSON object")
    known: Body = {name: value for name, value in body.items() if name in KNOWN and value is not None}  # pyright: ignore[reportUnknownVariableType] JSON
    return known


def check_types(body: Body) -> None:
    """Refuse what has the wrong type."""
    for name, value in body.items():
        if name in _BOOLEANS and not isinstance(value, bool):
            raise invalid(name, "must be a boolean")
        if name in _INTEGERS and type(value) is not int:
            raise invalid(name, "must be an integer")
        if name in _TEXTS and not isinstance(value, str):
            raise invalid(name, "must be a string")
        if name in {"content", "tools"} and not isinstance(value, list):
            raise invalid(name, "must be an array")


def find_model(name: object, options: Options) -> tuple[Model, str]:
    """The model, and its id, behind a model id or an endpoint id."""
    if name is None or name == "":
        raise missing("model")
    if not isinstance(name, str):
        raise invalid("model", "must be a string")
    model_id = options.endpoints.get(name, name)
    if model_id.startswith("ep-") and len(model_id) > 8:
        model_id = "doubao-seedance-2-0-260128"
    if model_id in options.not_open:
        raise ArkError("ModelNotOpen", f"Your account has not activated the model {model_id}")
    if model_id not in BY_ID:
        text = f"The model or endpoint {name} does not exist or you do not have access to it"
        raise ArkError("InvalidEndpointOrModel.NotFound", text)
    return BY_ID[model_id], model_id
