"""`/v1/webhook_endpoints`: OpenAI's interface, and what goes beyond it: deliveries, replay, enabling again."""

import math
from typing import Any, Literal

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath

from seedance_api.api.body import AnyRequest, read_json
from seedance_api.api.decode import decode
from seedance_api.api.once import once_by_key, seal
from seedance_api.api.parts import Parts, parts_of, principal_of
from seedance_api.api.videos import REPLAYED, json_response
from seedance_api.api.view import unix
from seedance_api.api.webhook_forms import (
    CreateEndpoint,
    RotateSecret,
    TestEndpoint,
    UpdateEndpoint,
    read_kind,
    read_list,
    read_wanted,
)
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.idempotency import Done, Once, claimed
from seedance_api.foundation.ids import new_id
from seedance_api.generations.accept import refusal
from seedance_api.webhooks import endpoint_queries
from seedance_api.webhooks import endpoints as verbs
from seedance_api.webhooks.endpoints import Owner
from seedance_api.webhooks.kinds import KINDS, Kind
from seedance_api.webhooks.probe import try_endpoint
from seedance_api.webhooks.rows import DisabledBy, Endpoint
from seedance_api.webhooks.sign import Scheme, hint, shown_public_key, shown_secret

_FIRST = 1
"""The version of the secret that an endpoint is made with."""


class WebhookEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where events go. `public_key` is there when it is signed with `v1a`."""

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    name: str
    description: str
    url: str
    event_types: tuple[Kind, ...]
    signatures: tuple[Scheme, ...]
    signing_secret_hint: str
    public_key: str | None
    previous_secret_until: int | None
    enabled: bool
    disabled_reason: DisabledBy | None
    failing_since: int | None
    livemode: bool
    created_at: int
    updated_at: int


class WebhookEndpointWithSecret(WebhookEndpoint, frozen=True, kw_only=True):
    """The same, with its signing secret: when it is created or rotated, and never else."""

    signing_secret: str


class WebhookEndpointList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of endpoints, newest first."""

    object: Literal["list"] = "list"
    data: list[WebhookEndpoint]
    first_id: str | None
    last_id: str | None
    has_more: bool


class WebhookEndpointDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a delete."""

    id: str
    object: Literal["webhook_endpoint.deleted"] = "webhook_endpoint.deleted"
    deleted: Literal[True] = True


class WebhookEndpointTest(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a test. `success` says that an answer came, `status_code` which."""

    object: Literal["webhook_endpoint.test"] = "webhook_endpoint.test"
    webhook_endpoint_id: str
    event_type: Kind
    success: bool
    status_code: int | None
    outcome: str


class WebhookEventTypes(msgspec.Struct, frozen=True, kw_only=True):
    """Every type of event that there is."""

    object: Literal["list"] = "list"
    data: tuple[Kind, ...]


@get("/v1/webhook_event_types")
async def list_event_types() -> Response[bytes]:
    """Every type of event."""
    return json_response(WebhookEventTypes(data=KINDS))


@post("/v1/webhook_endpoints", status_code=200)
async def create_endpoint(request: AnyRequest) -> Response[bytes]:
    """Have an address told of events."""
    parts, body = parts_of(request), await read_json(request)
    form, problems = decode(CreateEndpoint, body, strict=True)
    wanted, more = read_wanted(form, parts.posting, needed=True)
    if problems or more:
        raise refusal([*problems, *more])
    once = once_of(request, "POST /v1/webhook_endpoints", "", body)
    done = await parts.find(once) if once else None
    made = None if done else await verbs.create_endpoint(parts.db, owner_of(request), wanted, once)
    if made is None:
        return await _again(request, once, done)
    return json_response(_with_secret(made, parts, _FIRST))


@get("/v1/webhook_endpoints", takes_query=True)
async def list_endpoints(request: AnyRequest) -> Response[bytes]:
    """A page of the account's endpoints."""
    parts, owner = parts_of(request), owner_of(request)
    asked = read_list(request.query_params, "whe")
    found = await endpoint_queries.endpoints_page(
        parts.db, owner.account_id, owner.livemode, after=asked.after, limit=asked.limit + 1
    )
    data = [endpoint_view(one, parts) for one in found[: asked.limit]]
    page = WebhookEndpointList(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=len(found) > asked.limit,
    )
    return json_response(page)


