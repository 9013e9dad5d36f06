"""Parts of what somebody else said in JSON: each is of the wanted kind, or it is not there."""

import re
from collections.abc import Mapping
from typing import cast

import msgspec

_MAX_INTEGER = 2**53
_WHOLE = re.compile(r"[0-9]{1,15}", re.ASCII)


def read_json(body: bytes) -> object:
    """The JSON in a body; None where there is none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def members(said: object) -> Mapping[str, object]:
    """The members of an object; none where it is something else."""
    return cast("Mapping[str, object]", said) if isinstance(said, dict) else {}


def text(said: object, max_chars: int) -> str | None:
    """Text of at most so many characters."""
    return said if isinstance(said, str) and 0 < len(said) <= max_chars else None


def cut(said: object, max_chars: int) -> str | None:
    """Text, cut off after so many characters."""
    return said[:max_chars] if isinstance(said, str) and said else None


def fitting(form: re.Pattern[str], said: object) -> str | None:
    """Text of this form."""
    return said if isinstance(said, str) and form.fullmatch(said) else None


def flag(said: object) -> bool | None:
    """True or false."""
    return said if isinstance(said, bool) else None


def whole(said: object) -> int | None:
    """A whole number that is not negative; BytePlus' schema prints some as text (ModelArk 1521309)."""
    if isinstance(said, str) and _WHOLE.fullmatch(said):
        said = int(said)
    if isinstance(said, float) and said.is_integer():
        said = int(said)
    if isinstance(said, bool) or not isinstance(said, int):
        return None
    return said if 0 <= said < _MAX_INTEGER else None
