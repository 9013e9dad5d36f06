"""Everything this client raises."""
# ruff: noqa: N818 – `except NotFound` reads as what happened; all of them end in SeedanceError

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import msgspec

if TYPE_CHECKING:
    from seedance.objects import Video


class SeedanceError(Exception):
    """The base of all errors raised by this client."""


class ConfigurationError(SeedanceError):
    """No usable API key or base URL, or a package that is needed and not installed."""


class ConnectionFailed(SeedanceError):
    """The server could not be reached, or its answer was lost, after all retries."""


class UnexpectedAnswer(SeedanceError):
    """What answered does not speak Seedance API."""


class DownloadFailed(SeedanceError):
    """A download could not be completed; no target file was left."""


class WebhookInvalid(SeedanceError):
    """What came is no webhook of the service: not signed with the secret, too old, or malformed."""


class ReceiptInvalid(SeedanceError):
    """A receipt is not signed with the key, or has been changed since."""


class VideoFailed(SeedanceError):
    """A video ended as failed or canceled."""

    def __init__(self, video: Video) -> None:
        self.video = video
        reason = f": {video.error.message} ({video.error.code})" if video.error else ""
        super().__init__(f"video {video.id} {video.status}{reason}")


class WaitTimeout(SeedanceError):
    """A video was not finished in the time given; it goes on being made."""

    def __init__(self, video_id: str, timeout_seconds: float, video: Video | None) -> None:
        self.video_id = video_id
        self.video = video
        state = f" (last seen {video.status}, {video.progress:g} %)" if video else ""
        super().__init__(f"video {video_id} was not finished after {timeout_seconds:g} s{state}")


# What `allowed` is called where a request is refused for its price; `value` is then what it needs.
PRICED = {"insufficient_balance": "left", "limit_reached": "left", "max_cost_exceeded": "allowed"}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong with a request."""

    message: str = ""
    path: str | None = None
    code: str | None = None
    value: Any = None
    allowed: Any = None
    models: Any = None

    def __str__(self) -> str:
        return self.beside("")

    def beside(self, said: str) -> str:
        """All of it but what has been `said` already; empty if nothing is left but the path."""
        text = "" if self.message and self.message == said else self.message or self.code or "not accepted"
        models = f"models that take it: {listed(self.models)}" if self.models else ""
        note = "; ".join(filter(None, [*self._bounds(), models]))
        words = f"{text} ({note})" if text and note else text or note
        return f"{self.path}: {words}" if self.path and words else words

    def _bounds(self) -> list[str]:
        if self.code in PRICED:
            amounts = {"needed": self.value, PRICED[self.code]: self.allowed}
            return [f"{name} {amount}" for name, amount in amounts.items() if amount is not None]
        return [
            f"given {shorten(self.value)}" if self.value is not None else "",
            f"allowed: {listed(self.allowed)}" if self.allowed else "",
        ]


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """The `error` object of an answer."""

    message: str = ""
    code: str | None = None
    type: str | None = None
    param: str | None = None
    request_id: str | None = None
    errors: list[Problem] | None = None


class APIError(SeedanceError):
    """The service refused a request; `errors` lists every problem found in it."""

    def __init__(self, body: ErrorBody, *, status: int, retry_after: float | None = None) -> None:
        self.status = status
        self.code = body.code or f"http_{status}"
        self.message = body.message or f"HTTP {status}"
        self.type = body.type
        self.param = body.param
        self.request_id = body.request_id
        self.errors: list[Problem] = body.errors or []
        self.retry_after = retry_after
        super().__init__(self.describe())

    def name_file(self, name: str) -> None:
        """Say which of the files on this machine was refused: the service knows it as `file`."""
        said, self.message = self.message, f"{name}: {self.message.removeprefix('`file`: ')}"
        self.errors = [
            msgspec.structs.replace(one, message=self.message) if one.message == said else one for one in self.errors
        ]
        self.args = (self.describe(),)

    def describe(self) -> str:
        request = f", request {self.request_id}" if self.request_id else ""
        lines = [f"{self.message} ({self.status} {self.code}{request})"]
        lines += [f"  - {rest}" for problem in self.errors if (rest := problem.beside(self.message))]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "status": self.status,
            "request_id": self.request_id,
            "errors": msgspec.to_builtins(self.errors),
        }


class BadRequest(APIError):
    """400"""


class AuthenticationError(APIError):
    """401: the key is missing, wrong or revoked."""


class PaymentRequired(APIError):
    """402: the balance, a spending limit or `max_cost` does not cover it. Nothing was made, nothing is charged."""

    @property
    def needed(self) -> Decimal | None:
        """What would have been held."""
        return next((amount for problem in self.errors if (amount := decimal_of(problem.value)) is not None), None)

    @property
    def left(self) -> Decimal | None:
        """What the balance, the limit or `max_cost` leaves."""
        return next((amount for problem in self.errors if (amount := decimal_of(problem.allowed)) is not None), None)


class PermissionDenied(APIError):
    """403"""


class NotFound(APIError):
    """404"""


class Conflict(APIError):
    """409: not possible in the present state, or an idempotency key used for something else."""


class Gone(APIError):
    """410: the content has been deleted."""


class TooLarge(APIError):
    """413"""


class UnsupportedMedia(APIError):
    """415"""


class RangeNotSatisfiable(APIError):
    """416"""


class Unprocessable(APIError):
    """422: well-formed but not possible; see `errors`."""


class RateLimited(APIError):
    """429: see `retry_after`, in seconds."""


class ServerError(APIError):
    """5xx"""


BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequest,
    401: AuthenticationError,
    402: PaymentRequired,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: TooLarge,
    415: UnsupportedMedia,
    416: RangeNotSatisfiable,
    422: Unprocessable,
    429: RateLimited,
}


def api_error(status: int, body: bytes, *, url: str, request_id: str | None, retry_after: float | None) -> APIError:
    """The error for an answer of `status`, whatever a proxy in between made of its body."""
    try:
        content = msgspec.json.decode(body)["error"]
        parsed = msgspec.convert(content, ErrorBody)
    except (msgspec.MsgspecError, UnicodeDecodeError, TypeError, KeyError, IndexError):
        # A proxy before the service answers 5xx in words of its own; any other answer is none of the service.
        hint = "" if status >= 500 else ": check the base URL"
        parsed = ErrorBody(message=f"{url} answered HTTP {status} without the error of a Seedance API service{hint}")
    if parsed.request_id is None and request_id is not None:
        parsed = msgspec.structs.replace(parsed, request_id=request_id)
    kind = BY_STATUS.get(status, ServerError if status >= 500 else APIError)
    return kind(parsed, status=status, retry_after=retry_after)


def shorten(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}…"


def listed(value: object) -> str:
    """Allowed values in words: a list, bounds such as {"min": 4, "max": 15}, or one value."""
    if isinstance(value, list):
        return ", ".join(str(item) for item in cast("list[object]", value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {item}" for name, item in cast("dict[str, object]", value).items())
    return str(value)


def decimal_of(value: object) -> Decimal | None:
    try:
        return Decimal(value) if isinstance(value, str) else None
    except ArithmeticError:
        return None
