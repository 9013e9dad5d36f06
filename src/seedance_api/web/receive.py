"""Receive a body: what its head says of it is checked first, and then how much comes, and how fast."""

import asyncio
import re
from collections.abc import AsyncIterator

from litestar.datastructures import Headers
from litestar.types import Receive
from multipart import parse_options_header

from seedance_api.foundation.errors import AppError
from seedance_api.foundation.transfer import Floor
from seedance_api.web.budget import Lease

_TYPE = re.compile(r"[a-z0-9.+*-]{1,60}/[a-z0-9.+*-]{1,60}")
_TOKENS = re.compile(r"[a-z0-9-]{1,20}(?:, ?[a-z0-9-]{1,20}){0,3}")
_READ_SECONDS = 300.0
_IDLE_SECONDS = 20.0
MIN_BYTES_PER_SECOND = 8 << 10
"""A slower body is broken off: while it comes, it holds a connection that others need. One that holds room of a budget
must come at least as fast as what it holds would have come in `_READ_SECONDS`: whoever sends evenly never is too slow,
and whoever fills the room at once and then trickles is gone with the next look."""
_CLOSE = {"Connection": "close"}


def content_type(headers: Headers, *taken: str, hint: str = "") -> tuple[str, dict[str, str]]:
    """The Content-Type, one of those taken here, and its options. Raises AppError 415 that says what was sent."""
    check_encoding(headers)
    header = headers.get("content-type", "")
    kind, options = parse_options_header(header)
    if kind in taken:
        return kind, options
    given = f"The Content-Type is `{kind}`" if _TYPE.fullmatch(kind) else "The Content-Type is malformed"
    given = given if header.strip() else "There is no Content-Type"
    send = " or ".join(taken) + (f" {hint}" if hint else "")
    if kind == "application/x-www-form-urlencoded" and "application/json" in taken:
        send += ' (with curl: -H "Content-Type: application/json")'
    raise AppError("unsupported_media_type", f"{given}; send {send}.", param="Content-Type")


def check_encoding(headers: Headers) -> None:
    """Raises AppError 415 for a body that is compressed (RFC 9110 §8.4; the answer's header is RFC 7694's)."""
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return
    shown = encoding if _TOKENS.fullmatch(encoding) else "of an unknown encoding"
    message = f"The body is {shown} (Content-Encoding), which is not unpacked here; send it uncompressed."
    accepted = {"Accept-Encoding": "identity"}
    raise AppError("unsupported_media_type", message, param="Content-Encoding", headers=accepted)


def check_size(headers: Headers, max_bytes: int) -> None:
    """Raises AppError 413 before a byte is read when the Content-Length is too much."""
    text = headers.get("content-length", "")
    if text.isdecimal() and (len(text) > 15 or int(text) > max_bytes):
        raise _too_large(max_bytes)


def declared_size(headers: Headers) -> int:
    """Bytes that the body is said to have; 0 where it comes without saying."""
    text = headers.get("content-length", "")
    return int(text) if text.isdecimal() else 0


def _too_large(max_bytes: int) -> AppError:
    """A 413 that says the bound."""
    return AppError("body_too_large", f"The body is larger than {max_bytes >> 20} MiB.", headers=_CLOSE)


def _too_slow(message: str) -> AppError:
    """A 408. Nothing was done, so the same request may be sent again."""
    return AppError("request_timeout", message, headers=_CLOSE)


async def chunks(receive: Receive, max_bytes: int, lease: Lease | None = None) -> AsyncIterator[bytes]:
    """The body as it arrives, from the server itself: the framework's own stream takes a cut body for a whole one.

    `lease` is the room that it is given. Raises AppError: 408 when it stops or is too slow, 413, 400 when it is cut.
    """
    read = 0
    now = asyncio.get_running_loop().time
    end = now() + _READ_SECONDS
    floor = Floor(MIN_BYTES_PER_SECOND, _IDLE_SECONDS)
    floor.begin(now(), 0)
    while True:
        try:
            async with asyncio.timeout(min(_IDLE_SECONDS, end - now())):
                event = await receive()
        except TimeoutError:
            late = now() >= end
            said = f"did not arrive within {_READ_SECONDS:g}" if late else f"stopped for {_IDLE_SECONDS:g}"
            raise _too_slow(f"The body {said} seconds, which is as long as we wait. Send it again.") from None
        except RuntimeError:  # its framing is broken
            raise AppError("body_incomplete", headers=_CLOSE) from None
        if event["type"] != "http.request":
            raise AppError("body_incomplete", headers=_CLOSE)
        read += len(event["body"])
        if read > max_bytes:
            raise _too_large(max_bytes)
        if lease is not None:
            floor.bytes_a_second = max(MIN_BYTES_PER_SECOND, lease.held / _READ_SECONDS)
        if event["more_body"] and floor.broken(now(), read):
            least = f"{floor.bytes_a_second:.0f} bytes a second"
            raise _too_slow(f"The body comes slower than {least}, the least for what is there of it. Send it again.")
        yield event["body"]
        if not event["more_body"]:
            return
