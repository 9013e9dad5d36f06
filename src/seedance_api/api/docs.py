"""`/openapi.json` and `/docs`: the document, and a page of it that needs no script and no other host."""

from pathlib import Path

import jinja2
import msgspec
from litestar import Response, get

from seedance_api.api.openapi import document

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


@get("/openapi.json")
async def openapi_json() -> Response[bytes]:
    """The OpenAPI document."""
    return Response(msgspec.json.encode(document()), media_type="application/json")


@get("/docs")
async def docs_page() -> Response[str]:
    """The documentation of the API."""
    page = _TEMPLATES.get_template("docs.html").render(api=document())
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
    return Response(
        page,
        media_type="text/html",
        headers={"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"},
    )
