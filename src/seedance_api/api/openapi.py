"""The OpenAPI 3.1 document, made of what the routes say of themselves."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from litestar.handlers import HTTPRouteHandler

from seedance_api.api.headers import HEADERS, headers_of
from seedance_api.api.schemas import FILE, TEXT, ref, schemas
from seedance_api.foundation.error_codes import CODES
from seedance_api.traffic.rate_limits import EXACT
from seedance_api.web.addresses import IDS
from seedance_api.web.route import FileAnswer, FileBody, Operation, Parameter, Route, TextAnswer, routes_of

VERSION = "0.2.0"
_EVERYWHERE = ("invalid_request", "key_in_query", "invalid_host", "internal_error")
"""What any address may answer."""
_KEYED = (
    "missing_key", "invalid_key", "missing_scope", "address_not_allowed", "too_many_failed_keys", "unavailable",
)  # fmt: skip
"""What any address that needs a key may answer."""
_JSON_ERRORS = ("invalid_json", "body_incomplete", "request_timeout", "body_too_large", "unsupported_media_type")
_FORM_ERRORS = (
    "invalid_multipart", "body_incomplete", "request_timeout", "body_too_large", "unsupported_media_type",
    "storage_full", "storage_unavailable",
)  # fmt: skip
_IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    "A repeat with the same key within 72 hours makes nothing a second time.",
    "header",
)
_IF_NONE_MATCH = Parameter("If-None-Match", TEXT, "The `ETag` of the answer that you have.", "header")
_RANGE = Parameter("Range", TEXT, "One range of bytes.", "header")
_TAGS = {
    "Videos": "Create a video, follow it, get it.",
    "Files": "Reference media, uploaded once and used by id.",
    "Models": "What each model takes.",
    "Account": "What the service has noted of the account's requests.",
    "Keys": "Have a key revoked that was found where it should not be. No key needed.",
    "Webhooks": "Be told of what happens, by a signed POST, or read it in order.",
    "Billing": "What the account has, and what it went for. Money is decimal text beside a currency.",
    "Verify": "Whether a file is one of ours, AI-generated, and as it was. For everybody: no key needed.",
    "Health": "For load balancers. No key needed.",
}
_ABOUT = (
    "Videos by ByteDance's Seedance models. Of OpenAI's Videos API it serves create, retrieve, list, delete and "
    "download, not remixes, edits, extensions, characters and spritesheets: point a client's `base_url` here and use a "
    "key that starts with `sda_`."
)


@lru_cache(maxsize=4)
def document(handlers: tuple[HTTPRouteHandler, ...]) -> dict[str, Any]:
    """The whole document of these routes."""
    routes = [one for one in routes_of(handlers) if one.operation.tag is not None]
    tags = _TAGS | {one.operation.tag: "" for one in routes if one.operation.tag not in _TAGS}
    paths: dict[str, Any] = {}
    for one in routes:
        item = paths.setdefault(one.path, _path_item(one))
        item[one.method.lower()] = found = _head(one) if one.method == "HEAD" else _operation(one)
        for status, says in found["responses"].items():
            says["headers"] = headers_of(one.operation, status)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Seedance API",
            "version": VERSION,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": [{"name": name, "description": says} for name, says in tags.items()],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "`sda_test_…` or `sda_live_…`"}
            },
            "headers": HEADERS,
            "schemas": schemas([one.operation for one in routes]),
        },
    }


def _path_item(one: Route) -> dict[str, Any]:
    """The parameters of a path, which all of its methods share."""
    told = {each.name: each for each in one.operation.parameters if each.place == "path"}
    found: list[Parameter] = []
    for name in re.findall(r"{(\w+)}", one.path):
        if name in IDS:
            prefix, kind = IDS[name]
            article = "an" if kind[0] in "aeiou" else "a"
            found.append(Parameter(name, TEXT, f"The id of {article} {kind}, `{prefix}_…`.", "path"))
        else:
            found.append(told[name])
    return {"parameters": [_parameter(each) for each in found]} if found else {}


def _operation(one: Route) -> dict[str, Any]:
    operation = one.operation
    parameters = [_parameter(each) for each in _parameters(one) if each.place != "path"]
    return (
        {"operationId": one.id, "summary": one.summary, "description": one.description}
        | {"tags": [operation.tag], "responses": _answers(operation) | _errors(operation, one.path, one.method)}
        | ({"parameters": parameters} if parameters else {})
        | ({"requestBody": _body(operation)} if operation.body is not None else {})
        | ({"security": [{"key": [operation.scope] if operation.scope else []}] if operation.auth == "key" else []})
    )


def _head(one: Route) -> dict[str, Any]:
    """The same without what is in a body."""
    found = _operation(one)
    is_file = isinstance(one.operation.answer, FileAnswer)
    bare = {
        status: says if is_file and int(status) >= 400 else {"description": says["description"]}
        for status, says in found["responses"].items()
        if status not in ("206", "302")
    }
    return found | {"responses": bare}


def _parameters(one: Route) -> Sequence[Parameter]:
    operation = one.operation
    ranged = one.method == "GET" and isinstance(operation.answer, FileAnswer)
    return [
        *([_IDEMPOTENCY_KEY] if operation.repeatable else []),
        *operation.parameters,
        *([_IF_NONE_MATCH] if operation.tagged else []),
        *([_RANGE] if ranged else []),
    ]


def _parameter(one: Parameter) -> dict[str, Any]:
    return {
        "name": one.name,
        "in": one.place,
        "required": one.place == "path",
        "schema": one.schema,
        "description": one.note,
    }


def _body(operation: Operation) -> dict[str, Any]:
    match operation.body:
        case FileBody(note, others, bare):
            parts = {"file": FILE | {"description": note}} | {n: TEXT | {"description": s} for n, s in others.items()}
            form = {"type": "object", "required": ["file"], "properties": parts, "additionalProperties": False}
            content: dict[str, Any] = {"multipart/form-data": {"schema": form}}
            if bare:
                content["application/octet-stream"] = {"schema": FILE}
        case shape:
            assert shape is not None, "asked of what has a body"
            content = {"application/json": {"schema": ref(shape.__name__)}}
            if operation.body_as_form:
                content["multipart/form-data"] = {"schema": ref(f"{shape.__name__}Form")}
    return {"required": operation.body_required, "content": content}


def _answers(operation: Operation) -> dict[str, Any]:
    match operation.answer:
        case None:
            return {"200": {"description": "Done."}}
        case TextAnswer(media_type, says):
            return {"200": {"description": says, "content": {media_type: {"schema": TEXT}}}}
        case FileAnswer(media_types, redirects):
            content = {
                "content": {kind: {"schema": {"type": "string", "contentMediaType": kind}} for kind in media_types}
            }
            away = "It is at this presigned address of the object store, where the operator has chosen so."
            return (
                {"200": {"description": "The whole file.", **content}, "304": {"description": "You have it."}}
                | {"206": {"description": "The range asked for.", **content}}
                | ({"302": {"description": away}} if redirects else {})
            )
        case shape:
            also = {str(status): _json(shape.__name__, says) for status, says in operation.also.items()}
            have = {"304": {"description": "You have it."}} if operation.tagged else {}
            return {"200": _json(shape.__name__, "Done.")} | also | have


def _errors(operation: Operation, path: str, method: str) -> dict[str, Any]:
    """The refusals: its own, and those that follow from what it takes."""
    codes = [*_EVERYWHERE, *operation.errors]
    if any(name in IDS for name in re.findall(r"{(\w+)}", path)):
        codes.append("not_found")
    if isinstance(operation.body, FileBody) or operation.body_as_form:
        codes += _FORM_ERRORS
    if isinstance(operation.body, type):
        codes += _JSON_ERRORS
    if operation.repeatable:
        codes.append("idempotency_mismatch")
    if not operation.is_probe:
        codes.append("rate_limited")
    if operation.rate in EXACT:
        codes.append("limits_unavailable")
    if isinstance(operation.answer, FileAnswer):
        codes += ["unavailable", "storage_unavailable"]
        codes += ["range_not_satisfiable"] if method == "GET" else []
    if operation.auth == "key":
        codes += _KEYED
    by_status: dict[int, list[str]] = {}
    for code in CODES:  # in the order of the table of errors
        if code in codes:
            by_status.setdefault(CODES[code].status, []).append(code)
    return {
        str(status): _json("ErrorView", "\n".join(f"- `{code}`: {CODES[code].meaning}" for code in found))
        for status, found in sorted(by_status.items())
    }


def _json(schema: str, description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": ref(schema)}}}
