"""`/openapi.json` and `/docs`: the document, and a page of it that needs no script and no other host.

The page is the OpenAPI document laid out for people. What a document cannot say is beside the template: `notes.toml`
has a sentence for each field of an answer, `examples.toml` a request and an answer for each operation.
"""

import base64
import hashlib
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from functools import cache, lru_cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import msgspec
import pygments
from litestar import Response, get
from markupsafe import Markup, escape
from pygments.token import Comment, Keyword, Number, String

from seedance_api.api.body import AnyRequest
from seedance_api.api.openapi import document
from seedance_api.api.parts import parts_of
from seedance_api.catalog import models
from seedance_api.catalog.problem import MEANINGS
from seedance_api.foundation import errors
from seedance_api.foundation.errors import CODES
from seedance_api.generations.states import FAILURES
from seedance_api.providers.sandbox.magic import SPELLS, Spell

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from pygments.lexer import Lexer

_FOLDER = Path(__file__).with_name("templates")
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_FOLDER),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)
OBJECTS = (
    "Video", "VideoList", "VideoDeleted", "ContentLink", "DeletionReceipt", "QuoteView", "MediaItem", "FileView",
    "FileDeleted", "Verification", "ModelList", "ModelView", "WebhookEndpoint", "WebhookEndpointWithSecret",
    "WebhookEndpointList", "WebhookEndpointDeleted", "WebhookEndpointTest", "WebhookEventTypes", "WebhookDelivery",
    "WebhookDeliveryList", "WebhookReplay", "WebhookSecret", "RotatedWebhookSecret", "EventView", "EventList",
    "Balance", "UsageList", "ErrorView", "Health",
)  # fmt: skip
"""The schemas that have a table of their own."""
PROBLEMS = errors.PROBLEMS | {str(code): meaning for code, meaning in MEANINGS.items()}
"""Every code that an entry of `errors` can have: the two of `decode.py`, and the catalogue's."""
_PLACE = "http://base.invalid"
"""Stands in the rendered page for the address that the reader uses."""
_PUBLIC = {"Cache-Control": "public, max-age=300"}
"""The documentation is everybody's, and the same for everybody."""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a table: a parameter, or a field of a body or an answer."""

    name: str
    type: Markup
    default: str | None
    required: bool
    note: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A response. `codes` are the error codes that are this operation's own."""

    status: str
    meaning: str
    shape: Markup | None
    codes: list[str]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A method of an address."""

    name: str
    method: str
    path: str
    summary: str
    note: str
    open: bool
    parameters: list[Field]
    body: list[Field]
    body_types: list[str]
    answers: list[Answer]
    request: str
    answer: str


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The operations under one tag."""

    name: str
    note: str
    operations: list[Operation]


@get("/openapi.json")
async def openapi_json() -> Response[bytes]:
    """The OpenAPI document."""
    return Response(msgspec.json.encode(document()), media_type="application/json", headers=_PUBLIC)


@get("/")
async def root() -> Response[bytes]:
    """Whoever opens the service in a browser finds its documentation; relative, for a proxy may have a prefix."""
    return Response(b"", status_code=302, headers={"Location": "docs"} | _PUBLIC)


@get("/docs")
async def docs_page(request: AnyRequest) -> Response[str]:
    """The documentation of the API, with the address that customers use."""
    text, policy = page(models.today_utc())
    return Response(
        text.replace(_PLACE, parts_of(request).base),
        media_type="text/html",
        headers={
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
        }
        | _PUBLIC,
    )


