"""Checks Ed25519 signatures, where the package `cryptography` is installed."""

from __future__ import annotations

from seedance.errors import ConfigurationError


def is_signed(content: bytes, signature: bytes, public_key: bytes) -> bool:
    """Whether the key signed the content; a key or signature that is none has not."""
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 – only who checks these needs it
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError("to check this signature, install a package: pip install cryptography") from None
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True
