"""Declare: put into a file, in plain metadata, that it is AI-generated; C2PA's mark then covers that as well.

XMP in each kind of file, and in an MP4 a comment, for what does not show its XMP. The rest of the file stays as it is:
a video's index stays where it was, and points to where its frames are now.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from seedance_api.delivery.xmp import packet
from seedance_api.foundation.splice import Piece

_MAX_INDEX = 64 << 20
_MAX_PACKET = 1 << 20
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_COMMENT = b"\xa9cmt"
_UNDETERMINED = 0x55C4
"""The language `und`, as MP4 packs it."""
_WITH_XMP, _WITH_ALPHA = 0x04, 0x10
"""Flags of WebP's `VP8X`."""
_PNG_XMP = b"XML:com.adobe.xmp\0"
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_MAX_SEGMENT = 0xFFFF - 2


class MalformedError(Exception):
    """The file's own structure does not add up."""


class Declaration(NamedTuple):
    """`source_type` is IPTC's address of how it was made, `comment` the same for people. Its first word is fixed."""

    source_type: str
    comment: str


class _Part(NamedTuple):
    """A box or a chunk: its kind, where it starts, where its content starts, where it ends."""

    kind: bytes
    start: int
    body: int
    stop: int


def declared(file: BinaryIO, media_type: str, said: Declaration) -> list[Piece]:
    """The pieces of the file with the declaration in it, in the place of one that was there. Raises MalformedError."""
    write = {"video/mp4": _mp4, "image/webp": _webp, "image/png": _png, "image/jpeg": _jpeg}[media_type]
    size = file.seek(0, io.SEEK_END)
    try:
        return write(file, size, said)
    except (struct.error, IndexError) as error:
        raise MalformedError from error


def _read(file: BinaryIO, start: int, stop: int, max_bytes: int = _MAX_PACKET) -> bytes:
    if not 0 <= stop - start <= max_bytes:
        raise MalformedError
    file.seek(start)
    return file.read(stop - start)


# MP4: boxes within boxes, the outermost of them the file


def _mp4(file: BinaryIO, size: int, said: Declaration) -> list[Piece]:
    """XMP after the first box, where a reader finds it that has only the beginning; the comment at the index's end."""
    boxes = list(_boxes(file, 0, size))
    index = [box for box in boxes if box.kind == b"moov"]
    if len(index) != 1 or boxes[0].kind != b"ftyp":
        raise MalformedError
    (moov,) = index
    olds = [box for box in boxes if _is_xmp(file, box)]
    had = _read(file, olds[0].body + 16, olds[0].stop) if olds else None
    xmp = _box(b"uuid", _XMP_BOX + packet(had, said.source_type))
    at = boxes[0].stop
    content = _commented(bytearray(_read(file, moov.body, moov.stop, _MAX_INDEX)), said.comment)
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


def _boxes(file: BinaryIO, start: int, stop: int) -> Iterator[_Part]:
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
        yield _Part(kind, start, body, start + size)
        start += size


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _is_xmp(file: BinaryIO, box: _Part) -> bool:
    return box.kind == b"uuid" and box.stop - box.body >= 16 and _read(file, box.body, box.body + 16) == _XMP_BOX


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
            for one in _boxes(index, box.body, box.stop):
                if one.kind != _COMMENT or not moov.startswith(prefix, one.body + 4):
                    kept += moov[one.start : one.stop]
                end = one.stop
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


# WebP: chunks of a RIFF file, of which the first says what others there are


