"""What is at which address, read off the routes: truthful refusals, and every method that an address takes."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl

import msgspec
from litestar.handlers import HTTPRouteHandler

from seedance_api.accounts.scopes import Scope
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.ids import is_id
from seedance_api.traffic.rate_limits import RateClass
from seedance_api.web.authenticate import Authenticate, Face
from seedance_api.web.decode import shown_name
from seedance_api.web.route import Direct, operation_of

IDS = {
    "video_id": ("vid", "video"),
    "file_id": ("file", "file"),
    "endpoint_id": ("whe", "webhook endpoint"),
    "event_id": ("evt", "event"),
}
"""Parameters of paths that are ids: their prefix, and of what."""
_HINTS = {
    "remix": "remixes are not served",
    "edits": "edits are not served",
    "extensions": "extensions are not served",
    "characters": "characters are not served",
    "generations": "create a video with POST /v1/videos",
    "models": "the models are at GET /v1/models",
}
"""What other services have below their videos, and what to do about it here."""
_PARAMETER = re.compile(r"{(\w+):str}")
_NAME = r"{\1}"
_MAX_NAMES = 20
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
"""Those of RFC 9110 and 5789; any other word that a client sends is no method that anybody would look for."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_UNKNOWN_METHOD = "OTHER"
_NOWHERE = {method: f"{method} (unknown)" for method in METHODS}


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """What an address takes: the methods that have a handler, all of them, for `Allow`, and those that read a query."""

    template: str
    ids: tuple[tuple[int, str, str], ...]
    """The parameters in its path that are ids: which, its name, and the prefix of such an id."""
    handled: frozenset[str]
    methods: frozenset[str]
    queried: frozenset[str]
    authenticate: Authenticate | None
    shared: bool
    rates: Mapping[str, RateClass]
    """The limit that a request counts against, of the methods that have one."""
    scopes: Mapping[str, Scope]
    """By method, what a key must be for."""
    is_probe: bool
    direct: Direct | None
    endpoints: dict[str, str]
    """By method, what the request log calls it."""

    def endpoint(self, method: str) -> str:
        """What the request log calls it: the method and the path with names for what stands in it."""
        return self.endpoints.get(method) or f"{_UNKNOWN_METHOD} {_PARAMETER.sub(_NAME, self.template)}"

    def scope(self, method: str) -> Scope | None:
        """What a key must be for; None where it does not matter."""
        return self.scopes.get("GET" if method == "HEAD" and method not in self.scopes else method)

    @property
    def allowed(self) -> str:
        """The value of `Allow`."""
        return ", ".join(sorted(self.methods))

    def check_query(self, method: str, query: bytes) -> None:
        """Raises AppError 400 for parameters in a query that nobody would read: a bound on the price, say."""
        if method in self.queried or (method == "HEAD" and "GET" in self.queried):
            return
        given = parse_qsl(query.decode("latin-1"), keep_blank_values=True) or [("", "")]
        names = list(dict.fromkeys(shown_name(name) for name, _ in given))[:_MAX_NAMES]
        how = "parameters belong in the body" if method == "POST" else "leave it out"
        says = f"this address takes nothing in its query; {how}"
        problems = [Problem(path=name, code="unknown_field", message=f"`{name}`: {says}.") for name in names]
        raise AppError("invalid_request", problems=problems)


class Found(NamedTuple):
    """An address that a path leads to, and what stands in the path for its parameters."""

    address: Address
    values: Sequence[str]

    @property
    def wrong_id(self) -> str | None:
        """The first parameter whose value is no id, where it should be one."""
        for at, name, prefix in self.address.ids:
            if not is_id(prefix, self.values[at]):
                return name
        return None


def endpoint_of(method: str, found: Found | None) -> str:
    """What the request log calls an endpoint; never the path itself, in which there may be anything."""
    if found is None:
        return _NOWHERE.get(method, f"{_UNKNOWN_METHOD} (unknown)")
    return found.address.endpoint(method)


def rate_of(method: str, found: Found | None, *, keyed: bool) -> RateClass | None:
    """The limit that a request counts against: what its route declares. With a key, what leads to no route counts as a
    read or a write by its method."""
    rates: Mapping[str, RateClass] = found.address.rates if found else {}
    rate = rates.get(method) or (rates.get("GET") if method == "HEAD" else None)
    if rate is None and keyed:
        return "read" if method in _SAFE else "write"
    return rate


class _Node:
    """One step into a path: by a word, or by whatever a parameter stands for."""

    def __init__(self) -> None:
        self.words: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.address: Address | None = None


