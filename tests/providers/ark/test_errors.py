"""Each of the vendor's codes, and what it means for us."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedance_api.foundation.call import Answer
from seedance_api.generations.states import FAILURES
from seedance_api.providers.ark.errors import read_original, wait_of, why_failed, why_not_started
from seedance_api.providers.ark.rules import RULES, No
from seedance_api.providers.provider import Busy, Failed, Original, Refused, Unclear

MODERATED, WITHHELD, UNREADABLE, INVALID = (
    "input_moderated",
    "output_moderated",
    "input_unreadable",
    "invalid_for_provider",
)


def answer(status: int, code: str | None, param: str = "", message: str = "No.", **headers: str) -> Answer:
    body = {"error": {"code": code, "message": message, "param": param, "type": "BadRequest"}}
    return Answer(status, json.dumps(body).encode(), headers)


def judged(status: int, code: str | None, param: str = "", message: str = "No.", **more):
    original = read_original(answer(status, code, param, message))
    return why_not_started(original, wait_seconds=None, **more)


REFUSALS = [
    (400, "MissingParameter", INVALID),
    (400, "MissingParameter.Content", INVALID),
    (400, "InvalidParameter", INVALID),
    (400, "InvalidParameter.Ratio", INVALID),
    (400, "InvalidParameter.UnsupportedParameter", INVALID),
    (400, "InvalidParameter.TosURLInvalid", UNREADABLE),
    (400, "InvalidParameter.TaskTypeConstraint", INVALID),
    (400, "InvalidParameter.TaskTypeMismatch", INVALID),
    (400, "InvalidImageURL.EmptyURL", UNREADABLE),
    (400, "InvalidImageURL.InvalidFormat", UNREADABLE),
    *[
        (400, f"Input{kind}SensitiveContentDetected{suffix}", MODERATED)
        for kind in ("Text", "Image", "Video", "Audio")
        for suffix in ("", ".PrivacyInformation", ".PolicyViolation", ".Else")
    ],
    *[(400, f"Input{kind}RiskDetection", MODERATED) for kind in ("Text", "Image", "Video", "Audio")],
    (400, "OutputVideoSensitiveContentDetected", WITHHELD),
    (400, "OutputVideoSensitiveContentDetected.PolicyViolation", WITHHELD),
    (400, "OutputAudioSensitiveContentDetected", WITHHELD),
    (400, "OutputVideoRiskDetection", WITHHELD),
    (400, "SensitiveContentDetected", MODERATED),
    (400, "SensitiveContentDetected.SevereViolation", MODERATED),
    (400, "SensitiveContentDetected.Violence", MODERATED),
    (400, "SomethingNew", INVALID),
    (422, None, INVALID),
    (413, None, UNREADABLE),
]
BUSY = [  # status, code, model_only, operator
    (400, "InvalidEndpoint.ClosedEndpoint", True, True),
    (400, "InvalidSubscription", False, True),
    (400, "ContentSecurityDetectionError", True, False),
    (401, "AuthenticationError", False, True),
    (401, "InvalidAccountStatus", False, True),
    (401, "SomethingNew", False, True),
    (402, None, False, True),
    (403, "AccessDenied", False, True),
    (403, "AccountOverdueError", False, True),
    (403, "OperationDenied.PermissionDenied", False, True),
    (403, "OperationDenied.ServiceNotOpen", True, True),
    (403, "OperationDenied.ServiceOverdue", False, True),
    (403, "OperationDenied.InvalidState", False, True),
    (403, "OperationDenied.UnsupportedPhase", False, True),
    (403, "OperationDenied.ArkAccessRoleNotFound", False, True),
    (403, "OperationDenied.TosAccessDenied", False, True),
    (404, "InvalidEndpointOrModel.NotFound", True, True),
    (404, "InvalidEndpointOrModel.ModelIDAccessDisabled", True, True),
    (404, "ModelNotOpen", True, True),
    (404, "UnsupportedModel", True, True),
    (404, "NotFound.ID", True, True),
    (404, None, True, True),
    (405, None, False, True),
    (307, None, False, True),
    (429, "RateLimitExceeded.EndpointRPMExceeded", True, False),
    (429, "RateLimitExceeded.EndpointTPMExceeded", True, False),
    (429, "RateLimitExceeded.FoundationModelRPMExceeded", True, False),
    (429, "RateLimitExceeded.TPDExceeded", True, False),
    (429, "ModelAccountRpmRateLimitExceeded", True, False),
    (429, "ModelAccountTpmRateLimitExceeded", True, False),
    (429, "ModelAccountIpmRateLimitExceeded", True, False),
    (429, "APIAccountRpmRateLimitExceeded", False, False),
    (429, "AccountRateLimitExceeded", False, False),
    (429, "QuotaExceeded", True, True),
    (429, "SetLimitExceeded", True, True),
    (429, "InflightBatchsizeExceeded", True, False),
    (429, "ServerOverloaded", True, False),
    (429, "RequestBurstTooFast", False, False),
    (429, "SomethingNew", False, False),
]
UNCLEAR = [
    (500, "InternalServiceError"),
    (500, "InvalidParameter"),
    (502, None),
    (503, None),
    (504, "AuthenticationError"),
    (599, None),
    (408, None),
    (409, None),
    (425, None),
    (499, None),
    (200, None),
    (200, "InvalidParameter"),
    (200, "ServerOverloaded"),
    (503, "ServerOverloaded"),
    (204, None),
    (101, None),
    (0, None),
]


@pytest.mark.parametrize(("status", "code", "ours"), REFUSALS)
def test_a_refusal(status, code, ours):
    outcome = judged(status, code)
    assert isinstance(outcome, Refused)
    assert outcome.code == ours
    assert ours in FAILURES
    assert outcome.message.endswith(".")
    assert outcome.original is not None
    assert (outcome.original.status, outcome.original.code) == (status, code)


@pytest.mark.parametrize(("status", "code", "model_only", "operator"), BUSY)
def test_another_time_or_another_provider(status, code, model_only, operator):
    outcome = judged(status, code)
    assert isinstance(outcome, Busy)
    assert (outcome.model_only, outcome.operator) == (model_only, operator)


@pytest.mark.parametrize(("status", "code"), UNCLEAR)
def test_no_clear_answer(status, code):
    assert isinstance(judged(status, code), Unclear)


def test_every_code_of_the_table_is_tested():
    tested = {code for _, code, *_ in [*REFUSALS, *BUSY, *UNCLEAR] if code}
    heads = {part for code in tested for part in (code, code.partition(".")[0])}
    assert set(RULES) - heads <= {
        *("InvalidVideoURL", "InvalidAudioURL", "OutputTextSensitiveContentDetected", "OutputTextRiskDetection"),
        *("OutputImageSensitiveContentDetected", "OutputImageRiskDetection", "OutputAudioRiskDetection"),
    }
    assert {rule.code for rule in RULES.values() if isinstance(rule, No)} <= set(FAILURES)


@pytest.mark.parametrize(
    ("param", "code", "says"),
    [
        ("ratio", INVALID, "The provider refused a parameter: `ratio`."),
        ("content[2].image_url", UNREADABLE, "The provider could not read or use an input image."),
        ("content[0].audio_url", UNREADABLE, "The provider could not read or use an input sound."),
        ("", INVALID, "The provider refused a parameter."),
        ("a lake <b>", INVALID, "The provider refused a parameter."),
    ],
)
def test_the_parameter_is_named(param, code, says):
    outcome = judged(400, "InvalidParameter", param)
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.message) == (code, says)


def test_a_draft_that_is_gone_is_the_requests_fault():
    outcome = judged(404, "NotFound.ID", final=True)
    assert isinstance(outcome, Refused)
    assert outcome.code == UNREADABLE


def test_a_full_queue_passes_by_itself_and_a_used_up_quota_does_not():
    outcome = judged(429, "QuotaExceeded", message="Too many tasks in the queue")
    assert isinstance(outcome, Busy)
    assert not outcome.operator


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        ("OutputVideoSensitiveContentDetected", WITHHELD),
        ("OutputAudioSensitiveContentDetected.PolicyViolation", WITHHELD),
        ("InputImageSensitiveContentDetected.PrivacyInformation", MODERATED),
        ("InvalidParameter.TaskTypeConstraint", INVALID),
        ("InvalidParameter.TaskTypeMismatch", INVALID),
        ("ServerOverloaded", "provider_overloaded"),
        ("InternalServiceError", "provider_failed"),
        ("AccountOverdueError", "provider_failed"),
        ("SomethingNew", "provider_failed"),
        (None, "provider_failed"),
    ],
)
def test_a_failed_task(code, ours):
    failed = why_failed(Original(code=code, message="prompt words"))
    assert isinstance(failed, Failed)
    assert failed.code == ours
    assert "prompt words" not in failed.message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "999999999999999"}, 3600.0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "²"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Tue, 24 Nov 2026 09:00:30 GMT"}, None),
        ({"retry-after": "Tue, 24 Nov 2026 09:00:30 GMT", "date": "Tue, 24 Nov 2026 09:00:00 GMT"}, 30.0),
        ({"retry-after": "Tue, 24 Nov 2026 08:00:30 GMT", "date": "Tue, 24 Nov 2026 09:00:00 GMT"}, 0.0),
    ],
)
def test_how_long_to_wait(headers, seconds):
    assert wait_of(Answer(429, b"", headers)) == seconds


def test_the_vendors_words_are_for_the_operator_only():
    said = "your prompt `a lake` is bad. Request id: 0217abcdef123456"
    outcome = judged(400, "InputTextSensitiveContentDetected", "content[0].text", said)
    assert isinstance(outcome, Refused)
    assert outcome.original == Original(
        status=400,
        code="InputTextSensitiveContentDetected",
        message=said,
        param="content[0].text",
        request_id="0217abcdef123456",
    )
    assert "lake" not in outcome.message


@given(st.integers(0, 999), st.binary(max_size=200), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_answer_is_judged(status, body, headers):
    given_answer = Answer(status, body, headers)
    outcome = why_not_started(read_original(given_answer), wait_seconds=wait_of(given_answer))
    if status < 400 or status >= 500:
        assert isinstance(outcome, Unclear) or 300 <= status < 400


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.sampled_from([400, 401, 403, 404, 409, 429, 500, 503]),
    st.dictionaries(st.sampled_from(["code", "message", "param", "type", "x"]), anything),
)
def test_any_error_is_judged(status, error):
    outcome = why_not_started(
        read_original(Answer(status, json.dumps({"error": error}).encode(), {})), wait_seconds=None
    )
    if isinstance(outcome, Refused):
        assert outcome.code in FAILURES
