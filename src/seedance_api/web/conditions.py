"""Conditions: the headers that say under which a read is to be answered, and how."""

import re
from collections.abc import Iterable

Conditions = dict[bytes, bytes]
_NAMES = frozenset({b"if-none-match", b"prefer"})
_IS_WAIT = re.compile(r"wait(?![\w-])", re.IGNORECASE)
_WAIT = re.compile(r"""wait\s*=\s*("?)([0-9]{1,9})\1\s*(?:;.*)?""", re.IGNORECASE)


def conditions_of(headers: Iterable[tuple[bytes, bytes]]) -> Conditions:
    """Those of a request, mostly none; a header in several lines is one list. Every poll goes through here."""
    found: Conditions = {}
    for name, value in headers:
        if name in _NAMES:
            found[name] = found[name] + b"," + value if name in found else value
    return found


def none_match(conditions: Conditions) -> str:
    """The ETags of the answers that the client has."""
    return conditions.get(b"if-none-match", b"").decode("latin-1")


def preferred_wait(conditions: Conditions) -> int:
    """The seconds of `Prefer: wait=…`, the first of them; 0 without one, or one that is wrong, which RFC 7240 has
    ignored."""
    for part in conditions.get(b"prefer", b"").decode("latin-1").split(","):
        if _IS_WAIT.match(part.strip()):
            found = _WAIT.fullmatch(part.strip())
            return int(found[2]) if found else 0
    return 0
