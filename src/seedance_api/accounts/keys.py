"""The form of an API key: `sda_live_` or `sda_test_`, 8 characters that name it, 32 of chance, 6 of CRC-32.

The prefix lets scanners find leaked keys; the checksum lets us refuse a mistyped one without a query.
"""

import secrets
import zlib
from enum import StrEnum

import msgspec

from seedance_api.foundation.secrets import digest, same

PREFIX = "sda_"
"""What every key begins with."""
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ALLOWED = frozenset(_BASE62)
_HANDLE, _CHANCE, _CHECK = 8, 32, 6
_BODY = _HANDLE + _CHANCE + _CHECK
_ABSENT = b"\0" * 32


class KeyMode(StrEnum):
    """What a key's videos are made by: `test` always by the sandbox, `live` by the configured upstreams."""

    TEST = "test"
    LIVE = "live"


class PlainKey(msgspec.Struct, frozen=True):
    """A key in plain text, on its way to or from its owner. Its repr hides it."""

    text: str
    mode: KeyMode
    handle: str

    def __repr__(self) -> str:
        return f"PlainKey({PREFIX}{self.mode}_{self.handle}…)"


def mint(mode: KeyMode) -> PlainKey:
    """A new key, of 190 bits of chance."""
    body = "".join(secrets.choice(_BASE62) for _ in range(_HANDLE + _CHANCE))
    start = f"{PREFIX}{mode}_{body}"
    return PlainKey(start + _checksum(start), mode, body[:_HANDLE])


def parse(text: str) -> PlainKey | None:
    """The parts of a well-formed key; None for one that is mistyped. One wrong letter is always found."""
    for mode in KeyMode:
        prefix = f"{PREFIX}{mode}_"
        if text.startswith(prefix):
            body = text[len(prefix) :]
            if len(body) != _BODY or not _ALLOWED.issuperset(body) or _checksum(text[:-_CHECK]) != body[-_CHECK:]:
                return None
            return PlainKey(text, mode, body[:_HANDLE])
    return None


def is_key(plain: PlainKey, pepper: bytes, stored: bytes | None) -> bool:
    """Whether it is the key of which this digest is stored. Without one it takes as long, and is false."""
    return same(stored or _ABSENT, digest(pepper, plain.text)) and stored is not None


def shown_key(mode: str, handle: str, name: str | None) -> str:
    """A key as its owner knows it: its first characters, and the name that he gave it."""
    return f"{PREFIX}{mode}_{handle}…" + (f" ({name})" if name else "")


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode("ascii", "replace"))
    digits: list[str] = []
    for _ in range(_CHECK):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))