@get("/v1/webhook_endpoints/{endpoint_id:str}")
async def retrieve_endpoint(request: AnyRequest, endpoint_id: FromPath[str]) -> Response[bytes]:
    """An endpoint."""
    parts = parts_of(request)
    return json_response(endpoint_view(await verbs.find_endpoint(parts.db, owner_of(request), endpoint_id), parts))


@post("/v1/webhook_endpoints/{endpoint_id:str}", status_code=200)
async def update_endpoint(request: AnyRequest, endpoint_id: FromPath[str]) -> Response[bytes]:
    """Change an endpoint, or enable it again."""
    parts, body = parts_of(request), await read_json(request)
    form, problems = decode(UpdateEndpoint, body, strict=True)
    wanted, more = read_wanted(form, parts.posting, needed=False)
    if problems or more:
        raise refusal([*problems, *more])
    once = once_of(request, "POST /v1/webhook_endpoints/{webhook_endpoint_id}", endpoint_id, body)
    replayed = once is not None and await parts.find(once) is not None
    if not replayed:
        made = await verbs.update_endpoint(parts.db, owner_of(request), endpoint_id, wanted, once)
        replayed = made is None
    found = await verbs.find_endpoint(parts.db, owner_of(request), endpoint_id)
    return json_response(endpoint_view(found, parts), REPLAYED if replayed else {})


@delete("/v1/webhook_endpoints/{endpoint_id:str}", status_code=200)
async def delete_endpoint(request: AnyRequest, endpoint_id: FromPath[str]) -> Response[bytes]:
    """Delete an endpoint, with what waits for it."""
    await verbs.delete_endpoint(parts_of(request).db, owner_of(request), endpoint_id)
    return json_response(WebhookEndpointDeleted(id=endpoint_id))


@post("/v1/webhook_endpoints/{endpoint_id:str}/rotate_secret", status_code=200)
async def rotate_secret(request: AnyRequest, endpoint_id: FromPath[str]) -> Response[bytes]:
    """Have an endpoint signed with a new secret, and for a day also with the old one if that is asked for."""
    parts, body = parts_of(request), await read_json(request)
    form, problems = decode(RotateSecret, body, strict=True)
    if problems:
        raise refusal(problems)
    await verbs.find_endpoint(parts.db, owner_of(request), endpoint_id)
    once = once_of(request, "POST /v1/webhook_endpoints/{webhook_endpoint_id}/rotate_secret", endpoint_id, body)
    version, replayed = await rotated(parts, endpoint_id, once, form)
    found = await verbs.find_endpoint(parts.db, owner_of(request), endpoint_id)
    return json_response(_with_secret(found, parts, version or found.version), REPLAYED if replayed else {})


async def rotated(parts: Parts, subject: str, once: Once | None, form: RotateSecret) -> tuple[int | None, bool]:
    """The version that this request, or an earlier one with its key, has made; and whether an earlier one did.

    None of the versions after it: who repeats a request is shown what that made. What version 0.1.0 noted tells none.
    """
    if once is not None and (done := await parts.find(once)) is not None:
        return (done.answer or {}).get("version"), True
    keep_old = form.keep_old_secret_active_for_24_hours or False
    version = await verbs.rotate_secret(parts.db, subject, once, keep_old=keep_old)
    if version is not None:
        return version, False
    done = await parts.find(once) if once is not None else None
    return (done.answer or {}).get("version") if done is not None else None, True


