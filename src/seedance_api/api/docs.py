"""`/openapi.json` and `/docs`: the document, and a page of it that needs no script and no other host."""

import asyncio
import base64
import hashlib
import tomllib
from datetime import date
from functools import cache, lru_cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from markupsafe import Markup

from seedance_api.api.openapi import document
from seedance_api.api.reference import Reference, title
from seedance_api.api.samples import BASE
from seedance_api.catalog import models
from seedance_api.catalog.model_view import view
from seedance_api.catalog.problem import MEANINGS
from seedance_api.foundation import error_codes
from seedance_api.foundation.error_codes import CODES
from seedance_api.generations.states import FAILURES
from seedance_api.providers.sandbox.magic import SPELLS, Spell
from seedance_api.web.body import AnyRequest
from seedance_api.web.context import context_of
from seedance_api.web.route import Operation

if TYPE_CHECKING:
    from jinja2 import Template
    from markdown_it import MarkdownIt
    from pygments.lexer import Lexer

_FOLDER = Path(__file__).with_name("templates")
PROBLEMS = error_codes.PROBLEMS | {str(code): meaning for code, meaning in MEANINGS.items()}
"""Every code that an entry of `errors` can have: the two of `web/decode.py`, and the catalogue's."""
_PUBLIC = {"Cache-Control": "public, max-age=300"}
"""The documentation is everybody's, and the same for everybody."""


@get("/openapi.json", operation=Operation(summary="The OpenAPI document", auth=None, takes_query=True))
async def openapi_json(request: AnyRequest) -> Response[bytes]:
    """The OpenAPI document."""
    found = await asyncio.to_thread(document, _routes(request))  # the first time it takes a while
    return Response(msgspec.json.encode(found), media_type="application/json", headers=_PUBLIC)


@get("/", operation=Operation(summary="Leads to the page", auth=None, takes_query=True))
async def root() -> Response[bytes]:
    """Whoever opens the service in a browser finds its documentation; relative, for a proxy may have a prefix."""
    return Response(b"", status_code=302, headers={"Location": "docs"} | _PUBLIC)


@get("/docs", operation=Operation(summary="The reference, as a page", auth=None, takes_query=True))
async def docs_page(request: AnyRequest) -> Response[str]:
    """The documentation of the API, with the address that customers use."""
    text, policy = await asyncio.to_thread(page, _routes(request), models.today_utc())
    return Response(
        text.replace(BASE, context_of(request).base),
        media_type="text/html",
        headers={
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
        }
        | _PUBLIC,
    )


def _routes(request: AnyRequest) -> tuple[HTTPRouteHandler, ...]:
    """What the composition root has built the API of."""
    routes: tuple[HTTPRouteHandler, ...] = request.app.state["routes"]
    return routes


@lru_cache(maxsize=1)
def page(handlers: tuple[HTTPRouteHandler, ...], today: date) -> tuple[str, str]:
    """The page as it is on a day, for models come and go, and the policy under which it is shown."""
    style = (_FOLDER / "docs.css").read_text()
    shown = Reference(handlers)
    text = _template().render(
        style=Markup(style),  # noqa: S704 our own file
        base=BASE,
        api=shown.document,
        groups=shown.groups,
        objects={name: shown.fields_of(name) for name in shown.objects},
        titles={name: title(name) for name in shown.objects},
        schemas=shown.schemas,
        starts=tomllib.loads((_FOLDER / "start.toml").read_text()),
        paint=paint,
        inline=inline,
        models=[view(model, today=today) for model in models.MODELS],
        codes=CODES,
        everywhere=[code for code in CODES if code in shown.everywhere],
        problems=PROBLEMS,
        failures=FAILURES,
        spells=spells(),
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return text, policy


def _template() -> "Template":
    import jinja2  # noqa: PLC0415 for this page alone, as what follows: an API process starts without it

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    ).get_template("docs.html")


def spells() -> dict[str, str]:
    """What to write in a prompt, and what the sandbox then does."""
    tags = {one: f"[sandbox:{one}=20]" if one is Spell.SLOW else f"[sandbox:{one}]" for one in SPELLS}
    return {tags[one]: says.removeprefix(f"`{tags[one]}`: ") for one, says in SPELLS.items()}


def inline(text: str) -> Markup:
    """A sentence whose `code` is marked up."""
    return Markup(_markdown().renderInline(text))  # noqa: S704 it escapes the rest


def paint(text: str) -> Markup:
    """A program or an answer in colours. What has none, such as the keys of an object, has the text's colour."""
    from pygments import lex  # noqa: PLC0415
    from pygments.token import Comment, Keyword, Number, String  # noqa: PLC0415

    colours = ((Comment, "c"), (String, "s"), (Number, "n"), (Keyword.Constant, "n"))
    text = text.strip()
    pieces = (
        # a line that goes on in the next is no string, though the library has it for one
        (next((name for of, name in colours if kind in of and kind is not String.Escape), None), piece)
        for kind, piece in lex(text, _lexer(text))
    )
    runs = ((colour, "".join(piece for _, piece in run)) for colour, run in groupby(pieces, key=itemgetter(0)))
    return Markup().join(Markup('<i class="{}">{}</i>').format(*run) if run[0] else run[1] for run in runs)


@cache
def _markdown() -> "MarkdownIt":
    from markdown_it import MarkdownIt  # noqa: PLC0415

    return MarkdownIt("zero").enable("backticks")


def _lexer(text: str) -> "Lexer":
    """By what the text begins with: an answer in JSON, a program in Python, else commands."""
    from pygments.lexers.data import JsonLexer  # noqa: PLC0415
    from pygments.lexers.python import PythonLexer  # noqa: PLC0415
    from pygments.lexers.shell import BashLexer  # noqa: PLC0415

    if text.startswith(("{", "[")):
        return JsonLexer(ensurenl=False)
    return PythonLexer(ensurenl=False) if text.startswith("from ") else BashLexer(ensurenl=False)
