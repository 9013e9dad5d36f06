"""What the operations of the served OpenAPI document take that can name something of an account: read off the document,
and told by one table. What the table does not know fails the tests until somebody has said what it names."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import httpx

from stage import Service

Kind = Literal[
    "video", "file", "endpoint", "event", "key", "request", "usage page", "link", "medium", "repeat", "tag", "nothing"
]
"""What a value names: an object of an account, by its id or by where a page of it begins; a signed link; a file, an
address or an asset; an earlier request; a version of an answer that the client has; or nothing that is anybody's."""

OBJECTS: frozenset[Kind] = frozenset({"video", "file", "endpoint", "event", "key", "request", "usage page", "medium"})
"""What belongs to one account and mode."""

KINDS: dict[str, Kind] = {
    "path video_id": "video",
    "path file_id": "file",
    "path endpoint_id": "endpoint",
    "path event_id": "event",
    "path token": "link",
    "path model": "nothing",
    "path month": "nothing",
    "listVideos query after": "video",
    "listWebhookEndpoints query after": "endpoint",
    "listWebhookDeliveries query after": "event",
    "listEvents query after": "event",
    "listRequests query after": "request",
    "listUsage query after": "usage page",
    "query key_id": "key",
    "query endpoint": "nothing",
    "query from": "nothing",
    "query to": "nothing",
    "header Idempotency-Key": "repeat",
    "header x-stainless-retry-count": "nothing",
    "header If-None-Match": "tag",
    "header Prefer": "nothing",
    "header Range": "nothing",
    "body draft_id": "video",
    "body images[]": "medium",
    "body videos[]": "medium",
    "body audios[]": "medium",
    "body input_reference": "medium",
    "body input_reference[]": "medium",
    "body file_id": "medium",
    "body image_url": "medium",
    "body event_id": "event",
    "replayWebhooks body after": "event",
    "createWebhookEndpoint body url": "nothing",
    "updateWebhookEndpoint body url": "nothing",
    "body url": "medium",
    "revokeLeakedKey body key": "nothing",  # whoever has all of a key may end it
    **{
        f"body {name}": "nothing"
        for name in (
            "model", "prompt", "duration", "seconds", "resolution", "ratio", "aspect_ratio", "size", "seed", "frames",
            "generate_audio", "camera_fixed", "watermark", "return_last_frame", "draft", "service_tier", "task_type",
            "metadata{}", "expires_after", "max_cost", "webhook_url", "role", "file", "purpose",
            "event_types[]", "name", "description", "signatures[]", "low_balance",
        )
    },
}  # fmt: skip
"""By `{operation} {place} {name}` where an operation differs, else by `{place} {name}`. Only free text is asked for: a
number, a truth or one of a few words names nothing that is an account's."""


class Place(NamedTuple):
    """A free text that an operation takes."""

    where: Literal["path", "query", "header", "body"]
    name: str
    kind: Kind | None


class Asked(NamedTuple):
    """An operation of the document."""

    id: str
    method: str
    path: str
    keyed: bool
    scope: str | None
    places: tuple[Place, ...]
    responses: Mapping[str, Any]
    media_types: tuple[str, ...]

    def kinds(self, where: str) -> list[tuple[str, Kind]]:
        """What it takes there that is an account's: name and kind."""
        return [(one.name, one.kind) for one in self.places if one.where == where and one.kind in OBJECTS]

    def at(self, values: Mapping[str, str]) -> str:
        """Its path, with these for its parameters."""
        return self.path.format_map(values)


def document_of(service: Service) -> dict[str, Any]:
    """The document as the running service serves it."""
    return httpx.get(f"{service.url}/openapi.json", trust_env=False).json()


def operations_of(document: dict[str, Any]) -> list[Asked]:
    """Every operation, with every free text that it takes."""
    return [
        _operation(document, path, method.upper(), operation, item.get("parameters", []))
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]


def unknown(operations: list[Asked]) -> list[str]:
    """The free texts that the table does not know."""
    return [f"{one.id} {place.where} {place.name}" for one in operations for place in one.places if place.kind is None]


def unused(operations: list[Asked]) -> set[str]:
    """What the table knows and no operation takes."""
    taken = {(one.id, place.where, place.name) for one in operations for place in one.places}
    every = {f"{place} {name}" for _, place, name in taken} | {" ".join(one) for one in taken}
    return set(KINDS) - every


def _operation(document: dict[str, Any], path: str, method: str, operation: Any, shared: list[Any]) -> Asked:
    texts = [(one["in"], one["name"]) for one in [*shared, *operation.get("parameters", [])] if _is_free(one["schema"])]
    content: dict[str, Any] = operation.get("requestBody", {}).get("content", {})
    for one in content.values():
        texts += [("body", name) for name in _free_texts(document, one["schema"], "")]
    places = tuple(Place(where, name, _kind(operation["operationId"], where, name)) for where, name in dict(
        zip(texts, texts, strict=True)
    ))  # fmt: skip
    security = operation.get("security", document["security"])
    needs = security[0]["key"] if security else []
    return Asked(
        operation["operationId"], method, path, bool(security), needs[0] if needs else None, places,
        operation["responses"], tuple(content),
    )  # fmt: skip


def _kind(operation: str, where: str, name: str) -> Kind | None:
    return KINDS.get(f"{operation} {where} {name}") or KINDS.get(f"{where} {name}")


def _is_free(schema: dict[str, Any]) -> bool:
    """Whether a parameter may be a text of the client's choice."""
    if "enum" in schema or "const" in schema:
        return False
    ways = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if ways:
        return any(_is_free(way) for way in ways)
    types = schema.get("type", ["string"])
    return "string" in ([types] if isinstance(types, str) else types)


def _free_texts(document: dict[str, Any], schema: dict[str, Any], name: str) -> Iterator[str]:
    """The names of all free texts in a body: `[]` stands for the items of a list, `{}` for the values of an object
    whose names are the client's; an object in it is named by its own fields."""
    if ref := schema.get("$ref"):
        schema = document["components"]["schemas"][ref.rsplit("/", 1)[-1]]
    if "enum" in schema or "const" in schema:
        return
    for way in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from _free_texts(document, way, name)
    for field, one in schema.get("properties", {}).items():
        yield from _free_texts(document, one, field)
    if isinstance(values := schema.get("additionalProperties"), dict):
        yield from _free_texts(document, values, f"{name}{{}}")
    if "items" in schema:
        yield from _free_texts(document, schema["items"], name if name.endswith("[]") else f"{name}[]")
    kinds = schema.get("type", ())
    if name and "string" in ([kinds] if isinstance(kinds, str) else kinds):
        yield name
    elif name and not set(schema) & {"type", "anyOf", "oneOf", "allOf"}:
        yield name  # whatever it is
