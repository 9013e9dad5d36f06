"""What came of an exchange with somebody else's server."""

from typing import Literal

import msgspec

from seedance_api.foundation.address import Blocked


class Downloaded(msgspec.Struct, frozen=True):
    """The body is in the file, whole. `content_type` is lower-case, without parameters."""

    bytes: int
    content_type: str | None
    sha256: str


class Unreachable(msgspec.Struct, frozen=True):
    """Nothing usable came back; `status` is the server's answer where there was one other than 200.

    `busy` says nothing of the server: none of our own connections was free.
    """

    code: Literal["connect", "timeout", "broken", "encoding", "status", "busy"]
    message: str
    status: int | None = None


class TooLarge(msgspec.Struct, frozen=True):
    """The body is, or says it is, larger than the caller takes."""

    max_bytes: int
    message: str


class TooSlow(msgspec.Struct, frozen=True):
    """The exchange did not end within its time, or for `seconds` less came than the caller puts up with."""

    seconds: float
    message: str


class Posted(msgspec.Struct, frozen=True):
    """The server took the request and answered with this status, whatever it is.

    `retry_after` is the seconds after which it wants to be asked again, where it says so.
    """

    status: int
    retry_after: float | None = None


Post = Posted | Blocked | Unreachable | TooSlow
Download = Downloaded | Blocked | Unreachable | TooLarge | TooSlow
