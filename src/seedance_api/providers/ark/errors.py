"""What the vendor's errors mean for us: by the exact code, then by what stands before its dots, then by the status.

The codes: Volcengine 82379/1299023 and the same page of ModelArk. A definite 4xx means that nothing was made and
nothing is billed; a 5xx may come from anywhere behind a task that exists.
"""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import assert_never

import msgspec

from seedance_api.foundation.call import Answer
from seedance_api.providers.ark.said import cut, members, read_json
from seedance_api.providers.provider import Busy, Failed, Original, Refused, Unclear

_MAX_WAIT = 3600.0
_MEDIA = re.compile(r"contents?\[(\d{1,3})\]\.(image|video|audio)_url", re.ASCII)
_PARAM = re.compile(r"[A-Za-z][A-Za-z0-9_.\[\]]{0,59}", re.ASCII)
_REQUEST_ID = re.compile(r"[Rr]equest ?[Ii][Dd]: ?([A-Za-z0-9_-]{8,80})", re.ASCII)


class No(msgspec.Struct, frozen=True):
    """The request is at fault."""

    code: str
    message: str


class Later(msgspec.Struct, frozen=True):
    """Not taken, and the request is not at fault."""

    reason: str
    model_only: bool = False
    operator: bool = False


class Doubt(msgspec.Struct, frozen=True):
    """It may have been taken."""

    reason: str


Rule = No | Later | Doubt


def _input(what: str, why: str = "against its safety rules") -> No:
    return No("input_moderated", f"The provider refuses {what}: {why}.")


def _output(what: str) -> No:
    return No("output_moderated", f"The provider made the video and withheld it: {what} is against its safety rules.")


_PERSON = "it shows a real person"
_COPYRIGHT = "it may infringe a copyright"
_INVALID = "invalid_for_provider"
_KEY = Later("the provider does not accept the key", operator=True)
_ACCOUNT = Later("the provider's account is blocked or has an unpaid bill", operator=True)
_DENIED = Later("the provider denies the operation to this account", operator=True)
_CLOSED = Later("the model is not open to this account", model_only=True, operator=True)
_RATE = Later("the provider's rate limit is reached")
_MODEL_RATE = Later("the provider's rate limit for this model is reached", model_only=True)
_OVERLOADED = Later("the provider is overloaded", model_only=True)
_QUOTA = Later("a quota at the provider is used up", model_only=True, operator=True)

RULES: Mapping[str, Rule] = {
    # 400
    "MissingParameter": No(_INVALID, "The provider misses a parameter"),
    "InvalidParameter": No(_INVALID, "The provider refused a parameter"),
    "InvalidParameter.UnsupportedParameter": No(_INVALID, "This model does not take a parameter"),
    "InvalidParameter.TosURLInvalid": No("input_unreadable", "The provider could not read an input file."),
    "InvalidParameter.TaskTypeConstraint": No(
        _INVALID,
        "The ratio or the duration does not fit what the prompt asks for: to edit or extend a video, leave `ratio` "
        "out, and to edit one `duration` too; or set `task_type`.",
    ),
    "InvalidParameter.TaskTypeMismatch": No(
        _INVALID, "The model reads the prompt as another `task_type` than the one given: change one of them."
    ),
    "InvalidImageURL": No("input_unreadable", "The provider could not read an input image."),
    "InvalidVideoURL": No("input_unreadable", "The provider could not read an input video."),
    "InvalidAudioURL": No("input_unreadable", "The provider could not read an input sound."),
    "InvalidEndpoint": _CLOSED,
    "InputTextSensitiveContentDetected": _input("the prompt"),
    "InputTextSensitiveContentDetected.PolicyViolation": _input("the prompt", _COPYRIGHT),
    "InputImageSensitiveContentDetected": _input("an input image"),
    "InputImageSensitiveContentDetected.PrivacyInformation": _input("an input image", _PERSON),
    "InputImageSensitiveContentDetected.PolicyViolation": _input("an input image", _COPYRIGHT),
    "InputVideoSensitiveContentDetected": _input("an input video"),
    "InputVideoSensitiveContentDetected.PrivacyInformation": _input("an input video", _PERSON),
    "InputVideoSensitiveContentDetected.PolicyViolation": _input("an input video", _COPYRIGHT),
    "InputAudioSensitiveContentDetected": _input("an input sound"),
    "InputAudioSensitiveContentDetected.PolicyViolation": _input("an input sound", _COPYRIGHT),
    "InputTextRiskDetection": _input("the prompt"),
    "InputImageRiskDetection": _input("an input image"),
    "InputVideoRiskDetection": _input("an input video"),
    "InputAudioRiskDetection": _input("an input sound"),
    "OutputTextSensitiveContentDetected": _output("its text"),
    "OutputImageSensitiveContentDetected": _output("its picture"),
    "OutputVideoSensitiveContentDetected": _output("its picture"),
    "OutputAudioSensitiveContentDetected": _output("its sound"),
    "OutputTextRiskDetection": _output("its text"),
    "OutputImageRiskDetection": _output("its picture"),
    "OutputVideoRiskDetection": _output("its picture"),
    "OutputAudioRiskDetection": _output("its sound"),
    "SensitiveContentDetected": _input("the prompt or an input"),
    # the check of the content could not be made; that is no verdict on the content
    "ContentSecurityDetectionError": Later("the provider's content check does not work", model_only=True),
    "InvalidSubscription": _DENIED,
    # 401
    "AuthenticationError": _KEY,
    "InvalidAccountStatus": _ACCOUNT,
    # 403
    "AccessDenied": _DENIED,
    "AccountOverdueError": _ACCOUNT,
    "OperationDenied": _DENIED,
    "OperationDenied.ServiceNotOpen": _CLOSED,
    "OperationDenied.ServiceOverdue": _ACCOUNT,
    # 404
    "InvalidEndpointOrModel": _CLOSED,
    "ModelNotOpen": _CLOSED,
    "UnsupportedModel": _CLOSED,
    "NotFound": _CLOSED,
    # 429
    "RateLimitExceeded": _MODEL_RATE,
    "ModelAccountRpmRateLimitExceeded": _MODEL_RATE,
    "ModelAccountTpmRateLimitExceeded": _MODEL_RATE,
    "ModelAccountIpmRateLimitExceeded": _MODEL_RATE,
    "APIAccountRpmRateLimitExceeded": _RATE,
    "AccountRateLimitExceeded": _RATE,
    "RequestBurstTooFast": _RATE,
    "InflightBatchsizeExceeded": _MODEL_RATE,
    "ServerOverloaded": _OVERLOADED,
    "QuotaExceeded": _QUOTA,
    "SetLimitExceeded": _QUOTA,
    # 500
    "InternalServiceError": Doubt("the provider reports an internal error"),
}

