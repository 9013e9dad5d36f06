"""The reference on the page at `/docs`: the OpenAPI document laid out in tables, for people."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from litestar.handlers import HTTPRouteHandler
from markupsafe import Markup, escape

from seedance_api.api.openapi import document
from seedance_api.api.samples import answer_of, request_of
from seedance_api.foundation.error_codes import CODES
from seedance_api.web.route import routes_of


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a table: a parameter, or a field of a body or an answer."""

    name: str
    type: Markup
    default: str | None = None
    required: bool
    note: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A response. `codes` are the error codes that are this operation's own."""

    status: str
    meaning: str
    shape: Markup | None
    codes: list[str]


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A method of an address. `body_of`: the operation before it that has the same body."""

    name: str
    tag: str
    method: str
    path: str
    summary: str
    note: str
    open: bool
    parameters: list[Field]
    body: list[Field]
    body_types: list[str]
    body_of: "Shown | None"
    answers: list[Answer]
    request: str
    answer: str


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The operations under one tag."""

    name: str
    note: str
    operations: list[Shown]


class Reference:
    """What the page shows of these routes."""

    def __init__(self, handlers: tuple[HTTPRouteHandler, ...]) -> None:
        self.document = document(handlers)
        self.schemas: dict[str, Any] = self.document["components"]["schemas"]
        self._routes = [one for one in routes_of(handlers) if one.operation.tag is not None]
        answers = [one.operation.answer for one in self._routes]
        names = [one.__name__ for one in answers if isinstance(one, type)]
        self.objects = list(dict.fromkeys([*self._with_entries(names), "MediaItem", "ErrorView"]))
        """The schemas that have a table of their own."""
        self.everywhere = self._everywhere()
        """The error codes of every operation that needs a key."""
        self.operations = list(self._shown())

    @property
    def groups(self) -> list[Group]:
        """Every operation of the document, under its tag."""
        return [
            Group(
                name=tag["name"],
                note=tag["description"],
                operations=[one for one in self.operations if one.tag == tag["name"]],
            )
            for tag in self.document["tags"]
        ]

    def fields_of(self, name: str, prefix: str = "") -> list[Field]:
        """The fields of a schema; those of an object inside it follow it, with dotted names."""
        found: list[Field] = []
        for field, schema in self.schemas[name].get("properties", {}).items():
            inner = self._inner(schema)
            found.append(
                Field(
                    name=prefix + field,
                    type=self._type(schema),
                    required=field in self.schemas[name].get("required", []),
                    note=schema.get("description") or self.schemas.get(inner, {}).get("description", ""),
                )
            )
            if inner and inner not in self.objects:
                found += self.fields_of(inner, f"{prefix}{field}.")
        return found

    def _with_entries(self, names: list[str]) -> Iterator[str]:
        """These, and what lists of them have on their pages."""
        for name in names:
            yield name
            entry = self.schemas[name].get("properties", {}).get("data", {}).get("items", {}).get("$ref")
            if entry:
                yield entry.rsplit("/", 1)[-1]

    def _everywhere(self) -> frozenset[str]:
        common = frozenset(CODES)
        for methods in self.document["paths"].values():
            for method, one in methods.items():
                if method != "parameters" and one.get("security") != []:
                    common &= {code for says in one["responses"].values() for code in _codes(says)}
        return common

    def _shown(self) -> Iterator[Shown]:
        by_body: dict[str, Shown] = {}
        answered: set[Any] = set()
        for route in self._routes:
            item = self.document["paths"][route.path]
            one = item[route.method.lower()]
            content: dict[str, Any] = one.get("requestBody", {}).get("content", {})
            name: str = next((one["schema"].get("$ref", "") for one in content.values()), "")
            operation = route.operation
            again = operation.answer in answered and operation.sample.answer is None and not operation.sample.text
            answered.add(operation.answer if isinstance(operation.answer, type) else None)
            shown = Shown(
                name=one["operationId"],
                tag=one["tags"][0],
                method=route.method,
                path=route.path,
                summary=one["summary"],
                note=one["description"],
                open=one.get("security") == [],
                parameters=[
                    self._parameter(each) for each in [*item.get("parameters", []), *one.get("parameters", [])]
                ],
                body=[] if name in by_body else self._body(content),
                body_types=list(content),
                body_of=by_body.get(name),
                answers=[self._answer(status, says) for status, says in one["responses"].items()],
                request=request_of(route),
                answer="" if again else answer_of(route, self.schemas),
            )
            if name:
                by_body.setdefault(name, shown)
            yield shown

    def _inner(self, schema: dict[str, Any]) -> str:
        """The object that a field holds, not those of a list; empty when it holds none."""
        for one in [schema, *schema.get("anyOf", [])]:
            name = one.get("$ref", "").rsplit("/", 1)[-1]
            if name and "properties" in self.schemas[name]:
                return name
        return ""

    def _type(self, schema: dict[str, Any], *, nulls: bool = True) -> Markup:
        """A schema in words."""
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[-1]
            if name in self.objects:
                return Markup('<a href="#{}">{}</a>').format(name, title(name))
            found = self.schemas[name]
            return self._type(found) if "enum" in found else Markup("object")
        if "anyOf" in schema:
            kinds = [one for one in schema["anyOf"] if nulls or one.get("type") != "null"]
            return Markup(" or ").join(dict.fromkeys(self._type(one, nulls=nulls) for one in kinds))
        if "enum" in schema:
            return Markup(" ").join(Markup("<code>{}</code>").format(_json(one)) for one in schema["enum"])
        if schema.get("type") == "array":
            items = schema.get("items") or schema["prefixItems"][0]
            return Markup("list of {}").format(self._type(items, nulls=nulls))
        if "contentMediaType" in schema:
            return Markup("file")
        return Markup(escape(_WORDS.get(schema.get("type", ""), schema.get("type", "any"))))  # noqa: S704 escaped

    def _parameter(self, one: dict[str, Any]) -> Field:
        default = one["schema"].get("default")
        where = "in the path" if one["in"] == "path" else one["in"]
        return Field(
            name=one["name"],
            type=Markup("{}, {}").format(self._type(one["schema"]), where),
            default=None if default is None else f"`{_json(default)}`",
            required=one["required"],
            note=one["description"],
        )

    def _body(self, content: dict[str, Any]) -> list[Field]:
        if not content:
            return []
        schema = next(iter(content.values()))["schema"]
        found = self.schemas[schema["$ref"].rsplit("/", 1)[-1]] if "$ref" in schema else schema
        return [
            Field(
                name=field,
                type=self._type(one, nulls=False),
                required=field in found.get("required", []),
                note=one.get("description", ""),
            )
            for field, one in found["properties"].items()
        ]

    def _answer(self, status: str, says: dict[str, Any]) -> Answer:
        codes = _codes(says)
        content: list[dict[str, Any]] = list(says.get("content", {}).values())
        schema: dict[str, Any] = content[0]["schema"] if content else {}
        return Answer(
            status=status,
            meaning="" if codes else says["description"],
            shape=self._type(schema) if "$ref" in schema and not codes else None,
            codes=[code for code in codes if code not in self.everywhere],
        )


def title(schema: str) -> str:
    """What an object is called: the error, not the error view."""
    return schema.removesuffix("View")


_WORDS = {"number": "number", "integer": "integer", "boolean": "true or false", "string": "text"}


def _json(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _codes(says: dict[str, Any]) -> list[str]:
    return re.findall(r"^- `(\w+)`", says["description"], re.MULTILINE)
