"""What is at which address, read off the routes: truthful refusals, and every method that an address takes."""

import re
from collections import defaultdict
from collections.abc import Iterable
from urllib.parse import parse_qsl

import msgspec
from litestar.handlers import HTTPRouteHandler

from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.ids import is_id
from seedance_api.web.decode import shown_name

_IDS = {
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
_NAMED_MOST = 20
TAKES_QUERY = "takes_query"
"""What a route says of itself, `@get(…, takes_query=True)`, that reads the query and refuses what it does not know."""


class Address(msgspec.Struct, frozen=True):
    """What an address takes: the methods that have a handler, all of them, for `Allow`, and those that read a query."""

    handled: frozenset[str]
    methods: frozenset[str]
    queried: frozenset[str] = frozenset()

    @property
    def allowed(self) -> str:
        """The value of `Allow`."""
        return ", ".join(sorted(self.methods))

    def check_query(self, method: str, query: bytes) -> None:
        """Raises AppError 400 for parameters in a query that nobody would read: a bound on the price, say."""
        if method in self.queried or (method == "HEAD" and "GET" in self.queried):
            return
        given = parse_qsl(query.decode("latin-1"), keep_blank_values=True) or [("", "")]
        names = list(dict.fromkeys(shown_name(name) for name, _ in given))[:_NAMED_MOST]
        how = "parameters belong in the body" if method == "POST" else "leave it out"
        says = f"this address takes nothing in its query; {how}"
        problems = [Problem(path=name, code="unknown_field", message=f"`{name}`: {says}.") for name in names]
        raise AppError("invalid_request", problems=problems)


class Addresses:
    """The addresses of these routes. `HEAD` goes wherever `GET` does, and `OPTIONS` everywhere."""

    def __init__(self, routes: Iterable[HTTPRouteHandler]) -> None:
        handled: defaultdict[str, set[str]] = defaultdict(set)
        queried: defaultdict[str, set[str]] = defaultdict(set)
        for handler in routes:
            for path in handler.paths:
                methods = {str(method) for method in handler.http_methods}
                handled[path] |= methods
                queried[path] |= methods if handler.opt.get(TAKES_QUERY) else set()
        self._known = {
            path: Address(frozenset(found), _all(found), frozenset(queried[path])) for path, found in handled.items()
        }
        # a word stands before a parameter in its place
        patterns = sorted((path for path in handled if "{" in path), key=lambda path: path.replace("{", "~"))
        self._patterns = [(re.compile(_PARAMETER.sub(r"(?P<\1>[^/]+)", path)), path) for path in patterns]

    def find(self, method: str, path: str) -> Address:
        """What is at a path. Raises AppError: 404 where nothing is, 405 where it does not take the method."""
        found = self._at(path.rstrip("/") or "/")
        if method not in found.methods:
            message = f"This address does not take that method. It takes: {found.allowed}."
            raise AppError("method_not_allowed", message, headers={"Allow": found.allowed})
        return found

    def _at(self, path: str) -> Address:
        if path in self._known:
            return self._known[path]
        for pattern, template in self._patterns:
            if match := pattern.fullmatch(path):
                for name, value in match.groupdict().items():
                    if name in _IDS and not is_id(_IDS[name][0], value):
                        raise _no_id(name, path)
                return self._known[template]
        meant = self._meant(path)
        raise _nothing(path, f"did you mean {meant}" if meant else "GET /docs lists what there is")

    def _meant(self, path: str) -> str | None:
        """The address under /v1 that a path without it, or with it twice, or behind something else, may stand for."""
        near = "/v1/" + path.rpartition("/v1/")[2].lstrip("/")
        known = [near] if near in self._known else [at for one, at in self._patterns if one.fullmatch(near)]
        return known[0].replace(":str}", "}") if known and near != path else None


def _all(handled: set[str]) -> frozenset[str]:
    return frozenset(handled | {"OPTIONS"} | ({"HEAD"} if "GET" in handled else set()))


def _no_id(name: str, path: str) -> AppError:
    prefix, kind = _IDS[name]
    return _nothing(path, f"the id of a {kind} is `{prefix}_` and 26 letters and digits", param=name)


def _nothing(path: str, why: str, param: str | None = None) -> AppError:
    parts = path.split("/")
    known = [_HINTS[part] for part in parts[3:] if part in _HINTS] if parts[1:3] == ["v1", "videos"] else []
    said = known[0] if known else why
    end = "?" if said.startswith("did you") else "."
    return AppError("not_found", f"There is nothing at this address: {said}{end}", param=param)
