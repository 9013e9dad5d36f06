"""Bodies: JSON within a bound, multipart streamed to files. No file is ever in memory whole."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
from litestar import Request
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from seedance_api.api.decode import parse_json
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.intake import Folder
from seedance_api.foundation.transfer import Floor
from seedance_api.references.inspect import Staged

JSON_MOST = 64 << 20
"""Bytes of a create body: what Seedance's own service takes (ModelArk 1520757)."""
SMALL_MOST = 64 << 10
"""Bytes of a body that has only settings in it."""
FILE_MOST = 201 << 20
"""Bytes of an upload: the largest reference video, and its envelope."""
_ENVELOPE = 1 << 20
_FREE = 1 << 20
_STEP = 1 << 20
_READ_SECONDS = 300.0
_IDLE_SECONDS = 20.0
LEAST_BYTES_A_SECOND = 8 << 10
"""A slower body is broken off: while it comes, it holds room that others need."""
_CLOSE = {"Connection": "close"}
_FIELD_MOST = 1 << 20
_PARTS_MOST = 200
_NAME = re.compile(r"([A-Za-z0-9_]{1,64})((?:\[[A-Za-z0-9_]{0,64}\]){0,3})\Z")

AnyRequest = Request[Any, Any, Any]


class Upload(msgspec.Struct, frozen=True):
    """Stands in a decoded body for a file that came with it; `number` counts the files from 0."""

    number: int


class Body(msgspec.Struct, frozen=True):
    """A decoded body. `typed` is false when all values are text, as in forms."""

    values: dict[str, Any]
    typed: bool
    files: list[Staged]


class Budget:
    """Bounds what bodies hold in memory at once: 256 MiB in each process, of which 1 MiB each is free."""

    def __init__(self, most: int = 256 << 20) -> None:
        self.free = most
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
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    check_declared_size(request, JSON_MOST)
    if kind not in ("multipart/form-data", "application/json"):
        raise AppError("unsupported_media_type", "Send application/json or multipart/form-data.", param="Content-Type")
    async with budget.lease() as lease:
        if kind == "multipart/form-data":
            yield await _read_form(request, options.get("boundary", ""), folder, JSON_MOST, lease)
        else:
            yield Body(parse_json(await _read_whole(request, lease)), True, [])


async def read_json(request: AnyRequest) -> dict[str, Any]:
    """The small JSON object of a body; an empty body is an empty object. Raises AppError for anything else."""
    kind, _ = parse_options_header(request.headers.get("content-type", ""))
    check_declared_size(request, SMALL_MOST)
    body = bytearray()
    async for chunk in _chunks(request, SMALL_MOST):
        body += chunk
    if body and kind != "application/json":
        raise AppError("unsupported_media_type", "Send application/json.", param="Content-Type")
    return parse_json(body) if body else {}


async def read_upload(request: AnyRequest, folder: Folder, budget: Budget) -> Body:
    """The body of a file upload: multipart. Raises AppError for anything else."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    check_declared_size(request, FILE_MOST)
    if kind != "multipart/form-data":
        raise AppError(
            "unsupported_media_type",
            "Send multipart/form-data with a part named `file`.",
            param="Content-Type",
        )
    async with budget.lease() as lease:
        return await _read_form(request, options.get("boundary", ""), folder, FILE_MOST, lease)


@asynccontextmanager
async def read_file(request: AnyRequest, folder: Folder, budget: Budget, most: int) -> AsyncGenerator[Path]:
    """One file: the body itself, or the part `file` of a form. The budget bounds what lies on the disk meanwhile."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    check_declared_size(request, most + _ENVELOPE)
    async with budget.lease() as lease:
        if kind != "multipart/form-data":
            yield await _read_raw(request, folder, most, lease)
            return
        body = await _read_form(request, options.get("boundary", ""), folder, most + _ENVELOPE, lease, on_disk=True)
        match body.values:
            case {"file": Upload(number), **others} if not others and len(body.files) == 1:
                yield body.files[number].path
            case _:
                raise AppError("invalid_multipart", "Send one part, named `file`, with a file name.", param="file")


async def _read_raw(request: AnyRequest, folder: Folder, most: int, lease: Lease) -> Path:
    path = await folder.make() / "upload"
    size = 0
    with path.open("wb") as file:
        async for chunk in _chunks(request, most):
            await folder.take(len(chunk))
            size += file.write(chunk)
            await lease.cover(size)
    return path


def check_declared_size(request: AnyRequest, most: int) -> None:
    """Raises AppError 413 before a byte is read when the Content-Length is too much."""
    text = request.headers.get("content-length", "")
    if text.isdecimal() and (len(text) > 15 or int(text) > most):
        raise too_large(most)


