"""Bodies: JSON within a bound, multipart streamed to files. No file is ever in memory whole."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
from litestar import Request
from litestar.exceptions import ClientException
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from seedance_api.api.decode import parse_json
from seedance_api.foundation.errors import AppError
from seedance_api.references.inspect import Staged

JSON_MOST = 64 << 20
"""Bytes of a create body: what Seedance's own service takes (ModelArk 1520757)."""
FILE_MOST = 201 << 20
"""Bytes of an upload: the largest reference video, and its envelope."""
_FREE = 1 << 20
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
    """Bounds the memory of all JSON bodies read at once: 256 MiB in each process; bodies under 1 MiB are free."""

    def __init__(self, most: int = 256 << 20) -> None:
        self._free = most
        self._most = most
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncGenerator[None, None]:
        """Hold room for a body. Raises AppError 503 when there is none within two seconds."""
        if size <= _FREE:
            yield
            return
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(lambda: self._free >= size), 2)
            except TimeoutError:
                raise AppError("too_busy", headers={"Retry-After": "5"}) from None
            self._free -= size
        try:
            yield
        finally:
            async with self._changed:
                self._free += size
                self._changed.notify_all()


@asynccontextmanager
async def read_body(request: AnyRequest, folder: Path, budget: Budget) -> AsyncGenerator[Body, None]:
    """The body of a create, JSON or multipart; its files lie in `folder`. Raises AppError for anything else."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    size = declared_size(request, JSON_MOST)
    if kind == "multipart/form-data":
        yield await _read_form(request, options.get("boundary", ""), folder, JSON_MOST)
    elif kind == "application/json" or kind.endswith("+json"):
        async with budget.hold(JSON_MOST if size is None else size):
            yield Body(parse_json(await _read_whole(request)), True, [])
    else:
        raise AppError("unsupported_media_type", "Send application/json or multipart/form-data.", param="Content-Type")


async def read_upload(request: AnyRequest, folder: Path) -> Body:
    """The body of a file upload: multipart. Raises AppError for anything else."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    declared_size(request, FILE_MOST)
    if kind != "multipart/form-data":
        raise AppError(
            "unsupported_media_type",
            "Send multipart/form-data with a part named `file`.",
            param="Content-Type",
        )
    return await _read_form(request, options.get("boundary", ""), folder, FILE_MOST)


def declared_size(request: AnyRequest, most: int) -> int | None:
    """The Content-Length. Raises AppError 413 before a byte is read when it is too much."""
    text = request.headers.get("content-length", "")
    if not text.isdecimal():
        return None
    if len(text) > 15 or int(text) > most:
        raise too_large(most)
    return int(text)


def too_large(most: int) -> AppError:
    """A 413 that says the bound."""
    return AppError("body_too_large", f"The body is larger than {most >> 20} MiB.", headers={"Connection": "close"})


async def _read_whole(request: AnyRequest) -> bytearray:
    body = bytearray()
    async for chunk in _chunks(request, JSON_MOST):
        body += chunk
    return body


async def _chunks(request: AnyRequest, most: int) -> AsyncIterator[bytes]:
    read = 0
    try:
        async for chunk in request.stream():
            read += len(chunk)
            if read > most:
                raise too_large(most)
            yield chunk
    except ClientException:
        raise too_large(most) from None


async def _read_form(request: AnyRequest, boundary: str, folder: Path, most: int) -> Body:
    form = _Form(folder)
    try:
        with PushMultipartParser(boundary, max_segment_count=_PARTS_MOST) as parser:
            async for chunk in _chunks(request, most):
                for part in parser.parse(chunk):
                    form.take(part)
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
            self._file.write(data)
            return
        self._text += data
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
