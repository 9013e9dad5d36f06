"""The one error shape on the wire, for our refusals, the framework's and our own faults."""

import errno
import re
from typing import Any

import msgspec
import structlog
from litestar import Response
from litestar.exceptions import HTTPException
from litestar.types import Send
from obstore.exceptions import BaseError

from seedance_api.foundation.concurrency_limit import BusyError
from seedance_api.foundation.db import CONTENDED, NO_ROOM, UNREACHABLE
from seedance_api.foundation.disk import FULL
from seedance_api.foundation.error_codes import CODES
from seedance_api.foundation.errors import AppError, Problem

_log = structlog.get_logger()
_STORAGE = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.ENODEV}
)
"""What a disk answers that is gone, read-only or broken."""


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong. `errors` lists every problem of a request, `param` is the place of the first."""

    code: str
    """What went wrong; see the table of codes."""
    message: str
    """The same in a sentence. It never repeats your prompt or your key."""
    type: str
    """The family of the code."""
    param: str | None
    """Where the first problem is."""
    request_id: str
    """Names this request; also in the `X-Request-Id` header."""
    errors: list[Problem]
    """Every problem that was found, each with `path`, `code` and `message`, and where it helps with `value`, `allowed`
    and the `models` that would take it."""


class ErrorView(msgspec.Struct, frozen=True):
    """The envelope."""

    error: ErrorBody


def encode(error: AppError, request_id: str) -> bytes:
    """The body of a refusal."""
    body = ErrorBody(
        code=error.code,
        message=error.message,
        type=error.type,
        param=error.param,
        request_id=request_id,
        errors=list(error.problems),
    )
    # a key that was sent in the wrong place must not be sent back: answers are logged by others
    return _KEY.sub(rb"sda_\1_***", msgspec.json.encode(ErrorView(body)))


_KEY = re.compile(rb"sda_(live|test)_[0-9A-Za-z]{4,}")


def headers_of(error: AppError) -> dict[str, str]:
    """The headers of a refusal; clients that would try a hopeless request again are told not to."""
    retry = "true" if CODES[error.code].retry else "false"
    own = {name.lower(): value for name, value in error.headers.items()}
    return {"content-type": "application/json", "x-should-retry": retry} | own


def as_app_error(error: Exception, request_id: str) -> AppError:
    """Any exception as a refusal. What is neither ours nor the framework's is a fault, logged without its text."""
    if isinstance(error, AppError):
        return error
    if isinstance(error, HTTPException):
        match error.status_code:
            case 404:
                return AppError("not_found", "There is nothing at this address.")
            case 405:
                return AppError("method_not_allowed", headers=dict(error.headers or {}))
            case 413:
                return AppError("body_too_large")
            case status if status < 500:
                return AppError("invalid_request", "The request is malformed.")
            case _:
                pass
    if isinstance(error, NO_ROOM) or (isinstance(error, OSError) and error.errno in FULL):
        _log.error("request.storage_full", request_id=request_id, exc_info=error)
        return AppError("storage_full", headers={"Retry-After": "30"})
    if isinstance(error, BaseError) or (isinstance(error, OSError) and error.errno in _STORAGE):
        _log.error("request.storage_unavailable", request_id=request_id, exc_info=error)
        return AppError("storage_unavailable", headers={"Retry-After": "30"})
    if isinstance(error, BusyError):
        _log.warning("request.too_busy", request_id=request_id)
        return AppError("too_busy", headers={"Retry-After": "1"})
    if isinstance(error, (*UNREACHABLE, *CONTENDED)):
        _log.error("request.unavailable", request_id=request_id, exc_info=error)
        return AppError("unavailable", headers={"Retry-After": "2"})
    _log.error("request.failed", request_id=request_id, exc_info=error)
    return AppError("internal_error")


def handle(request: Any, error: Exception) -> Response[bytes]:
    """Litestar's exception handler."""
    request_id: str = request.scope.get("request_id", "")
    refusal = as_app_error(error, request_id)
    headers = headers_of(refusal)
    kind = headers.pop("content-type")
    return Response(encode(refusal, request_id), status_code=refusal.status, media_type=kind, headers=headers)


async def send_error(send: Send, scope: Any, error: AppError) -> None:
    """A refusal from a plain ASGI handler that has not answered yet."""
    body = encode(error, scope.get("request_id", ""))
    headers = [(key.encode(), value.encode("latin-1")) for key, value in headers_of(error).items()]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body, "more_body": False})
