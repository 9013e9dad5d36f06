"""Answers in JSON, from a handler or from a plain ASGI application."""

from collections.abc import Mapping

import msgspec
from litestar import Response
from litestar.types import Send

REPLAYED = {"Idempotent-Replayed": "true"}
"""Beside an answer to what was done before."""


def json_response(value: msgspec.Struct, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """A struct as a JSON response."""
    return Response(msgspec.json.encode(value), media_type="application/json", headers=headers)


async def send_json(send: Send, body: bytes, extra: dict[str, str]) -> None:
    """A JSON answer from a plain ASGI handler."""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(key.encode(), value.encode()) for key, value in extra.items()]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
