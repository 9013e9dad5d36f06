"""Tells a webhook of the service from anything else: Standard Webhooks 1.0.0."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Mapping

import msgspec

from seedance.answer import from_dict
from seedance.ed25519 import is_signed
from seedance.errors import WebhookInvalid
from seedance.webhook_objects import Event

TOLERANCE_SECONDS = 300


def unwrap_webhook(
    body: bytes | str, headers: Mapping[str, str], secret: str, *, tolerance: float = TOLERANCE_SECONDS
) -> Event:
    """The event of a webhook that is signed with `secret` and not `tolerance` seconds old; raises WebhookInvalid.

    `body` is what came, before it is decoded. `secret` is a signing secret, `whsec_…`, or the public key of an
    endpoint that signs with v1a, `whpk_…`, which needs the package `cryptography`.
    """
    key = key_of(secret)
    try:
        sent = body.encode() if isinstance(body, str) else bytes(body)
        given = {name.lower(): value for name, value in headers.items()}
        event_id, timestamp, signatures = (given[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
        content = f"{event_id}.{timestamp}.".encode() + sent
        check_time(timestamp, tolerance)
        check_signature(content, signatures.split(" "), secret, key)
        return from_dict(msgspec.json.decode(sent, type=dict[str, object]), Event)
    except KeyError as missing:
        raise WebhookInvalid(f"the header {missing} is missing") from None
    except msgspec.MsgspecError as error:
        raise WebhookInvalid(f"what was signed is no event: {error}") from None
    except (AttributeError, TypeError, ValueError) as error:
        raise WebhookInvalid(f"this is no webhook: {error}") from None


def check_time(timestamp: str, tolerance: float) -> None:
    if not re.fullmatch(r"[0-9]{1,12}", timestamp):
        raise WebhookInvalid("webhook-timestamp is no number of seconds")
    age = time.time() - int(timestamp)
    if abs(age) > tolerance:
        raise WebhookInvalid(f"it was signed {abs(age):.0f} s {'ago' if age > 0 else 'in the future'}")


def check_signature(content: bytes, signatures: list[str], secret: str, key: bytes) -> None:
    """While a secret rotates there are several signatures; one that fits is enough."""
    scheme = "v1a" if secret.startswith("whpk_") else "v1"
    values = [value for name, _, value in (one.partition(",") for one in signatures) if name == scheme]
    if not values:
        raise WebhookInvalid(f"it has no signature of the kind {scheme}, which this secret checks")
    if scheme == "v1":
        expected = base64.b64encode(hmac.digest(key, content, hashlib.sha256))
        fits = [hmac.compare_digest(expected, value.encode()) for value in values]
    else:
        fits = [is_signed(content, base64.b64decode(value, validate=True), key) for value in values]
    if not any(fits):
        raise WebhookInvalid("it is not signed with this secret")


def key_of(secret: str) -> bytes:
    if not secret:
        raise WebhookInvalid("there is no secret to check it with")
    text = re.sub(r"^wh(sec|pk)_", "", secret).rstrip("=")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise WebhookInvalid("the secret is none; it looks like whsec_…")
    return key