_STATUSES: Mapping[int, Rule] = {
    400: No(_INVALID, "The provider refused the request as invalid"),
    401: _KEY,
    402: _ACCOUNT,
    403: _DENIED,
    404: _CLOSED,
    405: Later("the provider's address is wrong", operator=True),
    413: No("input_unreadable", "The input files together are larger than the provider takes."),
    422: No(_INVALID, "The provider refused the request as invalid"),
    429: _RATE,
}


def read_original(answer: Answer) -> Original:
    """What an error answer says: `{"error": {"code", "message", "param"}}`, or nothing but its status."""
    error = members(members(read_json(answer.body)).get("error"))
    message = cut(error.get("message"), 1000)
    found = _REQUEST_ID.search(message or "")
    return Original(
        status=answer.status,
        code=cut(error.get("code"), 200),
        message=message,
        param=cut(error.get("param"), 200),
        request_id=found[1] if found else answer.headers.get("x-request-id", "")[:80] or None,
    )


def why_not_started(original: Original, *, wait_seconds: float | None, final: bool = False) -> Refused | Busy | Unclear:
    """What the answer to a create means that did not name a task. `final` says that it named a draft."""
    rule = _rule(original)
    if final and isinstance(rule, No | Later) and _is_about_draft(original):
        rule = No("input_unreadable", "The provider no longer knows the draft; drafts are kept for seven days.")
    match rule:
        case No(code, message):
            return Refused(*_with_param(code, message, original.param), original)
        case Later(reason, model_only, operator):
            # one code for a used-up quota, which stays, and for too many tasks in the queue, which passes
            waits = original.code == "QuotaExceeded" and "queue" in (original.message or "").lower()
            return Busy(
                reason,
                wait_seconds=wait_seconds,
                model_only=model_only,
                operator=operator and not waits,
                original=original,
            )
        case Doubt(reason):
            return Unclear(reason)
        case _:
            assert_never(rule)


def why_failed(original: Original) -> Failed:
    """What the error of a failed task means."""
    rule = _lookup(original.code)
    match rule:
        case No(code, message):
            return Failed(*_with_param(code, message, original.param), original)
        case Later() if rule in (_OVERLOADED, _RATE, _MODEL_RATE):
            return Failed("provider_overloaded", "The provider was overloaded.", original)
        case Later() | Doubt() | None:
            return Failed("provider_failed", "The provider could not make the video.", original)
        case _:
            assert_never(rule)


def wait_of(answer: Answer) -> float | None:
    """Seconds of `Retry-After`, at most an hour. A date counts from the answer's own `Date`, not from our clock."""
    said = answer.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdecimal():
        return min(float(said[:9]), _MAX_WAIT)
    until, now = read_date(said), date_of(answer)
    if until is None or now is None:
        return None
    return min(max(0.0, float(until - now)), _MAX_WAIT)


def date_of(answer: Answer) -> int | None:
    """The vendor's clock when it answered, in Unix seconds."""
    return read_date(answer.headers.get("date", ""))


def read_date(text: str) -> int | None:
    """An HTTP date in Unix seconds."""
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _rule(original: Original) -> Rule:
    status = original.status or 0
    by_code = _lookup(original.code)
    if by_code is not None and 400 <= status < 500:
        return by_code
    if 300 <= status < 400:
        return Later("the provider's address has moved", operator=True)
    return _STATUSES.get(status) or Doubt(f"the provider answered with status {status}")


def _lookup(code: str | None) -> Rule | None:
    while code:
        if code in RULES:
            return RULES[code]
        code = code.rpartition(".")[0]
    return None


def _is_about_draft(original: Original) -> bool:
    return (original.code or "").partition(".")[0] == "NotFound" or "draft_task" in (original.param or "")


def _with_param(code: str, message: str, param: str | None) -> tuple[str, str]:
    """Name the parameter, and tell an input that was not readable from a number that was wrong."""
    if message.endswith("."):
        return code, message
    medium = _MEDIA.match(param or "")
    if medium:
        what = "sound" if medium[2] == "audio" else medium[2]
        return "input_unreadable", f"The provider could not read or use an input {what}."
    return code, f"{message}: `{param}`." if param and _PARAM.fullmatch(param) else f"{message}."