@lru_cache(maxsize=1)
def page(today: date) -> tuple[str, str]:
    """The page as it is on a day, for models come and go, and the policy under which it is shown."""
    style = (_FOLDER / "docs.css").read_text()
    text = _TEMPLATES.get_template("docs.html").render(
        style=Markup(style),  # noqa: S704 our own file
        base=_PLACE,
        api=document(),
        groups=groups(),
        objects={name: fields_of(name) for name in OBJECTS},
        titles={name: title(name) for name in OBJECTS},
        schemas=document()["components"]["schemas"],
        starts=read_text("examples.toml")["start"],
        paint=paint,
        inline=inline,
        models=[models.view(model, today=today) for model in models.MODELS],
        codes=CODES,
        everywhere=[code for code in CODES if code in _everywhere()],
        problems=PROBLEMS,
        failures=FAILURES,
        spells=spells(),
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return text, policy


def spells() -> dict[str, str]:
    """What to write in a prompt, and what the sandbox then does."""
    tags = {one: f"[sandbox:{one}=20]" if one is Spell.SLOW else f"[sandbox:{one}]" for one in SPELLS}
    return {tags[one]: says.removeprefix(f"`{tags[one]}`: ") for one, says in SPELLS.items()}


def groups() -> list[Group]:
    """Every operation of the document, under its tag."""
    found = [
        (tag["name"], tag["description"], [one for one in operations() if one[0] == tag["name"]])
        for tag in document()["tags"]
    ]
    return [Group(name=name, note=note, operations=[one for _, one in under]) for name, note, under in found]


def operations() -> Iterator[tuple[str, Operation]]:
    """Every operation with its tag."""
    examples = read_text("examples.toml")
    everywhere = _everywhere()
    for path, methods in document()["paths"].items():
        shared = methods.get("parameters", [])
        for method, one in methods.items():
            if method == "parameters":
                continue
            content: dict[str, Any] = one.get("requestBody", {}).get("content", {})
            example = examples.get(one["operationId"], {})
            yield (
                one["tags"][0],
                Operation(
                    name=one["operationId"],
                    method=method.upper(),
                    path=path,
                    summary=one["summary"],
                    note=example.get("note") or one.get("description", ""),
                    open=one.get("security") == [],
                    parameters=[_parameter(each) for each in [*shared, *one.get("parameters", [])]],
                    body=_body(content, example.get("body", True)),
                    body_types=list(content),
                    answers=[_answer(status, says, everywhere) for status, says in one["responses"].items()],
                    request=example.get("request", ""),
                    answer=example.get("answer", ""),
                ),
            )


def fields_of(name: str, prefix: str = "", within: str | None = None) -> list[Field]:
    """The fields of a schema; those of an object inside it follow it, with dotted names."""
    schemas: dict[str, Any] = document()["components"]["schemas"]
    notes = read_text("notes.toml").get(within or name, {})
    found: list[Field] = []
    for field, schema in schemas[name].get("properties", {}).items():
        inner = _inner(schema)
        note = schema.get("description") or notes.get(prefix + field) or schemas.get(inner, {}).get("description", "")
        found.append(Field(
            name=prefix + field,
            type=_type(schema),
            default=None,
            required=field in schemas[name].get("required", []),
            note=note,
        ))  # fmt: skip
        if inner and inner not in OBJECTS:
            found += fields_of(inner, f"{prefix}{field}.", within or name)
    return found


def title(schema: str) -> str:
    """What an object is called: the error, not the error view."""
    return schema.removesuffix("View")


def inline(text: str) -> Markup:
    """A sentence whose `code` is marked up."""
    return Markup(_markdown().renderInline(text))  # noqa: S704 it escapes the rest


def paint(text: str) -> Markup:
    """A program or an answer in colours: comments, strings and numbers."""
    text = text.strip()
    pieces = (
        # a line that goes on in the next is no string, though the library has it for one
        (next((name for of, name in _COLOURS if kind in of and kind is not String.Escape), None), piece)
        for kind, piece in pygments.lex(text, _lexer(text))
    )
    runs = ((colour, "".join(piece for _, piece in run)) for colour, run in groupby(pieces, key=itemgetter(0)))
    return Markup().join(Markup('<i class="{}">{}</i>').format(*run) if run[0] else run[1] for run in runs)


@cache
def _markdown() -> "MarkdownIt":
    from markdown_it import MarkdownIt  # noqa: PLC0415 for this page alone

    return MarkdownIt("zero").enable("backticks")


def _lexer(text: str) -> "Lexer":
    """By what the text begins with: an answer in JSON, a program in Python, else commands."""
    from pygments.lexers.data import JsonLexer  # noqa: PLC0415 for this page alone
    from pygments.lexers.python import PythonLexer  # noqa: PLC0415
    from pygments.lexers.shell import BashLexer  # noqa: PLC0415

    if text.startswith(("{", "[")):
        return JsonLexer(ensurenl=False)
    return PythonLexer(ensurenl=False) if text.startswith("from ") else BashLexer(ensurenl=False)


_COLOURS = ((Comment, "c"), (String, "s"), (Number, "n"), (Keyword.Constant, "n"))
"""What of a text has which class of the style sheet; all else, such as the keys of an object, has the text's colour."""


def _inner(schema: dict[str, Any]) -> str:
    """The object that a field holds, not those of a list; empty when it holds none."""
    for one in [schema, *schema.get("anyOf", [])]:
        name = one.get("$ref", "").rsplit("/", 1)[-1]
        if name and "properties" in document()["components"]["schemas"][name]:
            return name
    return ""


def _type(schema: dict[str, Any], *, nulls: bool = True) -> Markup:
    """A schema in words."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        if name in OBJECTS:
            return Markup('<a href="#{}">{}</a>').format(name, title(name))
        found = document()["components"]["schemas"][name]
        return _type(found) if "enum" in found else Markup("object")
    if "anyOf" in schema:
        kinds = [one for one in schema["anyOf"] if nulls or one.get("type") != "null"]
        return Markup(" or ").join(dict.fromkeys(_type(one, nulls=nulls) for one in kinds))
    if "enum" in schema:
        return Markup(" ").join(Markup("<code>{}</code>").format(_json(one)) for one in schema["enum"])
    if schema.get("type") == "array":
        return Markup("list of {}").format(_type(schema.get("items") or schema["prefixItems"][0], nulls=nulls))
    if "contentMediaType" in schema:
        return Markup("file")
    return Markup(escape(_WORDS.get(schema.get("type", ""), schema.get("type", "any"))))  # noqa: S704 escaped


_WORDS = {"number": "number", "integer": "integer", "boolean": "true or false", "string": "text"}


def _json(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _parameter(one: dict[str, Any]) -> Field:
    schema = one["schema"]
    default = schema.get("default")
    return Field(
        name=one["name"],
        type=Markup("{}, {}").format(_type(schema), "in the path" if one["in"] == "path" else one["in"]),
        default=None if default is None else f"`{_json(default)}`",
        required=one["required"],
        note=one.get("description", "A model's name, or one of the vendor's ids."),
    )


def _body(content: dict[str, Any], shown: bool) -> list[Field]:
    if not content or not shown:
        return []
    schema = next(iter(content.values()))["schema"]
    name = schema.get("$ref", "").rsplit("/", 1)[-1]
    found = document()["components"]["schemas"][name] if name else schema
    notes = read_text("notes.toml")
    return [
        Field(
            name=field,
            type=_type(one, nulls=False),
            default=notes["defaults"].get(field),
            required=field in found.get("required", []),
            note=one.get("description") or notes["upload"].get(field, ""),
        )
        for field, one in found["properties"].items()
    ]


def _answer(status: str, says: dict[str, Any], everywhere: frozenset[str]) -> Answer:
    codes = _codes(says)
    content: list[dict[str, Any]] = list(says.get("content", {}).values())
    schema: dict[str, Any] = content[0]["schema"] if content else {}
    return Answer(
        status=status,
        meaning="" if codes else says["description"],
        shape=_type(schema) if "$ref" in schema and not codes else None,
        codes=[code for code in codes if code not in everywhere],
    )


def _codes(says: dict[str, Any]) -> list[str]:
    return re.findall(r"^- `(\w+)`", says["description"], re.MULTILINE)


def _everywhere() -> frozenset[str]:
    """The error codes of every operation that needs a key."""
    common = frozenset(CODES)
    for methods in document()["paths"].values():
        for method, one in methods.items():
            if method != "parameters" and one.get("security") != []:
                common &= {code for says in one["responses"].values() for code in _codes(says)}
    return common


@cache
def read_text(name: str) -> dict[str, Any]:
    """A file of texts beside the template."""
    return tomllib.loads((_FOLDER / name).read_text())
