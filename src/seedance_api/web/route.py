"""What a route says of itself, once. Routing, authentication, the OpenAPI document, the page at /docs and the table of
addresses in the guide are read off it.

`@get("/v1/models", operation=Operation(…))`; the handler's docstring is the operation's description.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, Literal

import msgspec
from litestar.handlers import HTTPRouteHandler

from seedance_api.accounts.authenticate import Principal
from seedance_api.accounts.scopes import Scope
from seedance_api.traffic.rate_limits import RateClass
from seedance_api.web.context import Context
from seedance_api.web.respond import Tagged

Auth = Literal["key", "link"] | None
"""What lets a request in: a key, a signed address instead of one, or nothing."""
Direct = Callable[[Context, Principal, str], Awaitable[Tagged]]
"""Makes an answer from the id in the path."""
_TYPED = re.compile(r"\{(\w+):\w+\}")


class Parameter(msgspec.Struct, frozen=True):
    """A parameter of a query, a path or a header: its JSON schema, and a sentence about it."""

    name: str
    schema: dict[str, Any]
    note: str
    place: Literal["query", "path", "header"] = "query"


TOKEN = Parameter("token", {"type": "string"}, "What we signed: the object, its type and until when.", "path")


def limit_parameter(maximum: int, default: int = 20, note: str = "How many.") -> Parameter:
    """How many entries a page has."""
    return Parameter("limit", {"type": "integer", "minimum": 1, "maximum": maximum, "default": default}, note)


def id_schema(prefix: str) -> dict[str, Any]:
    """The JSON schema of an id with this prefix."""
    return {"type": "string", "pattern": f"^{prefix}_[0-9a-hjkmnp-tv-z]{{26}}$"}


def after_parameter(prefix: str) -> Parameter:
    """Where a page begins: behind this id."""
    return Parameter("after", id_schema(prefix), "The `last_id` of the page before.")


class FileBody(msgspec.Struct, frozen=True):
    """A body that is one file: a form with a part `file`, which may have others that mean nothing, or the bare file."""

    note: str
    others: Mapping[str, str] = {}
    bare: bool = False


class FileAnswer(msgspec.Struct, frozen=True):
    """An object of the store, whole or in part, of one of these media types; or where it is."""

    media_types: Sequence[str]
    redirects: bool = False


class TextAnswer(msgspec.Struct, frozen=True):
    """A text of this media type."""

    media_type: str
    says: str


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """How the page shows a request: its body, its query, what else curl is told. `answer`: fields of the answer that
    have other values here than everywhere; `text`: all of an answer that is not JSON."""

    body: Mapping[str, Any] | None = None
    query: str = ""
    curl: str = ""
    answer: Mapping[str, Any] | None = None
    text: str = ""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What a route says of itself beside path, methods and description. Without `tag` it is left out of the document.

    `errors` are those of its own: what follows from the rest, such as a body's, is added.
    """

    summary: str
    id: str = ""
    tag: str | None = None
    auth: Auth = "key"
    scope: Scope | None = None
    """What a key must be for; every route that takes one says so."""
    body: type[msgspec.Struct] | FileBody | None = None
    body_required: bool = True
    body_needs: Sequence[str] = ()
    """Fields that must be there though decoding takes a body without them, to say more of what is missing."""
    body_nulls: Sequence[str] = ()
    """Those of them for which null is a value, and does not stand for absent."""
    body_as_form: bool = False
    """Whether the fields of the body may also come as a form, and media in it as files."""
    answer: type[msgspec.Struct] | FileAnswer | TextAnswer | None = None
    also: Mapping[int, str] = {}
    """Further statuses that have the same answer, and why."""
    errors: Sequence[str] = ()
    parameters: Sequence[Parameter] = ()
    takes_query: bool = False
    """Whether its query is its own affair; elsewhere a parameter is refused, as nobody would read it."""
    repeatable: bool = False
    """Whether it takes an `Idempotency-Key`."""
    rate: RateClass | None = None
    """The limit that each request counts against: that of its account, or of its address where no key is asked for.
    Every route that takes a key says so; one that takes none may leave it to what an address may ask for in all."""
    shared: bool = False
    """Whether pages of other origins may use it."""
    is_probe: bool = False
    """Whether load balancers ask for it: without a `Host`, and on a port of its own."""
    direct: Direct | None = None
    """Answers a GET without a query or `Prefer` before the framework, which costs half of the throughput."""
    tagged: bool = False
    """Whether its answer has an `ETag`, and is 304 for those who have it already."""
    head: tuple[str, str] | None = None
    """The id and the summary of its HEAD, where that is an operation of its own."""
    sample: Sample = Sample()


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path."""

    method: str
    path: str
    id: str
    summary: str
    description: str
    operation: Operation


def operation_of(handler: HTTPRouteHandler) -> Operation:
    """What a route's handler says of it. Raises TypeError for one that says nothing: nobody would know who may."""
    operation = handler.opt.get("operation")
    if not isinstance(operation, Operation):
        raise TypeError(f"{handler} has no operation")
    return operation


def handlers_of(modules: Iterable[ModuleType]) -> list[HTTPRouteHandler]:
    """The routes of these modules, in the order in which they stand there."""
    return [handler for module in modules for handler in vars(module).values() if isinstance(handler, HTTPRouteHandler)]


def routes_of(handlers: Iterable[HTTPRouteHandler]) -> list[Route]:
    """Every method of every path, with what is said of it."""
    return [
        _route(handler, str(method), path)
        for handler in handlers
        for path in sorted(handler.paths)
        for method in sorted(handler.http_methods)
    ]


def _route(handler: HTTPRouteHandler, method: str, path: str) -> Route:
    operation = operation_of(handler)
    name, summary, says = operation.id, operation.summary, " ".join((handler.fn.__doc__ or "").split())
    if method == "HEAD" and operation.head is not None:
        (name, summary), says = operation.head, "The headers of it and no body."
    return Route(
        method=method,
        path=_TYPED.sub(r"{\1}", path),
        id=name,
        summary=summary,
        description=says,
        operation=operation,
    )
