"""What the vendor's errors mean for us: by the exact code, then by what stands before its dots, then by the status.

The codes: Volcengine 82379/1299023 and the same page of ModelArk. A definite 4xx means that nothing was made and
nothing is billed; a 5xx may come from anywhere behind a task that exists.
"""

from collections.abc import Mapping

import msgspec

from seedance_api.providers.provider import Original


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
RATE = Later("the provider's rate limit is reached")
MODEL_RATE = Later("the provider's rate limit for this model is reached", model_only=True)
OVERLOADED = Later("the provider is overloaded", model_only=True)
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
    "RateLimitExceeded": MODEL_RATE,
    "ModelAccountRpmRateLimitExceeded": MODEL_RATE,
    "ModelAccountTpmRateLimitExceeded": MODEL_RATE,
    "ModelAccountIpmRateLimitExceeded": MODEL_RATE,
    "APIAccountRpmRateLimitExceeded": RATE,
    "AccountRateLimitExceeded": RATE,
    "RequestBurstTooFast": RATE,
    "InflightBatchsizeExceeded": MODEL_RATE,
    "ServerOverloaded": OVERLOADED,
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
    429: RATE,
}


def rule_of(original: Original) -> Rule:
    """What an error answer means."""
    status = original.status or 0
    by_code = rule_of_code(original.code)
    if by_code is not None and 400 <= status < 500:
        return by_code
    if 300 <= status < 400:
        return Later("the provider's address has moved", operator=True)
    return _STATUSES.get(status) or Doubt(f"the provider answered with status {status}")


def rule_of_code(code: str | None) -> Rule | None:
    """What a code means; None for one that is not known."""
    while code:
        if code in RULES:
            return RULES[code]
        code = code.rpartition(".")[0]
    return None
