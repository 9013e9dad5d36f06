"""Conditions: the headers that say under which a read is to be answered, and how."""

from collections.abc import Iterable

Conditions = dict[bytes, bytes]
_NAMES = frozenset({b"if-none-match", b"prefer"})


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
