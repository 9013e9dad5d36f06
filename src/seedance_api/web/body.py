"""Bodies: JSON within a bound, multipart streamed to files. No file is ever in memory whole."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request
from multipart import MultipartError, PushMultipartParser, parse_options_header

from seedance_api.foundation.errors import AppError
from seedance_api.foundation.intake import Folder
from seedance_api.references.inspect import Staged
from seedance_api.web.budget import Budget, Lease
from seedance_api.web.forms import Form, Upload
from seedance_api.web.parse import parse_json
from seedance_api.web.receive import check_encoding, check_size, chunks, content_type, declared_size

MAX_JSON_BYTES = 64 << 20
"""Bytes of a create body: what Seedance's own service takes (ModelArk 1520757)."""
MAX_SMALL_BYTES = 64 << 10
"""Bytes of a body that has only settings in it."""
MAX_FILE_BYTES = 201 << 20
"""Bytes of an upload: the largest reference video, and its envelope."""
_ENVELOPE = 1 << 20
MEDIA_LISTS = ("images", "videos", "audios", "input_reference")
"""The fields of a create that a form may give several times."""

AnyRequest = Request[Any, Any, Any]


class Body(msgspec.Struct, frozen=True):
    """A decoded body. `typed` is false when all values are text, as in forms."""

    values: dict[str, Any]
    typed: bool
    files: list[Staged]


@asynccontextmanager
async def read_body(request: AnyRequest, folder: Folder, budget: Budget, owner: str) -> AsyncGenerator[Body]:
    """The body of a create, JSON or multipart; its files lie in `folder`. Its room counts as the `owner`'s. Raises
    AppError for anything else."""
    kind, options = content_type(request.headers, "application/json", "multipart/form-data")
    check_size(request.headers, MAX_JSON_BYTES)
    async with budget.lease(owner) as lease:
        if kind == "multipart/form-data":
            yield await _read_form(request, options, folder, MAX_JSON_BYTES, lease, lists=MEDIA_LISTS)
        else:
            yield Body(parse_json(await _read_whole(request, lease)), True, [])


async def read_json(request: AnyRequest) -> dict[str, Any]:
    """The small JSON object of a body; an empty body is an empty object. Raises AppError for anything else."""
    check_size(request.headers, MAX_SMALL_BYTES)
    body = bytearray()
    async for chunk in chunks(request.receive, MAX_SMALL_BYTES):
        body += chunk
    if body:
        content_type(request.headers, "application/json")
    return parse_json(body) if body else {}


async def read_upload(request: AnyRequest, folder: Folder, budget: Budget, owner: str) -> Body:
    """The body of a file upload: multipart. Raises AppError for anything else."""
    _, options = content_type(request.headers, "multipart/form-data", hint="with a part named `file`")
    check_size(request.headers, MAX_FILE_BYTES)
    async with budget.lease(owner) as lease:
        return await _read_form(request, options, folder, MAX_FILE_BYTES, lease)


@asynccontextmanager
async def read_file(
    request: AnyRequest, folder: Folder, budget: Budget, owner: str, max_bytes: int
) -> AsyncGenerator[Path]:
    """One file: the body itself, or the part `file` of a form. The budget bounds what lies on the disk meanwhile."""
    check_encoding(request.headers)
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    check_size(request.headers, max_bytes + _ENVELOPE)
    async with budget.lease(owner) as lease:
        await lease.declare(declared_size(request.headers))
        if kind != "multipart/form-data":
            yield await _read_raw(request, folder, max_bytes, lease)
            return
        body = await _read_form(request, options, folder, max_bytes + _ENVELOPE, lease, on_disk=True)
        match body.values:
            case {"file": Upload(number), **others} if not others and len(body.files) == 1:
                yield body.files[number].path
            case _:
                raise AppError(
                    "invalid_multipart",
                    "Send one part, named `file`, with a file name or a type such as image/png.",
                    param="file",
                )


async def _read_raw(request: AnyRequest, folder: Folder, max_bytes: int, lease: Lease) -> Path:
    path = await folder.make() / "upload"
    size = 0
    with path.open("wb") as file:
        async for chunk in chunks(request.receive, max_bytes, lease):
            await folder.take(len(chunk))
            size += file.write(chunk)
            await lease.cover(size)
    return path


async def _read_whole(request: AnyRequest, lease: Lease) -> bytearray:
    await lease.declare(declared_size(request.headers))
    body = bytearray()
    async for chunk in chunks(request.receive, MAX_JSON_BYTES, lease):
        body += chunk
        await lease.cover(len(body))
    return body


async def _read_form(
    request: AnyRequest,
    options: dict[str, str],
    folder: Folder,
    max_bytes: int,
    lease: Lease,
    *,
    lists: Sequence[str] = (),
    on_disk: bool = False,
) -> Body:
    form = Form(folder.path, lists)
    boundary = options.get("boundary", "")
    whole = False
    try:
        if not on_disk:  # whoever declares much without a key would keep out those who have one
            await folder.set_aside(declared_size(request.headers))
        await folder.make()
        with PushMultipartParser(boundary) as parser:
            async for chunk in chunks(request.receive, max_bytes, lease):
                await folder.take(len(chunk))
                for part in parser.parse(chunk) if chunk else ():  # to the parser nothing would be the end
                    form.take(part)
                await lease.cover(form.held + form.written if on_disk else form.held)
            whole = True
    except (MultipartError, ValueError, LookupError):
        # the parser's own text may quote the body
        says = (_CUT_FORM if whole else _MALFORMED) if boundary else _NO_BOUNDARY
        raise AppError("invalid_multipart", says) from None
    finally:
        form.close()
    return Body(form.values(), False, form.files)


_NO_BOUNDARY = (
    "The Content-Type multipart/form-data names no boundary: "
    "let your HTTP client set this header, it knows the boundary."
)
_CUT_FORM = (
    "The form is not whole: the boundary of its Content-Type, which begins each part, "
    "does not end it with two more dashes."
)
_MALFORMED = (
    "The form is malformed: each part begins with two dashes and the boundary, has a Content-Disposition with a name, "
    "and all of its lines end with CR LF."
)