def _declared(request: AnyRequest) -> int:
    """Bytes that the body is said to have; 0 where it comes without saying."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isdecimal() else 0


def too_large(most: int) -> AppError:
    """A 413 that says the bound."""
    return AppError("body_too_large", f"The body is larger than {most >> 20} MiB.", headers=_CLOSE)


async def _read_whole(request: AnyRequest, lease: Lease) -> bytearray:
    body = bytearray()
    async for chunk in _chunks(request, JSON_MOST):
        body += chunk
        await lease.cover(len(body))
    return body


async def _chunks(request: AnyRequest, most: int) -> AsyncIterator[bytes]:
    """The body as it arrives, from the server itself: the framework's own stream takes a cut body for a whole one."""
    read = 0
    now = asyncio.get_running_loop().time
    end = now() + _READ_SECONDS
    floor = Floor(LEAST_BYTES_A_SECOND, _IDLE_SECONDS)
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
        if read > most:
            raise too_large(most)
        if event["more_body"] and floor.broken(now(), read):
            message = f"The body comes slower than {LEAST_BYTES_A_SECOND} bytes a second, which is the least."
            raise AppError("body_incomplete", message, headers=_CLOSE)
        yield event["body"]
        if not event["more_body"]:
            return


async def _read_form(
    request: AnyRequest, boundary: str, folder: Folder, most: int, lease: Lease, *, on_disk: bool = False
) -> Body:
    form = _Form(folder.path)
    chunks = _chunks(request, most)
    try:
        if not on_disk:  # whoever declares much without a key would keep out those who have one
            await folder.set_aside(_declared(request))
        await folder.make()
        with PushMultipartParser(boundary, max_segment_count=_PARTS_MOST) as parser:
            async for chunk in chunks:
                await folder.take(len(chunk))
                for part in parser.parse(chunk):
                    form.take(part)
                await lease.cover(form.held + form.written if on_disk else form.held)
    except (MultipartError, ValueError, LookupError):
        # the parser's own text may quote the body
        raise AppError("invalid_multipart") from None
    finally:
        form.close()
    return Body(form.values, False, form.files)


class _Form:
    """Collects the parts: texts into `values`, files into the folder."""

    def __init__(self, folder: Path) -> None:
        self.values: dict[str, Any] = {}
        self.files: list[Staged] = []
        self.held = 0
        """Bytes of text in memory."""
        self.written = 0
        """Bytes of files on the disk."""
        self._folder = folder
        self._segment: MultipartSegment | None = None
        self._text = bytearray()
        self._file: BinaryIO | None = None

    def take(self, part: MultipartSegment | bytearray | bytes | None) -> None:
        if isinstance(part, MultipartSegment):
            self._segment = part
            self._text.clear()
            if part.filename is not None:
                self._file = (self._folder / f"upload-{len(self.files)}").open("wb")
        elif part:
            self._write(part)
        elif part is None:
            self._end()

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _write(self, data: bytearray | bytes) -> None:
        if self._file:
            self.written += self._file.write(data)
            return
        self._text += data
        self.held += len(data)
        if len(self._text) > _FIELD_MOST and not _is_data_url(self._text):
            raise AppError("body_too_large", "A text field may have at most 1 MiB.")

    def _end(self) -> None:
        assert self._segment is not None, "a part ends after it began"
        name = self._segment.name or ""
        if self._file:
            size = self._file.tell()
            self._file.close()
            self._file = None
            self._put(name, Upload(len(self.files)))
            path = self._folder / f"upload-{len(self.files)}"
            self.files.append(Staged(path=path, declared_media_type=self._segment.content_type, bytes=size))
        else:
            self._put(name, self._text.decode("utf-8"))

    def _put(self, name: str, value: object) -> None:
        match = _NAME.match(name)
        if match is None:
            self.values[name[:80]] = value  # an unknown field, to be reported as one
            return
        put(self.values, match[1], re.findall(r"\[([^\]]*)\]", match[2]), value)


def put(values: dict[str, Any], name: str, inside: list[str], value: object) -> None:
    """Put a form field where its name says: `a` `a[]` `a[key]` `a[][key]`. Raises ValueError when names contradict."""
    if not inside:
        values[name] = [*as_list(values[name]), value] if isinstance(values.get(name), list) else value
    elif inside[0]:
        put(as_object(values.setdefault(name, {})), inside[0], inside[1:], value)
    elif len(inside) == 1:
        as_list(values.setdefault(name, [])).append(value)
    else:
        items = as_list(values.setdefault(name, []))
        if not items or inside[1] in as_object(items[-1]):
            items.append({})  # a repeated key starts the next item of the list
        put(as_object(items[-1]), inside[1], inside[2:], value)


def as_object(value: object) -> dict[str, Any]:
    """The same, known to be an object. Raises ValueError."""
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    raise ValueError


def as_list(value: object) -> list[Any]:
    """The same, known to be a list. Raises ValueError."""
    if isinstance(value, list):
        return cast("list[Any]", value)
    raise ValueError


def _is_data_url(text: bytearray) -> bool:
    return text.startswith(b"data:")
