"""Multipart forms: the parts as they come, texts in memory and files in a folder."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from multipart import MultipartSegment

from seedance_api.foundation.errors import AppError, Problem
from seedance_api.references.inline import is_data_url
from seedance_api.references.inspect import Staged
from seedance_api.web.assemble import Part, assemble

MAX_PARTS = 200
_MAX_FIELD_BYTES = 1 << 20
_FILE_TYPES = ("image/", "video/", "audio/", "application/octet-stream", "binary/octet-stream")
_PLAIN_ENCODINGS = frozenset({"", "7bit", "8bit", "binary"})


class Upload(msgspec.Struct, frozen=True):
    """Stands in a decoded body for a file that came with it; `number` counts the files from 0."""

    number: int


class Form:
    """Collects the parts: texts in memory, files into the folder. `lists` may have several values."""

    def __init__(self, folder: Path, lists: Sequence[str] = ()) -> None:
        self.files: list[Staged] = []
        self.held = 0
        """Bytes of text in memory."""
        self.written = 0
        """Bytes of files on the disk."""
        self._folder = folder
        self._lists = frozenset(lists)
        self._parts: list[Part] = []
        self._segment: MultipartSegment | None = None
        self._text = bytearray()
        self._file: BinaryIO | None = None

    def take(self, part: MultipartSegment | bytearray | bytes | None) -> None:
        """What the parser has found: a part's head, some of what is in it, or its end."""
        if isinstance(part, MultipartSegment):
            self._begin(part)
        elif part:
            self._write(part)
        elif part is None:
            self._end()

    def values(self) -> dict[str, Any]:
        """What the names build. Raises AppError that names every field that is given twice or contradicts another."""
        return assemble(self._parts, self._lists)

    def close(self) -> None:
        """Close the file that was being written, if any."""
        if self._file:
            self._file.close()

    def _begin(self, segment: MultipartSegment) -> None:
        self._segment = segment
        self._text.clear()
        if len(self._parts) == MAX_PARTS:
            raise AppError("invalid_multipart", f"The form has more than {MAX_PARTS} parts; send at most {MAX_PARTS}.")
        encoding = segment.header("Content-Transfer-Encoding", "").strip().lower()
        if encoding not in _PLAIN_ENCODINGS:
            shown = encoding if encoding in ("base64", "quoted-printable") else "another encoding"
            raise _bad_part(segment, f"is sent as {shown} (Content-Transfer-Encoding); send its bytes as they are")
        if _is_file(segment):
            self._file = (self._folder / f"upload-{len(self.files)}").open("wb")

    def _write(self, data: bytearray | bytes) -> None:
        if self._file:
            self.written += self._file.write(data)
            return
        self._text += data
        self.held += len(data)
        if len(self._text) > _MAX_FIELD_BYTES and not is_data_url(self._text):
            message = f"`{_shown(self._segment)}` is a text of more than 1 MiB; send at most 1 MiB."
            raise AppError("body_too_large", message)

    def _end(self) -> None:
        assert self._segment is not None, "a part ends after it began"
        name = self._segment.name or ""
        if self._file:
            size = self._file.tell()
            self._file.close()
            self._file = None
            path = self._folder / f"upload-{len(self.files)}"
            self._parts.append(Part(name, Upload(len(self.files))))
            self.files.append(Staged(path=path, bytes=size))
        else:
            self._parts.append(Part(name, _decoded(self._segment, self._text)))


def _is_file(segment: MultipartSegment) -> bool:
    """Whether it has a file's name, in either spelling (RFC 5987), or the type of one."""
    disposition = segment.header("Content-Disposition", "").replace(" ", "").lower()
    if segment.filename is not None or "filename*=" in disposition:
        return True
    return (segment.content_type or "").startswith(_FILE_TYPES)


def _decoded(segment: MultipartSegment, text: bytearray) -> str:
    charset = (segment.charset or "utf-8").lower()
    try:
        return text.decode("utf-8" if charset in ("ascii", "us-ascii") else charset)
    except LookupError:
        raise _bad_part(segment, "is in a charset that is not known; send UTF-8") from None
    except ValueError:
        how = "a file needs `filename=` in its Content-Disposition, or a Content-Type such as image/png"
        raise _bad_part(segment, f"is not text in UTF-8; {how}") from None


def _bad_part(segment: MultipartSegment, says: str) -> AppError:
    shown = _shown(segment)
    message = f"The part `{shown}` {says}."
    return AppError("invalid_multipart", message, problems=[Problem(path=shown, code="wrong_type", message=message)])


def _shown(segment: MultipartSegment | None) -> str:
    """A part's name as it may stand in an answer."""
    name = (segment.name if segment else None) or "(no name)"
    return re.sub(r"[^\w\[\]().-]", "?", name[:80])
