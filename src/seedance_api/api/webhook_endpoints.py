"""`/v1/webhook_endpoints`: OpenAI's interface, and what goes beyond it: deliveries, replay, enabling again."""

from typing import Any

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath

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
from seedance_api.api.webhook_view import (
    WebhookEndpoint,
    WebhookEndpointDeleted,
    WebhookEndpointList,
    WebhookEndpointTest,
    WebhookEndpointWithSecret,
    WebhookEventTypes,
)
from seedance_api.foundation.idempotency import Once
from seedance_api.generations.accept import refusal
from seedance_api.web.body import AnyRequest, read_json
from seedance_api.web.context import Context, context_of, principal_of
from seedance_api.web.decode import decode
from seedance_api.web.idempotency import keyed_digest, once_by_key
from seedance_api.web.respond import REPLAYED, json_response
from seedance_api.web.route import Operation, Sample, after_parameter, limit_parameter
from seedance_api.webhooks import endpoints as verbs
from seedance_api.webhooks import rotate
from seedance_api.webhooks.endpoints import Owner
from seedance_api.webhooks.kinds import KINDS
from seedance_api.webhooks.rows import Endpoint
from seedance_api.webhooks.sign import hint, shown_public_key, shown_secret

_FIRST = 1
"""The version of the secret that an endpoint is made with."""


@get(
    "/v1/webhook_event_types",
    operation=Operation(
        id="listWebhookEventTypes",
        scope="webhooks",
        rate="read",
        summary="Types of events",
        tag="Webhooks",
        answer=WebhookEventTypes,
    ),
)
async def list_event_types() -> Response[bytes]:
    """Every type that an endpoint can listen to."""
    return json_response(WebhookEventTypes(data=KINDS))


@post(
    "/v1/webhook_endpoints",
    status_code=200,
    operation=Operation(
        id="createWebhookEndpoint",
        scope="webhooks",
        rate="write",
        summary="Create an endpoint",
        tag="Webhooks",
        body=CreateEndpoint,
        body_needs=("url", "event_types"),
        answer=WebhookEndpointWithSecret,
        errors=("idempotency_in_progress", "too_many_endpoints"),
        repeatable=True,
        sample=Sample(
            body={
                "url": "https://example.com/seedance",
                "event_types": ["video.completed", "video.failed"],
                "name": "mine",
            }
        ),
    ),
)
async def create_endpoint(request: AnyRequest) -> Response[bytes]:
    """OpenAI's interface. The answer, and no other but that of a rotation, has the signing secret. An account has at
    most 100 endpoints in each mode, unless the operator allows another number."""
    context, body = context_of(request), await read_json(request)
    form, problems = decode(CreateEndpoint, body, strict=True)
    wanted, more = read_wanted(form, context.posting, needed=True)
    if problems or more:
        raise refusal([*problems, *more])
    once = once_of(request, "POST /v1/webhook_endpoints", "", body)
    made = await verbs.create_endpoint(context.db, owner_of(request), wanted, once, context.max_endpoints)
    # a repeat, too, is shown the secret that the endpoint was made with: it is derived again
    return json_response(_with_secret(made.endpoint, context, _FIRST), REPLAYED if made.replayed else {})


@get(
    "/v1/webhook_endpoints",
    operation=Operation(
        id="listWebhookEndpoints",
        scope="webhooks",
        rate="read",
        summary="List endpoints",
        tag="Webhooks",
        answer=WebhookEndpointList,
        parameters=(limit_parameter(100), after_parameter("whe")),
        takes_query=True,
    ),
)
async def list_endpoints(request: AnyRequest) -> Response[bytes]:
    """Those of the key's mode, newest first."""
    context = context_of(request)
    asked = read_list(request.query_params, "whe")
    found = await verbs.list_endpoints(context.db, owner_of(request), after=asked.after, limit=asked.limit + 1)
    data = [endpoint_view(one, context) for one in found[: asked.limit]]
    page = WebhookEndpointList(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=len(found) > asked.limit,
    )
    return json_response(page)


@get(
    "/v1/webhook_endpoints/{endpoint_id:str}",
    operation=Operation(
        id="retrieveWebhookEndpoint",
        scope="webhooks",
        rate="read",
        summary="Retrieve an endpoint",
        tag="Webhooks",
        answer=WebhookEndpoint,
    ),
)
async def retrieve_endpoint(request: AnyRequest, endpoint_id: FromPath[str]) -> Response[bytes]:
    """Without the secret."""
    context = context_of(request)
    return json_response(endpoint_view(await verbs.find_endpoint(context.db, owner_of(request), endpoint_id), context))


@post(
    "/v1/webhook_endpoints/{endpoint_id:str}",
    status_code=200,
    operation=Operation(
        id="updateWebhookEndpoint",
        scope="webhooks",
        rate="write",
        summary="Change an endpoint",
        tag="Webhooks",
        body=UpdateEndpoint,
        body_required=False,
        answer=WebhookEndpoint,
        errors=("idempotency_in_progress",),
        repeatable=True,
        sample=Sample(body={"enabled": True}),
    ),
)
async def update_endpoint(request: AnyRequest, endpoint_id: FromPath[str]) -> Response[bytes]:
    """What is left out stays. `enabled: true` enables an endpoint again that was disabled; its old deliveries are not
    sent by themselves, see Send again."""
    context, body = context_of(request), await read_json(request)
    form, problems = decode(UpdateEndpoint, body, strict=True)
    wanted, more = read_wanted(form, context.posting, needed=False)
    if problems or more:
        raise refusal([*problems, *more])
    once = once_of(request, "POST /v1/webhook_endpoints/{webhook_endpoint_id}", endpoint_id, body)
    made = await verbs.update_endpoint(context.db, owner_of(request), endpoint_id, wanted, once)
    return json_response(endpoint_view(made.endpoint, context), REPLAYED if made.replayed else {})


