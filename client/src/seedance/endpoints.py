"""Single requests about webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, TypeVar
from uuid import uuid4

import msgspec

from seedance.answer import Answer
from seedance.create import post_json
from seedance.errors import UnexpectedAnswer
from seedance.flow import Call, Flow
from seedance.objects import Deleted
from seedance.pages import Query
from seedance.paths import endpoint_path
from seedance.retry import Retries, decode, decode_json, request
from seedance.webhook_objects import WebhookDelivery, WebhookEndpoint, WebhookReplay, WebhookSecret, WebhookTest

Kind = TypeVar("Kind", bound=Answer)

ENDPOINTS, SECRET = "/v1/webhook_endpoints", "/v1/webhook_secret"
EVERY = ("*",)
"""All types of events."""


class EndpointOptions(TypedDict, total=False):
    """What an endpoint is to be; what is left out or None is the service's choice, or stays as it is."""

    name: str | None
    description: str | None
    signatures: Sequence[str] | None


def create_endpoint(
    url: str, event_types: Sequence[str], options: EndpointOptions, retries: Retries
) -> Flow[WebhookEndpoint]:
    body = {"url": url, "event_types": several("event_types", event_types)} | said(options)
    return (yield from post(ENDPOINTS, body, WebhookEndpoint, retries))


def retrieve_endpoint(endpoint: str | WebhookEndpoint, retries: Retries) -> Flow[WebhookEndpoint]:
    return decode((yield from request(Call("GET", endpoint_path(endpoint)), retries)), WebhookEndpoint)


def update_endpoint(
    endpoint: str | WebhookEndpoint,
    url: str | None,
    event_types: Sequence[str] | None,
    enabled: bool | None,
    options: EndpointOptions,
    retries: Retries,
) -> Flow[WebhookEndpoint]:
    changes = {"url": url, "event_types": event_types, "enabled": enabled} | options
    return (yield from post(endpoint_path(endpoint), said(changes), WebhookEndpoint, retries))


def delete_endpoint(endpoint: str | WebhookEndpoint, retries: Retries) -> Flow[Deleted]:
    return decode((yield from request(Call("DELETE", endpoint_path(endpoint)), retries)), Deleted)


def rotate_secret(endpoint: str | WebhookEndpoint, keep_old: bool, retries: Retries) -> Flow[WebhookEndpoint]:
    return (yield from post(endpoint_path(endpoint, "/rotate_secret"), kept(keep_old), WebhookEndpoint, retries))


def try_endpoint(endpoint: str | WebhookEndpoint, event_type: str, retries: Retries) -> Flow[WebhookTest]:
    return (yield from post(endpoint_path(endpoint, "/test"), {"event_type": event_type}, WebhookTest, retries))


def replay(
    endpoint: str | WebhookEndpoint,
    event_id: str | None,
    since: int | datetime | None,
    until: int | datetime | None,
    only_failed: bool,
    retries: Retries,
) -> Flow[WebhookReplay]:
    """Ask until all is in line; the service takes a part at a time."""
    body = said({"event_id": event_id, "since": seconds(since), "until": seconds(until)})
    body |= {"only_failed": True} if only_failed else {}
    count, after = 0, None
    while True:
        path = endpoint_path(endpoint, "/replay")
        made = yield from post(path, body | said({"after": after}), WebhookReplay, retries)
        count += made.count
        if not made.has_more:
            return msgspec.structs.replace(made, count=count, raw=made.raw | {"count": count})
        if made.last_id is None or made.last_id == after:
            raise UnexpectedAnswer("the replay does not advance")
        after = made.last_id


def retrieve_secret(retries: Retries) -> Flow[WebhookSecret]:
    return decode((yield from request(Call("GET", SECRET), retries)), WebhookSecret)


def rotate_account_secret(keep_old: bool, retries: Retries) -> Flow[WebhookSecret]:
    return (yield from post(f"{SECRET}/rotate", kept(keep_old), WebhookSecret, retries))


def list_event_types(retries: Retries) -> Flow[list[str]]:
    reply = yield from request(Call("GET", "/v1/webhook_event_types"), retries)
    try:
        return msgspec.convert(decode_json(reply).get("data"), list[str])
    except msgspec.ValidationError as error:
        raise UnexpectedAnswer(f"the answer is no list of types: {error}") from None


def endpoint_query(retries: Retries, limit: int | None, after: str | None) -> Query[WebhookEndpoint]:
    return Query(retries, ENDPOINTS, WebhookEndpoint, limit, after)


def delivery_query(
    endpoint: str | WebhookEndpoint, retries: Retries, limit: int | None, after: str | None, state: str | None
) -> Query[WebhookDelivery]:
    path = endpoint_path(endpoint, "/deliveries")
    return Query(retries, path, WebhookDelivery, limit, after, {"state": state})


def post(path: str, body: dict[str, Any], kind: type[Kind], retries: Retries) -> Flow[Kind]:
    return decode((yield from request(post_json(path, body, str(uuid4())), retries)), kind)


def said(fields: Mapping[str, object]) -> dict[str, Any]:
    lists = ("event_types", "signatures")
    given = {name: value for name, value in fields.items() if value is not None}
    return {name: several(name, value) if name in lists else value for name, value in given.items()}


def several(name: str, value: object) -> object:
    if isinstance(value, str):
        raise TypeError(f"{name} takes a list")
    return value


def kept(keep_old: bool) -> dict[str, Any]:
    return {"keep_old_secret_active_for_24_hours": keep_old}


def seconds(moment: int | datetime | None) -> int | None:
    return int(moment.timestamp()) if isinstance(moment, datetime) else moment
