"""Declare in an MP4: boxes within boxes, the outermost of them the file.

Its index stays where it was, and points to where its frames are now.
"""

import io
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

from seedance_api.delivery.part import MalformedError, Part, read
from seedance_api.delivery.xmp import packet
from seedance_api.foundation.splice import Piece

_MAX_INDEX = 64 << 20
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_COMMENT = b"\xa9cmt"
_UNDETERMINED = 0x55C4
"""The language `und`, as MP4 packs it."""


def declare_mp4(file: BinaryIO, size: int, source_type: str, comment: str) -> list[Piece]:
    """XMP after the first box, where a reader finds it that has only the beginning; the comment at the index's end."""
    boxes = list(_boxes(file, 0, size))
    index = [box for box in boxes if box.kind == b"moov"]
    if len(index) != 1 or boxes[0].kind != b"ftyp":
        raise MalformedError
    (moov,) = index
    olds = [box for box in boxes if _is_xmp(file, box)]
    had = read(file, olds[0].body + 16, olds[0].stop) if olds else None
    xmp = _box(b"uuid", _XMP_BOX + packet(had, source_type))
    at = boxes[0].stop
    content = _commented(bytearray(read(file, moov.body, moov.stop, _MAX_INDEX)), comment)
    growth = 8 + len(content) - (moov.stop - moov.start)
    changes = [(at, len(xmp)), (moov.stop, growth), *((old.stop, old.start - old.stop) for old in olds)]

    def moved(offset: int) -> int:
        return offset + sum(by for place, by in changes if place <= offset)

    _point(content, moved)
    pieces: list[Piece] = [range(at), xmp]
    for box in boxes[1:]:
        if box is moov:
            pieces.append(_box(b"moov", bytes(content)))
        elif box not in olds:
            pieces.append(range(box.start, box.stop))
    return [*pieces, range(boxes[-1].stop, size)]


def _boxes(file: BinaryIO, start: int, stop: int) -> Iterator[Part]:
    """The boxes one after the other; what follows them and is none is not given."""
    while stop - start >= 8:
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        body = start + 8
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
            body += 8
        elif size == 0 and kind != bytes(4):
            size = stop - start
        if size == 0:
            return
        if not body <= start + size <= stop:
            raise MalformedError
        yield Part(kind, start, body, start + size)
        start += size


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _is_xmp(file: BinaryIO, box: Part) -> bool:
    return box.kind == b"uuid" and box.stop - box.body >= 16 and read(file, box.body, box.body + 16) == _XMP_BOX


def _commented(moov: bytearray, comment: str) -> bytearray:
    """The index's content with the comment in its user data, without an earlier one of ours."""
    index = io.BytesIO(moov)
    text = comment.encode()
    ours = _box(_COMMENT, struct.pack(">HH", len(text), _UNDETERMINED) + text)
    prefix = text[: text.index(b" ")]
    for box in _boxes(index, 0, len(moov)):
        if box.kind == b"udta":
            kept = bytearray()
            end = box.body
            for entry in _boxes(index, box.body, box.stop):
                if entry.kind != _COMMENT or not moov.startswith(prefix, entry.body + 4):
                    kept += moov[entry.start : entry.stop]
                end = entry.stop
            return moov[: box.start] + _box(b"udta", bytes(kept) + ours + moov[end : box.stop]) + moov[box.stop :]
    return moov + _box(b"udta", ours)


def _point(moov: bytearray, moved: Callable[[int], int]) -> None:
    """Have the index point to where the frames are now."""

    def walk(start: int, stop: int) -> None:
        for box in list(_boxes(index, start, stop)):
            if box.kind in (b"trak", b"mdia", b"minf", b"stbl"):
                walk(box.body, box.stop)
            elif box.kind == b"cmov":
                raise MalformedError  # a compressed index
            elif box.kind in (b"stco", b"co64"):
                (count,) = struct.unpack_from(">I", moov, box.body + 4)
                form = f">{count}{'I' if box.kind == b'stco' else 'Q'}"
                if box.body + 8 + struct.calcsize(form) > box.stop:
                    raise MalformedError
                struct.pack_into(form, moov, box.body + 8, *map(moved, struct.unpack_from(form, moov, box.body + 8)))

    index = io.BytesIO(moov)
    walk(0, len(moov))
