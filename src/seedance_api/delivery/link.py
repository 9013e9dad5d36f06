"""Links to content: signed, short-lived, for one file of one video, and instead of a key. Pure.

The token says what it leads to in plain text and ends in a MAC over that and over the file's digest, so that a link
to one file never leads to another that took its place.
"""

import base64
import hashlib
import hmac
import re
from typing import Literal

import msgspec

from seedance_api.foundation.secrets import derive

SECONDS = (60, 86_400)
DEFAULT_SECONDS = 900

_PURPOSE = "seedance link to content, 1"
_TOKEN = re.compile(r"(vid_[0-9a-z]{26})\.(video|last_frame|thumbnail)\.([1-9][0-9]{0,10})\.([A-Za-z0-9_-]{43})")


class Linked(msgspec.Struct, frozen=True):
    """What a token says, until it is verified against the file's digest. `expires_at` is in Unix seconds."""

    generation_id: str
    variant: str
    expires_at: int
    token: str


def link_key(pepper: bytes) -> bytes:
    """The key that links are signed with: of the installation's pepper, and for this purpose only."""
    return derive(pepper, _PURPOSE)


def sign(key: bytes, generation_id: str, variant: str, sha256: str, expires_at: int) -> str:
    """The token of a link."""
    signed = f"{generation_id}.{variant}.{expires_at}"
    mac = hmac.digest(key, f"{signed}.{sha256}".encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def read(token: str) -> Linked | None:
    """What a token says; None for what is no token."""
    match = _TOKEN.fullmatch(token)
    return Linked(match[1], match[2], int(match[3]), token) if match else None


def verify(key: bytes, linked: Linked, sha256: str, now: float) -> Literal["good", "forged", "over"]:
    """Whether we signed it for the file with this digest, and whether it is still good. A forged one is never over."""
    mine = sign(key, linked.generation_id, linked.variant, sha256, linked.expires_at)
    if not hmac.compare_digest(mine.encode(), linked.token.encode()):
        return "forged"
    return "good" if now < linked.expires_at else "over"