def _webp(file: BinaryIO, size: int, said: Declaration) -> list[Piece]:
    head = _read(file, 0, min(size, 12))
    (length,) = struct.unpack("<I", head[4:8])
    end = 8 + length
    if end > size or head[8:] != b"WEBP":
        raise MalformedError
    chunks = list(_chunks(file, 12, end))
    olds = [chunk for chunk in chunks if chunk.kind == b"XMP "]
    had = _read(file, olds[0].body, olds[0].stop) if olds else None
    first = chunks[0]
    flags = bytearray(_read(file, first.body, first.stop) if first.kind == b"VP8X" else _features(file, first))
    flags[0] |= _WITH_XMP
    kept = [chunk for chunk in chunks if chunk not in olds and chunk.kind != b"VP8X"]
    pieces: list[Piece] = [_chunk(b"VP8X", bytes(flags))]
    pieces += [range(chunk.start, chunk.stop + chunk.stop % 2) for chunk in kept]
    pieces.append(_chunk(b"XMP ", packet(had, said.source_type)))
    return [b"RIFF" + struct.pack("<I", 4 + sum(map(len, pieces))) + b"WEBP", *pieces]


def _chunks(file: BinaryIO, start: int, end: int) -> Iterator[_Part]:
    while end - start >= 8:
        kind, length = struct.unpack("<4sI", _read(file, start, start + 8))
        stop = start + 8 + length
        if stop + stop % 2 > end:
            raise MalformedError
        yield _Part(kind, start, start + 8, stop)
        start = stop + stop % 2


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", kind, len(body)) + body + bytes(len(body) % 2)


def _features(file: BinaryIO, first: _Part) -> bytes:
    """The content of `VP8X` for a file that has none: one picture, lossy or lossless, of this size."""
    head = _read(file, first.body, min(first.stop, first.body + 10))
    if first.kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack("<HH", head[6:10]))
        flags = 0
    elif first.kind == b"VP8L":
        (bits,) = struct.unpack("<I", head[1:5])
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        flags = _WITH_ALPHA if bits >> 28 & 1 else 0
    else:
        raise MalformedError
    return struct.pack("<I", flags) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


# PNG: chunks, each with a checksum


def _png(file: BinaryIO, size: int, said: Declaration) -> list[Piece]:
    pieces: list[Piece] = []
    had = None
    start = 8
    while size - start >= 12:
        length, kind = struct.unpack(">I4s", _read(file, start, start + 8))
        body, end = start + 8, start + 12 + length
        if end > size:
            raise MalformedError
        if kind == b"iTXt" and _read(file, body, min(body + len(_PNG_XMP), end)) == _PNG_XMP:
            had = had or _text(_read(file, body + len(_PNG_XMP), end - 4))
        else:
            pieces.append(range(start, end))
        start = end
    body = b"iTXt" + _PNG_XMP + bytes(4) + packet(had, said.source_type)
    ours = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return [range(8), pieces[0], ours, *pieces[1:], range(start, size)]


def _text(body: bytes) -> bytes | None:
    """The text of an `iTXt` chunk after its keyword; None for a compressed one, which XMP's rules leave out."""
    compressed, rest = body[0], body[2:]
    return None if compressed else rest.split(b"\0", 2)[2]


# JPEG: segments


def _jpeg(file: BinaryIO, size: int, said: Declaration) -> list[Piece]:
    """XMP after what segments of the kind come first: JFIF's must be the first of all."""
    pieces: list[Piece] = [range(2)]
    had, at, start = None, 1, 2
    while (marker := _read(file, start, min(start + 4, size)))[:1] == b"\xff" and marker[1] in range(0xE0, 0xF0):
        end = start + 2 + int.from_bytes(marker[2:4])
        if end > size:
            raise MalformedError
        if marker[1] == 0xE1 and _read(file, start + 4, min(start + 4 + len(_JPEG_XMP), end)) == _JPEG_XMP:
            had = had or _read(file, start + 4 + len(_JPEG_XMP), end)
        else:
            pieces.append(range(start, end))
            at = len(pieces) if marker[1] == 0xE0 else at
        start = end
    body = _JPEG_XMP + packet(had, said.source_type)
    if len(body) > _MAX_SEGMENT:
        body = _JPEG_XMP + packet(None, said.source_type)
    ours = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    return [*pieces[:at], ours, *pieces[at:], range(start, size)]
