"""What the vendor's answers say that are errors, and the outcome that each is; what its codes mean is in `rules.py`."""

import re
from email.utils import parsedate_to_datetime
from typing import assert_never

from seedance_api.foundation.call import Answer
from seedance_api.providers.ark.rules import MODEL_RATE, OVERLOADED, RATE, Doubt, Later, No, rule_of, rule_of_code
from seedance_api.providers.ark.said import cut, members, read_json
from seedance_api.providers.provider import Busy, Failed, Original, Refused, Unclear

_MAX_WAIT = 3600.0
_MEDIA = re.compile(r"contents?\[(\d{1,3})\]\.(image|video|audio)_url", re.ASCII)
_PARAM = re.compile(r"[A-Za-z][A-Za-z0-9_.\[\]]{0,59}", re.ASCII)
_REQUEST_ID = re.compile(r"[Rr]equest ?[Ii][Dd]: ?([A-Za-z0-9_-]{8,80})", re.ASCII)


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
    rule = rule_of(original)
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
    rule = rule_of_code(original.code)
    match rule:
        case No(code, message):
            return Failed(*_with_param(code, message, original.param), original)
        case Later() if rule in (OVERLOADED, RATE, MODEL_RATE):
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
