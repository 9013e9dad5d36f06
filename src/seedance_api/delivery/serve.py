"""Serve: which bytes of a file answer a request. Pure; the face sends them. RFC 9110 §13 and §14."""

import re

import msgspec

from seedance_api.foundation.errors import AppError
from seedance_api.foundation.etag import lists

_OTHER_UNIT = re.compile(r"\s*(?!bytes=)[A-Za-z][\w-]*=")
_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")


class Part(msgspec.Struct, frozen=True):
    """The bytes from `start` up to but without `end` of a file of `size` bytes."""

    status: int
    start: int
    end: int
    size: int

    @property
    def length(self) -> int:
        """How many bytes are sent."""
        return self.end - self.start


def choose(
    size: int,
    etag: str,
    *,
    wanted: str | None = None,
    if_range: str | None = None,
    if_none_match: str | None = None,
) -> Part | None:
    """The part that answers the request; None when the caller has the file already (304).

    Raises AppError 416 for a malformed range, one outside the file, or more than one: a list of ranges would let a
    short request make us send the file many times over.
    """
    if if_none_match is not None and lists(if_none_match, etag):
        return None
    # a range in a unit that we do not know is ignored: RFC 9110 §14.2
    if wanted is None or _OTHER_UNIT.match(wanted) or (if_range is not None and if_range.strip() != etag):
        return Part(200, 0, size, size)
    match = _ONE_RANGE.match(wanted.strip())
    if match is None or not (match[1] or match[2]):
        raise _unsatisfiable(size)
    if match[1]:
        start, end = int(match[1]), min(int(match[2]) + 1 if match[2] else size, size)
    else:  # the last n bytes
        start, end = max(0, size - int(match[2])), size
    if start >= end:
        raise _unsatisfiable(size)
    return Part(206, start, end, size)


def _unsatisfiable(size: int) -> AppError:
    return AppError("range_not_satisfiable", param="Range", headers={"Content-Range": f"bytes */{size}"})
