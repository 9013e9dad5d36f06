"""Bodies: JSON within a bound, multipart streamed to files. No file is ever in memory whole."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request
from multipart import MultipartError, PushMultipartParser, parse_options_header

from seedance_api.foundation.errors import AppError
from seedance_api.foundation.intake import Folder
from seedance_api.foundation.transfer import Floor
from seedance_api.references.inspect import Staged
from seedance_api.web.forms import Form, Upload
from seedance_api.web.parse import parse_json

MAX_JSON_BYTES = 64 << 20
"""Bytes of a create body: what Seedance's own service takes (ModelArk 1520757)."""
MAX_SMALL_BYTES = 64 << 10
"""Bytes of a body that has only settings in it."""
MAX_FILE_BYTES = 201 << 20
"""Bytes of an upload: the largest reference video, and its envelope."""
_TYPE = re.compile(r"[a-z0-9.+*-]{1,60}/[a-z0-9.+*-]{1,60}")
_TOKENS = re.compile(r"[a-z0-9-]{1,20}(?:, ?[a-z0-9-]{1,20}){0,3}")
_ENVELOPE = 1 << 20
_FREE = 1 << 20
_STEP = 1 << 20
_READ_SECONDS = 300.0
_IDLE_SECONDS = 20.0
MIN_BYTES_PER_SECOND = 8 << 10
"""A slower body is broken off: while it comes, it holds room that others need."""
_CLOSE = {"Connection": "close"}
MEDIA_LISTS = ("images", "videos", "audios", "input_reference")
"""The fields of a create that a form may give several times."""

AnyRequest = Request[Any, Any, Any]


class Body(msgspec.Struct, frozen=True):
    """A decoded body. `typed` is false when all values are text, as in forms."""

    values: dict[str, Any]
    typed: bool
    files: list[Staged]


class Budget:
    """Bounds what bodies hold in memory at once: 256 MiB in each process, of which 1 MiB each is free."""

    def __init__(self, max_bytes: int = 256 << 20) -> None:
        self.free = max_bytes
        self.changed = asyncio.Condition()

    @asynccontextmanager
    async def lease(self) -> AsyncGenerator["Lease"]:
        """Room for one body, given back at the end."""
        lease = Lease(self)
        try:
            yield lease
        finally:
            async with self.changed:
                self.free += lease.held
                self.changed.notify_all()


