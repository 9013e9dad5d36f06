"""A route is declared once, with its handler: everything else that knows of it reads it there."""

import asyncio
import re
import time
from datetime import date
from types import SimpleNamespace
from typing import Any, Literal, get_args

import msgspec
import pytest
from litestar import Litestar, Response, get
from litestar.params import FromPath

from seedance_api.accounts.authenticate import Principal
from seedance_api.api import docs
from seedance_api.api.openapi import document
from seedance_api.api.routes import ROUTES
from seedance_api.foundation.errors import AppError
from seedance_api.traffic.gcra import Quota
from seedance_api.traffic.limit_stores import MemoryStore
from seedance_api.traffic.rate_limits import Limits, RateClass, RateLimits
from seedance_api.traffic.rows import Request
from seedance_api.web.authenticate import Caller, Face, Headers
from seedance_api.web.context import Context
from seedance_api.web.edge import Edge
from seedance_api.web.errors import handle
from seedance_api.web.respond import json_response
from seedance_api.web.route import Auth, Operation, operation_of
from test_docs import endpoints


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """How it is outside."""

    object: Literal["weather"] = "weather"
    degrees: int
    """In the shade."""


class Operated(msgspec.Struct, frozen=True):
    """The answer of an application."""

    status: int
    headers: dict[str, str]
    body: Any


@get(
    "/v1/weather/{file_id:str}",
    operation=Operation(
        id="retrieveWeather", summary="Look outside", tag="Weather", answer=Weather, errors=("rate_limited",)
    ),
)
async def retrieve_weather(file_id: FromPath[str]) -> Response[bytes]:
    """What the weather is like
    at a file's."""
    del file_id
    return json_response(Weather(degrees=21))


ALL = (*ROUTES, retrieve_weather)
AT = "/v1/weather/file_01jh0000000000000000000000"


async def by_password(context: Context, headers: Headers, network: str) -> Caller:
    """An authenticator of another face: it takes one word."""
    del context, network
    if (b"x-word", b"please") not in headers:
        raise AppError("missing_key", "Say please.")
    return Caller(Principal("acc", "key", True), None)


def limits(*, address: int = 1000, **per_minute: int) -> RateLimits:
    """Rate limits of these classes."""
    classes: Any = {rate: Quota(requests) for rate, requests in per_minute.items()}
    return RateLimits(MemoryStore(), Limits(classes=classes, address=Quota(address)))


def ask(
    face: Face,
    method: str,
    path: str,
    *,
    word: str = "please",
    host: str = "x",
    rate_limits: RateLimits | None = None,
) -> Operated:
    """What an application with this face alone answers."""
    app = Litestar(route_handlers=face.routes, openapi_config=None, exception_handlers={Exception: handle})
    logged: list[Request] = []
    app.state["context"] = SimpleNamespace(
        authenticate=SimpleNamespace(epoch=0),
        rate_limits=rate_limits or limits(read=1000),
        db=SimpleNamespace(clock=time.time),
        request_log=logged.append,
    )
    edge = Edge(app, [face])
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    path, _, query = path.partition("?")
    scope: Any = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "root_path": "", "query_string": query.encode(), "client": None,
        "headers": [(b"host", host.encode()), (b"x-word", word.encode())], "server": None, "state": {},
        "extensions": {},
    }  # fmt: skip
    asyncio.run(edge(scope, receive, send))
    body = b"".join(one["body"] for one in sent if one["type"] == "http.response.body")
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert [(row.id, row.status) for row in logged] == [(headers["x-request-id"], sent[0]["status"])], "one row each"
    return Operated(sent[0]["status"], headers, msgspec.json.decode(body) if body else None)


def test_a_new_route_is_answered() -> None:
    answer = ask(Face("/v1", ALL, by_password), "GET", AT)
    assert (answer.status, answer.body) == (200, {"object": "weather", "degrees": 21})
    assert re.fullmatch(r"app;dur=\d+\.\d\d", answer.headers["server-timing"])


@pytest.mark.parametrize("auth", ["key", None])
def test_a_route_s_rate_is_the_limit_that_its_requests_count_against(auth: Auth) -> None:
    @get("/v1/rated", operation=Operation(summary="Ask", auth=auth, rate="verify"))
    async def ask_rated() -> Response[bytes]:
        return json_response(Weather(degrees=21))

    face = Face("/v1", (*ALL, ask_rated), by_password)
    few = limits(read=2, verify=2)
    answers = [ask(face, method, "/v1/rated", rate_limits=few) for method in ("GET", "HEAD", "GET", "OPTIONS")]
    assert [answer.status for answer in answers] == [200, 200, 429, 204]
    assert int(answers[2].headers["retry-after"]) >= 1
    assert answers[0].headers["ratelimit-policy"] == '"verify";q=2;w=60'
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers[:2]] == ["1", "0"]
    asked = [ask(face, "GET", AT, rate_limits=few).status for _ in range(3)]
    assert asked[-1] == 429, "which is a read"
    assert asked.count(200) == (1 if auth else 2), "OPTIONS of what takes a key is one as well"