@delete(
    "/v1/webhook_endpoints/{endpoint_id:str}",
    status_code=200,
    operation=Operation(
        id="deleteWebhookEndpoint",
        scope="webhooks",
        rate="write",
        summary="Delete an endpoint",
        tag="Webhooks",
        answer=WebhookEndpointDeleted,
    ),
)
async def delete_endpoint(request: AnyRequest, endpoint_id: FromPath[str]) -> Response[bytes]:
    """With what waits for it and what is known of its deliveries."""
    await verbs.delete_endpoint(context_of(request).db, owner_of(request), endpoint_id)
    return json_response(WebhookEndpointDeleted(id=endpoint_id))


@post(
    "/v1/webhook_endpoints/{endpoint_id:str}/rotate_secret",
    status_code=200,
    operation=Operation(
        id="rotateWebhookSecret",
        scope="webhooks",
        rate="write",
        summary="Rotate the secret",
        tag="Webhooks",
        body=RotateSecret,
        body_required=False,
        answer=WebhookEndpointWithSecret,
        errors=("idempotency_in_progress",),
        repeatable=True,
        sample=Sample(body={"keep_old_secret_active_for_24_hours": True}),
    ),
)
async def rotate_secret(request: AnyRequest, endpoint_id: FromPath[str]) -> Response[bytes]:
    """With `keep_old_secret_active_for_24_hours` both secrets sign for a day, so that nothing is lost while you change
    yours."""
    context, body = context_of(request), await read_json(request)
    form, problems = decode(RotateSecret, body, strict=True)
    if problems:
        raise refusal(problems)
    await verbs.find_endpoint(context.db, owner_of(request), endpoint_id)
    once = once_of(request, "POST /v1/webhook_endpoints/{webhook_endpoint_id}/rotate_secret", endpoint_id, body)
    keep_old = form.keep_old_secret_active_for_24_hours or False
    made = await rotate.rotate_secret(context.db, endpoint_id, once, keep_old=keep_old)
    found = await verbs.find_endpoint(context.db, owner_of(request), endpoint_id)
    return json_response(_with_secret(found, context, made.version or found.version), REPLAYED if made.replayed else {})


@post(
    "/v1/webhook_endpoints/{endpoint_id:str}/test",
    status_code=200,
    operation=Operation(
        id="testWebhookEndpoint",
        scope="webhooks",
        summary="Try an endpoint",
        tag="Webhooks",
        body=TestEndpoint,
        body_needs=("event_type",),
        answer=WebhookEndpointTest,
        errors=("idempotency_in_progress",),
        repeatable=True,
        rate="webhook_test",
        sample=Sample(body={"event_type": "video.completed"}),
    ),
)
async def test_endpoint(request: AnyRequest, endpoint_id: FromPath[str]) -> Response[bytes]:
    """Sends an event that did not happen, signed as any, once and now. `success` says that an answer came,
    `status_code` which."""
    context, body = context_of(request), await read_json(request)
    form, problems = decode(TestEndpoint, body, strict=True)
    kind = read_kind(form.event_type, problems)
    if problems or kind is None:
        raise refusal(problems)
    endpoint = await verbs.find_endpoint(context.db, owner_of(request), endpoint_id)
    once = once_of(request, "POST /v1/webhook_endpoints/{webhook_endpoint_id}/test", endpoint_id, body)
    probed, replayed = await context.probe(endpoint, kind, once)
    answer = WebhookEndpointTest(**msgspec.structs.asdict(probed))
    return json_response(answer, REPLAYED if replayed else {})


def owner_of(request: AnyRequest) -> Owner:
    """Whose endpoints the caller may see."""
    principal = principal_of(request)
    return Owner(principal.account_id, principal.livemode)


def once_of(request: AnyRequest, route: str, endpoint_id: str, body: dict[str, Any]) -> Once | None:
    """The request under its `Idempotency-Key`, if it brings one."""
    said = keyed_digest(context_of(request), endpoint_id.encode() + msgspec.json.encode(body, order="sorted"))
    return once_by_key(request, principal_of(request), route, said)


def endpoint_view(one: Endpoint, context: Context) -> WebhookEndpoint:
    """An endpoint as its owner sees it."""
    return msgspec.convert(_fields(one, context), WebhookEndpoint)


def _with_secret(one: Endpoint, context: Context, version: int) -> WebhookEndpointWithSecret:
    secret = shown_secret(context.pepper, one.subject, version)
    return msgspec.convert(_fields(one, context) | {"signing_secret": secret}, WebhookEndpointWithSecret)


def _fields(one: Endpoint, context: Context) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "description": one.description,
        "url": one.url,
        "event_types": one.event_types,
        "signatures": one.signs,
        "signing_secret_hint": hint(shown_secret(context.pepper, one.subject, one.version)),
        "public_key": shown_public_key(context.pepper, one.subject, one.version) if "v1a" in one.signs else None,
        "previous_secret_until": unix(one.previous_until) if one.previous_until and one.also_previous else None,
        "enabled": one.disabled_at is None,
        "disabled_reason": one.disabled_by,
        "failing_since": unix(one.failing_since) if one.failing_since else None,
        "livemode": one.livemode,
        "created_at": unix(one.created_at),
        "updated_at": unix(one.updated_at),
    }
