"""`/v1/webhook_secret`: what signs for the `webhook_url` of an account's requests. It is shown when it is rotated."""

from typing import Any, Literal

import msgspec
from litestar import Response, get, post

from seedance_api.api.view import unix
from seedance_api.api.webhook_endpoints import once_of
from seedance_api.api.webhook_forms import RotateSecret
from seedance_api.generations.accept import refusal
from seedance_api.web.body import AnyRequest, read_json
from seedance_api.web.context import context_of, principal_of
from seedance_api.web.decode import decode
from seedance_api.web.respond import REPLAYED, json_response
from seedance_api.web.route import Operation, Sample
from seedance_api.webhooks.rotate import account_secret, rotate_secret
from seedance_api.webhooks.rows import account_subject
from seedance_api.webhooks.sign import hint, shown_secret


class WebhookSecret(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of the secret that signs what goes to the `webhook_url` of requests made with keys of this mode."""

    object: Literal["webhook_secret"] = "webhook_secret"
    signing_secret_hint: str
    """The end of it."""
    rotated_at: int | None
    """When it was rotated; null when it never was."""
    previous_secret_until: int | None
    """Until when the secret before this one signs as well; null when it does not."""
    livemode: bool
    """Whether it is that of live keys."""


class RotatedWebhookSecret(WebhookSecret, frozen=True, kw_only=True):
    """The same with the secret itself: when it is rotated, and never else."""

    signing_secret: str
    """What signs, `whsec_…`. Keep it: it is shown now, and never else."""


@get(
    "/v1/webhook_secret",
    operation=Operation(
        id="retrieveWebhookSecret",
        scope="webhooks",
        rate="read",
        summary="What is told of the secret for webhook_url",
        tag="Webhooks",
        answer=WebhookSecret,
    ),
)
async def retrieve_account_secret(request: AnyRequest) -> Response[bytes]:
    """What is told of what signs for the `webhook_url` of requests made with keys of this mode: not the secret itself,
    which is shown when it is rotated."""
    _, fields = await _look(request)
    return json_response(msgspec.convert(fields, WebhookSecret))


@post(
    "/v1/webhook_secret/rotate",
    status_code=200,
    operation=Operation(
        id="rotateAccountWebhookSecret",
        scope="webhooks",
        rate="write",
        summary="Rotate the secret for webhook_url",
        tag="Webhooks",
        body=RotateSecret,
        body_required=False,
        answer=RotatedWebhookSecret,
        errors=("idempotency_in_progress",),
        repeatable=True,
        sample=Sample(body={"keep_old_secret_active_for_24_hours": True}),
    ),
)
async def rotate_account_secret(request: AnyRequest) -> Response[bytes]:
    """As for an endpoint. Do it once to have a secret at all: every account has one from the first day, and nobody has
    seen it. A repeat with the same `Idempotency-Key` rotates nothing, and shows the same secret."""
    context, principal, body = context_of(request), principal_of(request), await read_json(request)
    form, problems = decode(RotateSecret, body, strict=True)
    if problems:
        raise refusal(problems)
    once = once_of(request, "POST /v1/webhook_secret/rotate", "", body)
    subject = account_subject(principal.account_id, livemode=principal.livemode)
    keep_old = form.keep_old_secret_active_for_24_hours or False
    made = await rotate_secret(context.db, subject, once, keep_old=keep_old)
    current, fields = await _look(request)
    secret = shown_secret(context.pepper, subject, made.version or current)
    answer = msgspec.convert(fields | {"signing_secret": secret}, RotatedWebhookSecret)
    return json_response(answer, REPLAYED if made.replayed else {})


async def _look(request: AnyRequest) -> tuple[int, dict[str, Any]]:
    """The version of the account's secret that signs now, and what may be told of it."""
    context, principal = context_of(request), principal_of(request)
    subject = account_subject(principal.account_id, livemode=principal.livemode)
    found = await account_secret(context.db, principal.account_id, principal.livemode)
    return found.version, {
        "signing_secret_hint": hint(shown_secret(context.pepper, subject, found.version)),
        "rotated_at": unix(found.rotated_at) if found.rotated_at else None,
        "previous_secret_until": unix(found.previous_until) if found.previous_until and found.also_previous else None,
        "livemode": principal.livemode,
    }
