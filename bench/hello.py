"""The yardstick: the smallest ASGI application there is, on the web server that we use."""

from typing import Any

from seedance_api.foundation.process import die_with_parent

_BODY = b'{"hello":"world"}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))]


def make() -> Any:
    """The application, for one server process."""
    die_with_parent()
    return hello


async def hello(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer everything alike."""
    del receive
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": _BODY, "more_body": False})