class Addresses:
    """The addresses of all faces. `HEAD` goes wherever `GET` does, and `OPTIONS` everywhere."""

    def __init__(self, faces: Iterable[Face]) -> None:
        self._faces = tuple(faces)
        self._root = _Node()
        self._known = [address for face in self._faces for address in _addresses_of(face)]
        for address in self._known:
            node = self._root
            for part in _parts(address.template):
                if _PARAMETER.fullmatch(part):
                    node.parameter = node.parameter or _Node()
                    node = node.parameter
                else:
                    node = node.words.setdefault(part, _Node())
            node.address = address

    @property
    def probes(self) -> frozenset[str]:
        """The paths that load balancers ask for."""
        return frozenset(address.template for address in self._known if address.is_probe)

    def look(self, path: str) -> Found | None:
        """What is at a path, if anything is."""
        return _walk(self._root, _parts(path), 0, ())

    def guard(self, path: str) -> Authenticate | None:
        """Who tells what is not there: that of the face whose prefix the path has."""
        for face in self._faces:
            if path == face.prefix or path.startswith(face.prefix + "/"):
                return face.authenticate
        return None

    def take(self, method: str, path: str, found: Found | None) -> Address:
        """The address that was found. Raises AppError: 404 where nothing is, 405 where it does not take the method."""
        if found is None:
            meant = self._meant(path)
            raise _nothing(path, f"did you mean {meant}" if meant else "GET /docs lists what there is")
        if name := found.wrong_id:
            prefix, kind = IDS[name]
            raise _nothing(path, f"the id of a {kind} is `{prefix}_` and 26 letters and digits", param=name)
        if method not in found.address.methods:
            allowed = found.address.allowed
            message = f"This address does not take that method. It takes: {allowed}."
            raise AppError("method_not_allowed", message, headers={"Allow": allowed})
        return found.address

    def _meant(self, path: str) -> str | None:
        """The address that a path without its prefix, or with it twice, or behind something else, may stand for."""
        for face in self._faces:
            near = f"{face.prefix}/" + path.rpartition(f"{face.prefix}/")[2].lstrip("/")
            location = self.look(near) if near != path else None
            if location is not None:
                return _PARAMETER.sub(_NAME, location.address.template)
        return None


def _parts(path: str) -> list[str]:
    return path.rstrip("/").split("/")[1:]


def _walk(node: _Node, parts: list[str], at: int, values: tuple[str, ...]) -> Found | None:
    """Follow a path; a word goes before a parameter in its place, unless it leads nowhere."""
    if at == len(parts):
        return Found(node.address, values) if node.address is not None else None
    part = parts[at]
    word = node.words.get(part)
    if word is not None and (found := _walk(word, parts, at + 1, values)) is not None:
        return found
    return _walk(node.parameter, parts, at + 1, (*values, part)) if node.parameter is not None and part else None


def _addresses_of(face: Face) -> Iterable[Address]:
    """The addresses of a face. Raises ValueError where its routes do not agree on who may."""
    by_path: defaultdict[str, list[HTTPRouteHandler]] = defaultdict(list)
    for handler in face.routes:
        for path in handler.paths:
            by_path[path].append(handler)
    for path, handlers in by_path.items():
        operations = [operation_of(handler) for handler in handlers]
        if len({operation.auth for operation in operations}) > 1:
            raise ValueError(f"the routes of {path} do not agree on who may")
        handled = {str(method) for handler in handlers for method in handler.http_methods}
        queried = {str(m) for h in handlers if operation_of(h).takes_query for m in h.http_methods}
        yield Address(
            template=path,
            ids=tuple((at, name, IDS[name][0]) for at, name in enumerate(_PARAMETER.findall(path)) if name in IDS),
            handled=frozenset(handled),
            methods=frozenset(handled | {"OPTIONS"} | ({"HEAD"} if "GET" in handled else set())),
            queried=frozenset(queried),
            authenticate=face.authenticate if operations[0].auth == "key" else None,
            shared=any(operation.shared for operation in operations),
            rates={
                method: rate
                for handler in handlers
                for method in map(str, handler.http_methods)
                if (rate := operation_of(handler).rate) is not None
            },
            scopes={
                method: scope
                for handler in handlers
                for method in map(str, handler.http_methods)
                if (scope := operation_of(handler).scope) is not None
            },
            endpoints={method: f"{method} {_PARAMETER.sub(_NAME, path)}" for method in METHODS},
            is_probe=any(operation.is_probe for operation in operations),
            direct=next((operation.direct for operation in operations if operation.direct), None),
        )


def _nothing(path: str, why: str, param: str | None = None) -> AppError:
    parts = path.split("/")
    hints = [_HINTS[part] for part in parts[3:] if part in _HINTS] if parts[1:3] == ["v1", "videos"] else []
    reason = hints[0] if hints else why
    end = "?" if reason.startswith("did you") else "."
    return AppError("not_found", f"There is nothing at this address: {reason}{end}", param=param)
