"""Multipart forms: the parts as they come, and what their names build.

Names are as Rails, PHP and OpenAI's clients write them: `a`, `a[]`, `a[key]`, `a[][key]`, `a[0][key]`. Nothing that
was sent is dropped: a name that may stand once and stands twice is refused.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
from multipart import MultipartSegment

from seedance_api.foundation.errors import AppError, Problem
from seedance_api.references.inline import is_data_url
from seedance_api.references.inspect import Staged

MAX_PARTS = 200
_MAX_FIELD_BYTES = 1 << 20
_NAME = re.compile(r"([^\[\]]{1,64})((?:\[[^\[\]]{0,64}\]){0,3})\Z")
_FILE_TYPES = ("image/", "video/", "audio/", "application/octet-stream", "binary/octet-stream")
_PLAIN_ENCODINGS = frozenset({"", "7bit", "8bit", "binary"})

PLAIN = ""
"""The key of an item's own value where it has a role beside it, as `a[]=…` and `a[][role]=…` build it."""
ROLE = "role"


class Upload(msgspec.Struct, frozen=True):
    """Stands in a decoded body for a file that came with it; `number` counts the files from 0."""

    number: int


class Part(msgspec.Struct, frozen=True):
    """A part's name as it was sent, and its value: a text, or an `Upload`."""

    name: str
    value: Any


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


def assemble(parts: Sequence[Part], lists: frozenset[str]) -> dict[str, Any]:
    """The values that parts build by their names. Raises AppError 400 with every field that is wrong."""
    build = _Build(lists)
    for part in parts:
        match = _NAME.match(part.name)
        if match is None:
            build.once(build.values, part.name[:80], part.value, part.name[:80])  # an unknown field, reported as one
        else:
            build.put(match[1], re.findall(r"\[([^\]]*)\]", match[2]), part.value)
    build.finish()
    if build.problems:
        raise AppError("invalid_request", build.problems[0].message, problems=build.problems)
    return build.values


class _Build:
    """Values under construction, and what is wrong with their names."""

    def __init__(self, lists: frozenset[str]) -> None:
        self.values: dict[str, Any] = {}
        self.problems: list[Problem] = []
        self._lists = lists
        self._roles: dict[str, list[Any]] = {}
        self._numbered: dict[str, dict[int, dict[str, Any]]] = {}
        self._times: dict[str, int] = {}

    def put(self, head: str, inside: list[str], value: Any) -> None:
        """Put a value where its name says."""
        shown = head + "".join(f"[{one}]" for one in inside)
        if head not in self._lists:
            self._nest(self.values, [head, *inside], value, shown)
        elif not inside or inside == [""]:
            self._list(head, shown).append(value)
        elif inside == ["", ROLE]:
            self._roles.setdefault(head, []).append(value)
        elif inside[0].isdecimal():
            item = self._numbered.setdefault(head, {}).setdefault(int(inside[0]), {})
            self._nest(item, inside[1:] or [PLAIN], value, shown)
        elif inside[0] == "":
            self._nest(self._next_item(head, inside[1], shown), inside[1:], value, shown)
        elif isinstance(self.values.get(head, {}), dict):  # one item by its keys, as `input_reference[image_url]`
            self._nest(self.values.setdefault(head, {}), inside, value, shown)
        else:
            self._contradicts(shown)

    def once(self, to: dict[str, Any], key: str, value: Any, shown: str) -> None:
        """Set what may be set once."""
        if key not in to:
            to[key] = value
            self._times[shown] = 1
            return
        self._times[shown] = self._times.get(shown, 1) + 1
        if self._times[shown] == 2:
            self._repeated(shown)

    def finish(self) -> None:
        """Bring roles to their items, and numbered items into their order."""
        for head, items in self._numbered.items():
            if head in self.values:
                self._contradicts(head)
                continue
            ordered = [items[at] for at in sorted(items)]
            self.values[head] = [one[PLAIN] if list(one) == [PLAIN] else one for one in ordered]
        for head, roles in self._roles.items():
            items = self.values.get(head)
            if not isinstance(items, list) or len(roles) > len(cast("list[Any]", items)):
                said = f"{head}[][{ROLE}]"
                given = len(cast("list[Any]", items)) if isinstance(items, list) else 0
                message = (
                    f"`{said}` is given {len(roles)} times, `{head}[]` {given}: send one for each, in their order."
                )
                self.problems.append(Problem(path=said, code="repeated", message=message))
                continue
            for at, (item, role) in enumerate(zip(cast("list[Any]", items), roles, strict=False)):
                items[at] = (cast("dict[str, Any]", item) if isinstance(item, dict) else {PLAIN: item}) | {ROLE: role}

    def _next_item(self, head: str, key: str, shown: str) -> dict[str, Any]:
        """The last item of a list, or a new one where that has the key: a repeated key starts the next item."""
        items = self._list(head, shown)
        last: Any = items[-1] if items else None
        if not isinstance(last, dict) or key in last:
            items.append({})
        return cast("dict[str, Any]", items[-1])

    def _list(self, head: str, shown: str) -> list[Any]:
        found = self.values.setdefault(head, [])
        if isinstance(found, list):
            return cast("list[Any]", found)
        self._contradicts(shown)
        return []

    def _nest(self, to: dict[str, Any], keys: list[str], value: Any, shown: str) -> None:
        """Put a value into an object of objects; `[]` makes a list, of texts or of objects."""
        key, *inside = keys
        if not inside:
            self.once(to, key, value, shown)
        elif inside == [""]:
            found = to.setdefault(key, [])
            if isinstance(found, list):
                cast("list[Any]", found).append(value)
            else:
                self._contradicts(shown)
        else:
            found = to.setdefault(key, {})
            if isinstance(found, dict):
                self._nest(cast("dict[str, Any]", found), inside, value, shown)
            else:
                self._contradicts(shown)

    def _repeated(self, shown: str) -> None:
        path = re.sub(r"[^\w\[\].-]", "?", shown[:80])
        message = f"`{path}` is given more than once; send it once."
        self.problems.append(Problem(path=path, code="repeated", message=message))

    def _contradicts(self, shown: str) -> None:
        path = re.sub(r"[^\w\[\].-]", "?", shown[:80])
        message = f"`{path}` contradicts another part: one name cannot be a text, a list and an object at once."
        if not any(one.path == path for one in self.problems):
            self.problems.append(Problem(path=path, code="conflict", message=message))
