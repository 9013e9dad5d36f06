"""Answers in JSON, from a handler or from a plain ASGI application."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from litestar import Response
from litestar.types import ASGIApp, Receive, Scope, Send

from seedance_api.foundation.etag import etag_of, lists

_JSON = (b"content-type", b"application/json")
REPLAYED = {"Idempotent-Replayed": "true"}
"""Beside an answer to what was done before."""


def json_response(value: msgspec.Struct, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """A struct as a JSON response."""
    return Response(msgspec.json.encode(value), media_type="application/json", headers=headers)


class Tagged(NamedTuple):
    """A JSON answer with its ETag. `headers` are those beside the body's type and length."""

    body: bytes
    etag: str
    headers: list[tuple[bytes, bytes]]


def tagged(body: bytes, headers: Mapping[str, str]) -> Tagged:
    """An answer, and its ETag."""
    etag = etag_of(body)
    every = {"ETag": etag, **headers}
    return Tagged(body, etag, [(name.encode(), value.encode()) for name, value in every.items()])


async def send_tagged(send: Send, answer: Tagged, none_match: str = "") -> None:
    """Send it from a plain ASGI application; 304 and nothing more where its ETag is in `none_match`."""
    if none_match and lists(none_match, answer.etag):
        status, body, headers = 304, b"", answer.headers
    else:
        status, body = 200, answer.body
        headers = [*answer.headers, _JSON, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def tagged_response(none_match: str, answer: Tagged) -> ASGIApp:
    """The same as the answer of a handler."""

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send_tagged(send, answer, none_match)

    return respond
