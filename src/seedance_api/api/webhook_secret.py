"""`/v1/webhook_secret`: what signs for the `webhook_url` of an account's requests. It is shown when it is rotated."""

from typing import Any, Literal

import msgspec
from litestar import Response, get, post

from seedance_api.api.body import AnyRequest, read_json
from seedance_api.api.decode import decode
from seedance_api.api.parts import parts_of, principal_of
from seedance_api.api.videos import REPLAYED, json_response
from seedance_api.api.view import unix
from seedance_api.api.webhook_endpoints import once_of, rotated
from seedance_api.api.webhook_forms import RotateSecret
from seedance_api.generations.accept import refusal
from seedance_api.webhooks import endpoint_queries
from seedance_api.webhooks.rows import account_subject
from seedance_api.webhooks.sign import hint, shown_secret


class WebhookSecret(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of the secret that signs what goes to the `webhook_url` of requests made with keys of this mode."""

    object: Literal["webhook_secret"] = "webhook_secret"
    signing_secret_hint: str
    rotated_at: int | None
    previous_secret_until: int | None
    livemode: bool


class RotatedWebhookSecret(WebhookSecret, frozen=True, kw_only=True):
    """The same with the secret itself: when it is rotated, and never else."""

    signing_secret: str


@get("/v1/webhook_secret")
async def retrieve_account_secret(request: AnyRequest) -> Response[bytes]:
    """What can be told of the account's secret. An account has one from the first day, and sees it by rotating it."""
    _, fields = await _look(request)
    return json_response(msgspec.convert(fields, WebhookSecret))


@post("/v1/webhook_secret/rotate", status_code=200)
async def rotate_account_secret(request: AnyRequest) -> Response[bytes]:
    """Sign with a new secret, and for a day also with the old one if that is asked for.

    A repeat with the same `Idempotency-Key` rotates nothing, and shows the same secret: the first answer may be lost.
    """
    parts, principal, body = parts_of(request), principal_of(request), await read_json(request)
    form, problems = decode(RotateSecret, body, strict=True)
    if problems:
        raise refusal(problems)
    once = once_of(request, "POST /v1/webhook_secret/rotate", "", body)
    subject = account_subject(principal.account_id, livemode=principal.livemode)
    version, replayed = await rotated(parts, subject, once, form)
    current, fields = await _look(request)
    secret = shown_secret(parts.pepper, subject, version or current)
    answer = msgspec.convert(fields | {"signing_secret": secret}, RotatedWebhookSecret)
    return json_response(answer, REPLAYED if replayed else {})


async def _look(request: AnyRequest) -> tuple[int, dict[str, Any]]:
    """The version of the account's secret that signs now, and what may be told of it."""
    parts, principal = parts_of(request), principal_of(request)
    subject = account_subject(principal.account_id, livemode=principal.livemode)
    found = await endpoint_queries.secret_of(parts.db, subject)
    return found.version, {
        "signing_secret_hint": hint(shown_secret(parts.pepper, subject, found.version)),
        "rotated_at": unix(found.rotated_at) if found.rotated_at else None,
        "previous_secret_until": unix(found.previous_until) if found.previous_until and found.also_previous else None,
        "livemode": principal.livemode,
    }
