"""The digest of a whole file, as the service tells it: `Repr-Digest` of RFC 9530."""

from __future__ import annotations

import base64
import binascii
import re

import httpx

SHA256_BYTES = 32


def repr_digest(headers: httpx.Headers) -> bytes | None:
    """The SHA-256 of the whole file, or None where there is none that can be read."""
    match = re.search(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/]+=*):", headers.get("repr-digest", ""))
    if match is None:
        return None
    try:
        digest = base64.b64decode(match[1], validate=True)
    except binascii.Error:
        return None
    return digest if len(digest) == SHA256_BYTES else None