@post("/v1/webhook_endpoints/{endpoint_id:str}/test", status_code=200)
async def test_endpoint(request: AnyRequest, endpoint_id: FromPath[str]) -> Response[bytes]:
    """Send an event that did not happen, now, and say what came back."""
    parts, body = parts_of(request), await read_json(request)
    form, problems = decode(TestEndpoint, body, strict=True)
    kind = read_kind(form.event_type, problems)
    if problems or kind is None:
        raise refusal(problems)
    endpoint = await verbs.find_endpoint(parts.db, owner_of(request), endpoint_id)
    once = once_of(request, "POST /v1/webhook_endpoints/{webhook_endpoint_id}/test", endpoint_id, body)
    if once is None:
        return json_response(await _try(parts, endpoint, kind, None))
    if done := await parts.find(once):
        return _answered(done)
    async with claimed(parts.db, once) as mine:
        if mine is not None:
            return json_response(await _try(parts, endpoint, kind, mine))
    return _answered(await parts.find(once))


async def _try(parts: Parts, endpoint: Endpoint, kind: Kind, once: Once | None) -> WebhookEndpointTest:
    if seconds := await parts.testing.take(endpoint.account_id):
        raise AppError("rate_limited", headers={"Retry-After": str(math.ceil(seconds))})
    async with parts.testing_at_once:
        result = await try_endpoint(
            endpoint, kind, new_id("evt"), outbound=parts.posting, pepper=parts.pepper, now=parts.db.clock()
        )
    answer = WebhookEndpointTest(
        webhook_endpoint_id=endpoint.id,
        event_type=kind,
        success=result.status is not None,
        status_code=result.status,
        outcome=result.how,
    )
    if once is not None:
        async with parts.db.transaction() as connection:
            await verbs.is_first(connection, once, msgspec.to_builtins(answer))
    return answer


async def _again(request: AnyRequest, once: Once | None, done: Done | None) -> Response[bytes]:
    """What an earlier request with this key made, as it is now, with the secret it was made with: derived again."""
    parts = parts_of(request)
    done = done or (await parts.find(once) if once else None)
    if done is None or done.subject is None:
        raise AppError("idempotency_in_progress", headers={"Retry-After": "1"})
    try:
        found = await verbs.find_endpoint(parts.db, owner_of(request), done.subject)
    except AppError:
        message = "This Idempotency-Key made an endpoint that is deleted; use another one."
        raise AppError("idempotency_mismatch", message, param="Idempotency-Key") from None
    return json_response(_with_secret(found, parts, _FIRST), REPLAYED)


def _answered(done: Done | None) -> Response[bytes]:
    if done is None or done.answer is None:
        raise AppError("idempotency_in_progress", headers={"Retry-After": "2"})
    return Response(msgspec.json.encode(done.answer), media_type="application/json", headers=REPLAYED)


def owner_of(request: AnyRequest) -> Owner:
    """Whose endpoints the caller may see."""
    principal = principal_of(request)
    return Owner(principal.account_id, principal.livemode)


def once_of(request: AnyRequest, route: str, endpoint_id: str, body: dict[str, Any]) -> Once | None:
    """The request under its `Idempotency-Key`, if it brings one."""
    said = seal(parts_of(request), endpoint_id.encode() + msgspec.json.encode(body, order="sorted"))
    return once_by_key(request, principal_of(request), route, said)


def endpoint_view(one: Endpoint, parts: Parts) -> WebhookEndpoint:
    """An endpoint as its owner sees it."""
    return msgspec.convert(_fields(one, parts), WebhookEndpoint)


def _with_secret(one: Endpoint, parts: Parts, version: int) -> WebhookEndpointWithSecret:
    secret = shown_secret(parts.pepper, one.subject, version)
    return msgspec.convert(_fields(one, parts) | {"signing_secret": secret}, WebhookEndpointWithSecret)


def _fields(one: Endpoint, parts: Parts) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "description": one.description,
        "url": one.url,
        "event_types": one.event_types,
        "signatures": one.signs,
        "signing_secret_hint": hint(shown_secret(parts.pepper, one.subject, one.version)),
        "public_key": shown_public_key(parts.pepper, one.subject, one.version) if "v1a" in one.signs else None,
        "previous_secret_until": unix(one.previous_until) if one.previous_until and one.also_previous else None,
        "enabled": one.disabled_at is None,
        "disabled_reason": one.disabled_by,
        "failing_since": unix(one.failing_since) if one.failing_since else None,
        "livemode": one.livemode,
        "created_at": unix(one.created_at),
        "updated_at": unix(one.updated_at),
    }
