"""Links to reference media in our store, for an upstream that fetches them: signed, for a while, and for one object.

Pure: whoever holds a link may read that object until the link ends, and nothing else. What is signed is exactly what
is said in the link, so that a link has one spelling only.
"""

import base64
import binascii
import hashlib
import hmac
import re

import msgspec

from seedance_api.foundation.secrets import derive

LONGEST_SECONDS = 7 * 86_400
"""The longest that a link is good for: no generation lives longer."""

_PURPOSE = "seedance link to reference media, 1"
_MAC_BYTES = 32
_TOKEN_MOST = 1000
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[a-z0-9]{2,4}")
# no segment may begin with a dot, so that a key never leads out of the store's folder
_OBJECT_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_OBJECT_KEY_MOST = 400
EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/bmp": "bmp",
    "image/tiff": "tiff",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/heif": "heif",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "audio/wav": "wav",
    "audio/mpeg": "mp3",
}
"""Every type that a linked medium can have, and what its files are called."""


class Linked(msgspec.Struct, frozen=True):
    """What a link leads to, until `expires_at` in Unix seconds."""

    object_key: str
    media_type: str
    expires_at: int

    @property
    def extension(self) -> str:
        """What a file of this type is called; upstreams have been seen to look at it."""
        return EXTENSIONS[self.media_type]


def link_key(pepper: bytes) -> bytes:
    """The key that links are signed with: of the installation's pepper, and for this purpose only."""
    return derive(pepper, _PURPOSE)


def link(public_url: str, key: bytes, object_key: str, media_type: str, seconds: float, *, now: float) -> str:
    """An address at which this object can be fetched for so many seconds from now. Raises ValueError as `sign` does."""
    if not 0 < seconds <= LONGEST_SECONDS:
        raise ValueError("a link is good for a while, and no longer than any generation lives")
    token = sign(key, Linked(object_key, media_type, int(now + seconds)))
    return f"{public_url.rstrip('/')}/v1/media/{token}"


def sign(key: bytes, linked: Linked) -> str:
    """The token of a link. Raises ValueError for an object key or a media type that no reference medium has."""
    if not _is_object_key(linked.object_key) or linked.media_type not in EXTENSIONS:
        raise ValueError("only reference media are linked to")
    said = f"{linked.expires_at}\n{linked.media_type}\n{linked.object_key}".encode()
    mac = hmac.digest(key, said, hashlib.sha256)
    return f"{base64.urlsafe_b64encode(mac + said).rstrip(b'=').decode()}.{linked.extension}"


def verify(key: bytes, token: str, now: float) -> Linked | None:
    """What a token leads to; None for one that we did not sign, that was changed in any way, or that is over."""
    linked = _read(token)
    # the whole token is compared: neither spare bits of base64 nor the ending can be varied
    mine = linked is not None and hmac.compare_digest(sign(key, linked).encode(), token.encode())
    if linked is None or not mine or not now < linked.expires_at <= now + LONGEST_SECONDS:
        return None
    return linked


def _read(token: str) -> Linked | None:
    """What a token says, not believed yet."""
    if len(token) > _TOKEN_MOST or not _TOKEN.fullmatch(token):
        return None
    text = token.rpartition(".")[0]
    try:
        said = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))[_MAC_BYTES:].decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return None
    expires_at, _, rest = said.partition("\n")
    media_type, _, object_key = rest.partition("\n")
    sound = re.fullmatch(r"[1-9][0-9]{0,11}", expires_at) and media_type in EXTENSIONS and _is_object_key(object_key)
    return Linked(object_key, media_type, int(expires_at)) if sound else None


def _is_object_key(text: str) -> bool:
    return len(text) <= _OBJECT_KEY_MOST and _OBJECT_KEY.fullmatch(text) is not None