def test_every_rate_that_a_route_names_has_its_limit() -> None:
    rates = {operation_of(handler).rate for handler in ROUTES} - {None}
    assert rates | {"read", "write"} == set(get_args(RateClass))


def test_a_new_route_is_in_the_document() -> None:
    found = document(ALL)
    operation = found["paths"]["/v1/weather/{file_id}"]["get"]
    assert operation["description"] == "What the weather is like at a file's."
    assert {"401", "404", "429"} <= set(operation["responses"])
    assert "`rate_limited`" in operation["responses"]["429"]["description"]
    assert found["components"]["schemas"]["Weather"]["properties"]["degrees"]["description"] == "In the shade."
    assert {"name": "Weather", "description": ""} in found["tags"]
    assert "/v1/weather/{file_id}" not in document(tuple(ROUTES))["paths"]


def test_a_new_route_is_on_the_page_and_in_the_guide() -> None:
    text, _ = docs.page(ALL, date(2026, 12, 1))
    article = text.partition('<article id="retrieveWeather"')[2].partition("</article>")[0]
    assert "Look outside" in article
    assert "What the weather is like at a file's." in article
    assert "$SEEDANCE_BASE_URL/v1/weather/file_…" in article.replace("&#34;", '"')
    assert 'id="Weather"' in text
    assert "In the shade." in text
    assert "| `GET /v1/weather/{file_id}` | Look outside | a key |" in endpoints(ALL)


# Who may is said by the route, and by its face where there is none


def open_to(auth: Auth) -> Any:
    """A route for whom it says."""

    @get("/v1/weather/{file_id:str}", operation=Operation(summary="Look outside", auth=auth))
    async def retrieve(file_id: FromPath[str]) -> Response[bytes]:
        del file_id
        return json_response(Weather(degrees=21))

    return retrieve


@pytest.mark.parametrize(("auth", "status"), [("key", 401), ("link", 200), (None, 200)])
def test_a_route_says_what_it_asks_for(auth: Auth, status: int) -> None:
    face = Face("/v1", [open_to(auth)], by_password)
    assert ask(face, "GET", AT, word="no").status == status
    assert ask(face, "POST", AT, word="no").status == (401 if auth == "key" else 405)
    assert ask(face, "GET", AT).status == 200


def test_what_is_not_there_is_told_to_those_who_may() -> None:
    face = Face("/v1", [open_to(None)], by_password)
    for path in ("/v1", "/v1/", "/v1/nothing", "/v1/weather", "/v1/weather/"):
        assert ask(face, "GET", path, word="no").status == 401
        assert ask(face, "GET", path).status == 404
    assert ask(face, "GET", "/v10/nothing", word="no").status == 404
    assert ask(Face("/other", [open_to(None)], by_password), "GET", "/v1/nothing", word="no").status == 404


def test_a_path_says_one_thing_of_who_may() -> None:
    with pytest.raises(ValueError, match="do not agree"):
        Edge(Litestar(route_handlers=[]), [Face("/v1", [open_to("key"), open_to(None)], by_password)])


def test_a_route_that_says_nothing_is_not_served() -> None:
    @get("/v1/weather")
    async def silent() -> None: ...

    with pytest.raises(TypeError, match="no operation"):
        Edge(Litestar(route_handlers=[]), [Face("/v1", [silent], by_password)])


def test_every_route_of_the_document_has_a_name_and_a_sentence() -> None:
    for handler in ROUTES:
        operation = operation_of(handler)
        assert bool(operation.id) is (operation.tag is not None)
        assert operation.summary
        assert handler.fn.__doc__
        assert "HEAD" not in handler.http_methods or operation.head is not None


def test_a_word_goes_before_a_parameter_unless_it_leads_nowhere() -> None:
    @get("/v1/weather/today", operation=Operation(summary="Now"))
    async def today() -> Response[bytes]:
        return json_response(Weather(degrees=1))

    @get("/v1/weather/{day:str}/night", operation=Operation(summary="At night"))
    async def night(day: FromPath[str]) -> Response[bytes]:
        return json_response(Weather(degrees=len(day)))

    face = Face("/v1", [open_to("key"), today, night], by_password)
    assert ask(face, "GET", "/v1/weather/today").body["degrees"] == 1
    assert ask(face, "GET", "/v1/weather/today/night").body["degrees"] == 5
    assert ask(face, "GET", "/v1/weather/tomorrow").status == 404
