"""The headers of answers, as the OpenAPI document says them: what every answer has, and what some have beside it."""

from typing import Any

from seedance_api.web.route import Operation

_TEXT: dict[str, Any] = {"type": "string"}
_SECONDS: dict[str, Any] = {"type": "integer", "minimum": 0}


def _header(schema: dict[str, Any], note: str) -> dict[str, Any]:
    return {"required": True, "schema": schema, "description": note}


HEADERS: dict[str, Any] = {
    "X-Request-Id": _header(
        _TEXT | {"pattern": "^req_[0-9a-hjkmnp-tv-z]{26}$"},
        "Names this request, in the log of requests and to support.",
    ),
    "Server-Timing": _header(_TEXT, "`app;dur=` and the service's own milliseconds until this answer began."),
    "RateLimit-Policy": _header(_TEXT, 'The limit that the request counts against: `"read";q=600;w=60`.'),
    "RateLimit": _header(_TEXT, 'What is left of it, and in how many seconds all is back: `"read";r=599;t=1`.'),
    "Retry-After": _header(_SECONDS, "In how many seconds to ask again."),
    "WWW-Authenticate": _header(_TEXT, "`Bearer`."),
    "ETag": _header(_TEXT, "Names this version of the answer; see `If-None-Match`."),
}
"""The components of the document that describe headers; a header that is described is always there."""


def headers_of(operation: Operation, status: str) -> dict[str, Any]:
    """The headers that an answer with this status always has."""
    names = ["X-Request-Id", "Server-Timing"]
    if status.startswith("2") and operation.rate is not None:
        names += ["RateLimit-Policy", "RateLimit"]
    if status == "429":
        names.append("Retry-After")
    if status == "401":
        names.append("WWW-Authenticate")
    if operation.tagged and status in ("200", "304"):
        names.append("ETag")
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
