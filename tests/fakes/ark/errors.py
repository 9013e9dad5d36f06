"""Refusals: codes, their statuses and types, and the envelope."""

import random
import time
from typing import Any

import msgspec

from fakes.ark.wire.messages import Answer

_TYPES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    429: "TooManyRequests",
    500: "InternalServerError",
}
_STATUSES = {
    401: ("AuthenticationError", "InvalidAccountStatus"),
    403: ("AccessDenied", "AccountOverdueError", "OperationDenied"),
    404: ("InvalidEndpointOrModel", "ModelNotOpen", "NotFound", "UnsupportedModel"),
    409: ("InvalidAction",),
    429: (
        "RateLimitExceeded",
        "ModelAccount",
        "APIAccountRpmRateLimitExceeded",
        "AccountRateLimitExceeded",
        "QuotaExceeded",
        "SetLimitExceeded",
        "InflightBatchsizeExceeded",
        "ServerOverloaded",
        "RequestBurstTooFast",
    ),
    500: ("InternalServiceError",),
}
_FORBIDDEN_TYPE = ("InvalidAccountStatus", "InvalidSubscription")


class ArkError(Exception):
    """A refusal."""

    def __init__(self, code: str, message: str, param: str = "") -> None:
        super().__init__(code, message, param)
        self.code, self.message, self.param = code, message, param


def invalid(param: str, why: str, code: str = "InvalidParameter") -> ArkError:
    """The refusal of one parameter."""
    return ArkError(code, f"The parameter `{param}` specified in the request is not valid: {why}", param)


def missing(param: str) -> ArkError:
    """The refusal of a request that lacks a parameter."""
    return ArkError("MissingParameter", f"The request failed because it is missing `{param}` parameter", param)


def status_of(code: str) -> int:
    """The HTTP status that belongs to a code; 400 for all that are not listed."""
    for status, beginnings in _STATUSES.items():
        if code.startswith(beginnings):
            return status
    return 400


def envelope(code: str, message: str, param: str, request_id: str) -> dict[str, Any]:
    """The body of a refusal."""
    kind = "Forbidden" if code in _FORBIDDEN_TYPE else _TYPES[status_of(code)]
    text = f"{message}. Request id: {request_id}"
    return {"error": {"code": code, "message": text, "param": param, "type": kind}}


def answer(error: ArkError, request_id: str) -> Answer:
    """The answer to a request that is refused."""
    body = envelope(error.code, error.message, error.param, request_id)
    return Answer(status_of(error.code), msgspec.json.encode(body))


def new_request_id(rng: random.Random) -> str:
    """An id as Ark gives them: `02`, milliseconds, and a long rest."""
    return f"02{time.time_ns() // 1_000_000}{rng.getrandbits(128):032x}"
