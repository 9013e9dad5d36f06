"""What messages about a value share: what was given, and what is allowed."""

import json
import re
from collections.abc import Sequence

_WORD = re.compile(r"[+-]?[A-Za-z0-9][A-Za-z0-9_.:-]{0,23}")
_MAX_NUMBER = 10**15


def got(value: object) -> str:
    """What was given, as the end of a message about it: a number, true or false, or a word shorter than any key.

    Other texts are not told back: they may hold a prompt or a secret, and most clients log the message.
    """
    match value:
        case "":
            return " (got an empty string)"
        case bool() | int() | float() if abs(value) < _MAX_NUMBER:
            return f" (got {json.dumps(value)})"
        case str() if _WORD.fullmatch(value):
            return f" (got {value})"
        case _:
            return ""


def either(allowed: Sequence[str]) -> str:
    """What is allowed, in words: `a, b or c`."""
    *others, last = allowed
    return f"{', '.join(others)} or {last}" if others else last
