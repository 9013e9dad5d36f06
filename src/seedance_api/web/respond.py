"""Answers in JSON, from a handler or from a plain ASGI application."""

from collections.abc import Mapping

import msgspec
from litestar import Response
from litestar.types import ASGIApp, Receive, Scope, Send

from seedance_api.foundation.etag import lists

REPLAYED = {"Idempotent-Replayed": "true"}
"""Beside an answer to what was done before."""


def json_response(value: msgspec.Struct, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """A struct as a JSON response."""
    return Response(msgspec.json.encode(value), media_type="application/json", headers=headers)


async def send_json(send: Send, body: bytes, extra: Mapping[str, str], none_match: str = "") -> None:
    """A JSON answer from a plain ASGI handler; 304 and nothing more where its ETag is in `none_match`."""
    headers = [(key.encode(), value.encode()) for key, value in extra.items()]
    if none_match and lists(none_match, extra["ETag"]):
        status, body = 304, b""
    else:
        status = 200
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def json_unless(none_match: str, body: bytes, extra: Mapping[str, str]) -> ASGIApp:
    """The same as the answer of a handler."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send_json(send, body, extra, none_match)

    return answer