class Lease:
    """What one body holds. It grows with what has arrived, so that a body that never comes holds nothing."""

    def __init__(self, budget: Budget) -> None:
        self.held = 0
        self._budget = budget

    async def cover(self, size: int) -> None:
        """Hold room for `size` bytes. Raises AppError 503 when there is none within two seconds."""
        more = size - _FREE - self.held
        if more <= 0:
            return
        more = -(-more // _STEP) * _STEP
        budget = self._budget
        async with budget.changed:
            try:
                await asyncio.wait_for(budget.changed.wait_for(lambda: budget.free >= more), 2)
            except TimeoutError:
                raise AppError("too_busy", headers={"Retry-After": "5"}) from None
            budget.free -= more
            self.held += more


@asynccontextmanager
async def read_body(request: AnyRequest, folder: Folder, budget: Budget) -> AsyncGenerator[Body]:
    """The body of a create, JSON or multipart; its files lie in `folder`. Raises AppError for anything else."""
    kind, options = _content_type(request, "application/json", "multipart/form-data")
    check_declared_size(request, MAX_JSON_BYTES)
    async with budget.lease() as lease:
        if kind == "multipart/form-data":
            yield await _read_form(request, options, folder, MAX_JSON_BYTES, lease, lists=MEDIA_LISTS)
        else:
            yield Body(parse_json(await _read_whole(request, lease)), True, [])


async def read_json(request: AnyRequest) -> dict[str, Any]:
    """The small JSON object of a body; an empty body is an empty object. Raises AppError for anything else."""
    check_declared_size(request, MAX_SMALL_BYTES)
    body = bytearray()
    async for chunk in _chunks(request, MAX_SMALL_BYTES):
        body += chunk
    if body:
        _content_type(request, "application/json")
    return parse_json(body) if body else {}


async def read_upload(request: AnyRequest, folder: Folder, budget: Budget) -> Body:
    """The body of a file upload: multipart. Raises AppError for anything else."""
    _, options = _content_type(request, "multipart/form-data", hint="with a part named `file`")
    check_declared_size(request, MAX_FILE_BYTES)
    async with budget.lease() as lease:
        return await _read_form(request, options, folder, MAX_FILE_BYTES, lease)


@asynccontextmanager
async def read_file(request: AnyRequest, folder: Folder, budget: Budget, max_bytes: int) -> AsyncGenerator[Path]:
    """One file: the body itself, or the part `file` of a form. The budget bounds what lies on the disk meanwhile."""
    _check_encoding(request)
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    check_declared_size(request, max_bytes + _ENVELOPE)
    async with budget.lease() as lease:
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
        async for chunk in _chunks(request, max_bytes):
            await folder.take(len(chunk))
            size += file.write(chunk)
            await lease.cover(size)
    return path


def _content_type(request: AnyRequest, *taken: str, hint: str = "") -> tuple[str, dict[str, str]]:
    """The Content-Type, one of those taken here, and its options. Raises AppError 415 that says what was sent."""
    _check_encoding(request)
    header = request.headers.get("content-type", "")
    kind, options = parse_options_header(header)
    if kind in taken:
        return kind, options
    given = f"The Content-Type is `{kind}`" if _TYPE.fullmatch(kind) else "The Content-Type is malformed"
    given = given if header.strip() else "There is no Content-Type"
    send = " or ".join(taken) + (f" {hint}" if hint else "")
    if kind == "application/x-www-form-urlencoded" and "application/json" in taken:
        send += ' (with curl: -H "Content-Type: application/json")'
    raise AppError("unsupported_media_type", f"{given}; send {send}.", param="Content-Type")


def _check_encoding(request: AnyRequest) -> None:
    """Raises AppError 415 for a body that is compressed (RFC 9110 §8.4; the answer's header is RFC 7694's)."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return
    shown = encoding if _TOKENS.fullmatch(encoding) else "of an unknown encoding"
    message = f"The body is {shown} (Content-Encoding), which is not unpacked here; send it uncompressed."
    headers = {"Accept-Encoding": "identity"}
    raise AppError("unsupported_media_type", message, param="Content-Encoding", headers=headers)


def check_declared_size(request: AnyRequest, max_bytes: int) -> None:
    """Raises AppError 413 before a byte is read when the Content-Length is too much."""
    text = request.headers.get("content-length", "")
    if text.isdecimal() and (len(text) > 15 or int(text) > max_bytes):
        raise too_large(max_bytes)


def _declared(request: AnyRequest) -> int:
    """Bytes that the body is said to have; 0 where it comes without saying."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isdecimal() else 0


def too_large(max_bytes: int) -> AppError:
    """A 413 that says the bound."""
    return AppError("body_too_large", f"The body is larger than {max_bytes >> 20} MiB.", headers=_CLOSE)


async def _read_whole(request: AnyRequest, lease: Lease) -> bytearray:
    body = bytearray()
    async for chunk in _chunks(request, MAX_JSON_BYTES):
        body += chunk
        await lease.cover(len(body))
    return body


async def _chunks(request: AnyRequest, max_bytes: int) -> AsyncIterator[bytes]:
    """The body as it arrives, from the server itself: the framework's own stream takes a cut body for a whole one."""
    read = 0
    now = asyncio.get_running_loop().time
    end = now() + _READ_SECONDS
    floor = Floor(MIN_BYTES_PER_SECOND, _IDLE_SECONDS)
    floor.begin(now(), 0)
    while True:
        try:
            async with asyncio.timeout(min(_IDLE_SECONDS, end - now())):
                event = await request.receive()
        except (TimeoutError, RuntimeError):  # it stopped, or its framing is broken
            raise AppError("body_incomplete", headers=_CLOSE) from None
        if event["type"] != "http.request":
            raise AppError("body_incomplete", headers=_CLOSE)
        read += len(event["body"])
        if read > max_bytes:
            raise too_large(max_bytes)
        if event["more_body"] and floor.broken(now(), read):
            message = f"The body comes slower than {MIN_BYTES_PER_SECOND} bytes a second, which is the least."
            raise AppError("body_incomplete", message, headers=_CLOSE)
        yield event["body"]
        if not event["more_body"]:
            return


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
    chunks = _chunks(request, max_bytes)
    boundary = options.get("boundary", "")
    whole = False
    try:
        if not on_disk:  # whoever declares much without a key would keep out those who have one
            await folder.set_aside(_declared(request))
        await folder.make()
        with PushMultipartParser(boundary) as parser:
            async for chunk in chunks:
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
