"""The JSON schemas of what the routes take and answer, made of the structs that the handlers decode and encode."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args

import msgspec

from seedance_api.api.video_form import CreateVideo, MediaItem
from seedance_api.catalog.models import MODELS
from seedance_api.web.errors import ErrorView
from seedance_api.web.notes import field_notes
from seedance_api.web.route import Operation

FILE: dict[str, Any] = {"type": "string", "contentMediaType": "application/octet-stream"}
TEXT: dict[str, Any] = {"type": "string"}
_LISTS = ("images", "videos", "audios")
EVERYWHERE = {
    "data": "What is on this page.",
    "first_id": "The id of the first; null for an empty page.",
    "last_id": "The id of the last: the `after` of the next page; null for an empty page.",
    "has_more": "Whether there is a next page.",
    "livemode": "Whether it belongs to live keys; what belongs to test keys costs nothing.",
    "sandbox": "Whether the sandbox makes it: a preview, no model's work.",
    "created_at": "When it was made, in Unix seconds.",
    "currency": "The account's currency.",
}
"""What a field of an answer is about that says nothing of itself."""


def ref(schema: str) -> dict[str, str]:
    """Where a schema is."""
    return {"$ref": f"#/components/schemas/{schema}"}


def schemas(operations: Sequence[Operation]) -> dict[str, Any]:
    """Every schema that these operations use, by its name."""
    bodies = [*{one.body: one for one in operations if isinstance(one.body, type)}.values()]
    answers = [one.answer for one in operations if isinstance(one.answer, type)]
    taken = [one.body for one in bodies if isinstance(one.body, type)]
    shapes = list(dict.fromkeys([*answers, ErrorView, *taken, *([MediaItem] if CreateVideo in taken else [])]))
    _, found = msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")
    for shape in _structs(shapes, set()):
        if "properties" in found.get(shape.__name__, {}):
            _describe(shape, found[shape.__name__]["properties"])
    for one in bodies:
        assert isinstance(one.body, type)
        schema = found[one.body.__name__]
        schema["additionalProperties"] = False
        if one.body_needs:
            schema["required"] = list(one.body_needs)
            for name in set(one.body_needs) - set(one.body_nulls):
                _demand(schema["properties"][name])
    if CreateVideo in taken:
        found["MediaItem"]["additionalProperties"] = False
        _describe_create(found["CreateVideo"]["properties"])
        found["CreateVideoForm"] = _form(found["CreateVideo"]["properties"])
    return found


def _demand(schema: dict[str, Any]) -> None:
    """What must be there is not null, which stands for absent."""
    schema.pop("default", None)
    schema["anyOf"] = [one for one in schema["anyOf"] if one != {"type": "null"}]


def _structs(kinds: Iterable[Any], met: set[Any]) -> Iterator[type[msgspec.Struct]]:
    """These structs, and those inside them."""
    for kind in kinds:
        if kind in met:
            continue
        met.add(kind)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            yield kind
            yield from _structs([field.type for field in msgspec.structs.fields(kind)], met)
        yield from _structs([one for one in get_args(kind) if not isinstance(one, str | bool | int)], met)


def _describe(shape: type[msgspec.Struct], properties: dict[str, Any]) -> None:
    notes = field_notes(shape)
    for name, schema in properties.items():
        note = notes.get(name) or EVERYWHERE.get(name)
        match schema:
            case {"enum": [str(only)]}:
                note = note or f"Always `{only}`."
            case {"enum": [True]}:
                note = note or "Always true."
            case {"default": str(only)} if name == "object":
                note = f"Always `{only}`."
            case _:
                pass
        if note:
            schema.setdefault("description", note)


def _describe_create(properties: dict[str, Any]) -> None:
    """What `Any` leaves open: a medium is a text or an object."""
    medium = {"anyOf": [TEXT, ref("MediaItem")]}
    for name in _LISTS:
        properties[name]["anyOf"] = [{"type": "array", "items": medium, "maxItems": 64}, {"type": "null"}]
    properties["input_reference"]["anyOf"] = [medium, {"type": "array", "items": medium}, {"type": "null"}]
    properties["model"]["examples"] = [model.name for model in MODELS]


def _form(create: dict[str, Any]) -> dict[str, Any]:
    """The same fields as parts of a form, all text; pictures may come as files."""
    properties: dict[str, Any] = {
        name: TEXT | {"description": one["description"]}
        for name, one in create.items()
        if name not in ("metadata", *_LISTS)
    }
    properties["input_reference"]["anyOf"] = [FILE, TEXT]
    del properties["input_reference"]["type"]
    for name in _LISTS:
        either = {"anyOf": [FILE, TEXT]}
        properties[f"{name}[]"] = {"type": "array", "items": either, "description": create[name]["description"]}
    return {
        "type": "object",
        "properties": properties,
        "description": "Values are text; lists are `name[]`, objects `name[key]`.",
    }
