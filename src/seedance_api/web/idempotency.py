"""What makes a POST happen once: the client's key, or its own word that it is trying again."""

import base64
import hashlib
import hmac

from seedance_api.accounts.authenticate import Principal
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.idempotency import Kind, Once
from seedance_api.web.body import AnyRequest
from seedance_api.web.context import Context

_MAX_LENGTH = 255


def keyed_digest(context: Context, content: bytes) -> bytes:
    """The digest of what a request says, keyed: who reads the database cannot try prompts against it."""
    return hmac.digest(context.pepper, content, hashlib.sha256)


def once_by_key(request: AnyRequest, principal: Principal, route: str, fingerprint: bytes) -> Once | None:
    """The request under the `Idempotency-Key` that it brings, if any. Raises AppError 400 for a malformed one.

    Accounts, modes and routes do not share keys.
    """
    key = idempotency_key(request)
    if key is None:
        return None
    return Once(account_id=principal.account_id, route=_route(principal, route), key=key, fingerprint=fingerprint)


def once_by_content(request: AnyRequest, principal: Principal, route: str, fingerprint: bytes) -> Once:
    """The request under what it says and the API key that says it, for one without an `Idempotency-Key`.

    OpenAI's clients send none, but mark what they try again: `x-stainless-retry-count`.
    """
    tries = request.headers.get("x-stainless-retry-count", "0")
    return Once(
        account_id=principal.account_id,
        route=_route(principal, route) + " by content",
        key=f"{principal.key_id} {base64.b64encode(fingerprint).decode()}",
        fingerprint=fingerprint,
        kind=Kind.RETRY if tries.isdecimal() and int(tries[:9]) > 0 else Kind.CONTENT,
    )


def idempotency_key(request: AnyRequest) -> str | None:
    """The `Idempotency-Key`, quoted or bare. Raises AppError 400."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    key = key.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not key or len(key) > _MAX_LENGTH or not key.isascii() or not key.isprintable():
        given = f"has {len(key)}" if len(key) > _MAX_LENGTH else "contains other characters" if key else "is empty"
        message = f"`Idempotency-Key` must be 1 to {_MAX_LENGTH} printable ASCII characters; this one {given}."
        problem = Problem(path="Idempotency-Key", code="out_of_range", message=message)
        raise AppError("invalid_request", message, problems=[problem])
    return key


def _route(principal: Principal, route: str) -> str:
    return f"{'live' if principal.livemode else 'test'} {route}"
