"""Identifiers: a prefix that says what it names, and a UUIDv7 in base32, so that ids sort by time."""

import os
import struct
import time
from collections import deque
from datetime import UTC, datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 26
_TIME_LENGTH = 10
_ALLOWED = frozenset(_ALPHABET)


def new_id(prefix: str, *, at: float | None = None) -> str:
    """A new id such as `vid_01k2…`. Crockford's base32 keeps the order of the 128 bits under the C collation.

    `at` are its Unix seconds: by the database's clock where lists go by ids that several machines make. Without it they
    are this machine's.
    """
    return f"{prefix}_{_base32(_uuid7(time.time_ns() if at is None else int(at * 1e9)))}"


def is_id(prefix: str, text: str) -> bool:
    """Whether `text` has the form of an id with this prefix. Answers without a query."""
    head, _, tail = text.partition("_")
    return head == prefix and len(tail) == _LENGTH and _ALLOWED.issuperset(tail)


def id_at(prefix: str, moment: datetime) -> str:
    """What sorts before every id of this millisecond, and behind every id of the one before."""
    milliseconds = max(0, int(moment.timestamp() * 1000)) & ((1 << 48) - 1)
    return f"{prefix}_{_base32(milliseconds << 80)[:_TIME_LENGTH]}"


def moment_of(text: str) -> datetime:
    """The millisecond in which an id was made. Raises ValueError for one of a year above 9999, which none is."""
    number = 0
    for letter in text.rpartition("_")[2][:_TIME_LENGTH]:
        number = number << 5 | _ALPHABET.index(letter)
    return datetime.fromtimestamp(number / 1000, UTC)


def _uuid7(nanoseconds: int) -> int:
    """RFC 9562 §5.7, with the fraction of the millisecond in `rand_a` (§6.2, method 3): as its clock counts upwards."""
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    random = _random64() & ((1 << 62) - 1)
    return (milliseconds & ((1 << 48) - 1)) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random


_READ_AT_ONCE = 64
_spare: deque[int] = deque()
os.register_at_fork(after_in_child=_spare.clear)  # or both processes would make the same ids


def _random64() -> int:
    """64 random bits. They are read from the system many at a time, which else is half of the work of an id."""
    try:
        return _spare.pop()
    except IndexError:
        first, *others = struct.unpack(f"{_READ_AT_ONCE}Q", os.urandom(8 * _READ_AT_ONCE))
        _spare.extend(others)
        return first


_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS = range(120, -1, -10)


def _base32(number: int) -> str:
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])
