"""Sign: the headers of Standard Webhooks 1.0.0, and the secrets behind them. Pure.

A secret is not kept anywhere: it follows from the installation's pepper, what it is for, its subject and its version.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Literal, assert_never

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seedance_api.foundation.secrets import derive, digest

Scheme = Literal["v1", "v1a"]
"""`v1` is HMAC-SHA256 with a shared secret, `v1a` is Ed25519, which a receiver checks with a public key."""
_HINT_CHARACTERS = 4


def secret_of(pepper: bytes, scheme: Scheme, subject: str, version: int) -> bytes:
    """The 32 bytes that sign for a subject: an endpoint, or an account with its mode."""
    return digest(derive(pepper, f"webhook signatures {scheme}"), f"{subject} {version}")


def shown_secret(pepper: bytes, subject: str, version: int) -> str:
    """The shared secret as receivers' libraries take it: some refuse base64 without its padding, or of the URL kind."""
    return "whsec_" + base64.b64encode(secret_of(pepper, "v1", subject, version)).decode()


def shown_public_key(pepper: bytes, subject: str, version: int) -> str:
    """The public key that checks `v1a`."""
    key = Ed25519PrivateKey.from_private_bytes(secret_of(pepper, "v1a", subject, version)).public_key()
    return "whpk_" + base64.b64encode(key.public_bytes_raw()).decode()


def hint(secret: str) -> str:
    """As much of a secret as tells two of them apart, and no more."""
    return f"whsec_…{secret.rstrip('=')[-_HINT_CHARACTERS:]}"


def sign(event_id: str, timestamp: int, body: bytes, secrets: Sequence[tuple[Scheme, bytes]]) -> dict[str, str]:
    """The headers of one attempt: a signature by each secret. Of several versions the newest comes first."""
    content = f"{event_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(scheme, secret, content) for scheme, secret in secrets),
    }


def secrets_of(
    pepper: bytes, schemes: Sequence[Scheme], subject: str, version: int, *, earlier: int
) -> list[tuple[Scheme, bytes]]:
    """What signs for a subject now: during a rotation also so many `earlier` secrets."""
    versions = range(version, max(version - earlier, 1) - 1, -1)
    return [(scheme, secret_of(pepper, scheme, subject, one)) for scheme in schemes for one in versions]


def _signature(scheme: Scheme, secret: bytes, content: bytes) -> str:
    match scheme:
        case "v1":
            made = hmac.digest(secret, content, hashlib.sha256)
        case "v1a":
            made = Ed25519PrivateKey.from_private_bytes(secret).sign(content)
        case _:
            assert_never(scheme)
    return f"{scheme},{base64.b64encode(made).decode()}"
