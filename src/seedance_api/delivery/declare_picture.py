"""Declare in a picture: WebP, PNG and JPEG."""

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from seedance_api.delivery.part import MalformedError, Part, read
from seedance_api.delivery.xmp import packet
from seedance_api.foundation.splice import Piece

_WITH_XMP, _WITH_ALPHA = 0x04, 0x10
"""Flags of WebP's `VP8X`."""
_PNG_XMP = b"XML:com.adobe.xmp\0"
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_MAX_SEGMENT = 0xFFFF - 2


# WebP: chunks of a RIFF file, of which the first says what others there are


def declare_webp(file: BinaryIO, size: int, source_type: str) -> list[Piece]:
    head = read(file, 0, min(size, 12))
    (length,) = struct.unpack("<I", head[4:8])
    end = 8 + length
    if end > size or head[8:] != b"WEBP":
        raise MalformedError
    chunks = list(_chunks(file, 12, end))
    olds = [chunk for chunk in chunks if chunk.kind == b"XMP "]
    had = read(file, olds[0].body, olds[0].stop) if olds else None
    first = chunks[0]
    flags = bytearray(read(file, first.body, first.stop) if first.kind == b"VP8X" else _features(file, first))
    flags[0] |= _WITH_XMP
    kept = [chunk for chunk in chunks if chunk not in olds and chunk.kind != b"VP8X"]
    pieces: list[Piece] = [_chunk(b"VP8X", bytes(flags))]
    pieces += [range(chunk.start, chunk.stop + chunk.stop % 2) for chunk in kept]
    pieces.append(_chunk(b"XMP ", packet(had, source_type)))
    return [b"RIFF" + struct.pack("<I", 4 + sum(map(len, pieces))) + b"WEBP", *pieces]


def _chunks(file: BinaryIO, start: int, end: int) -> Iterator[Part]:
    while end - start >= 8:
        kind, length = struct.unpack("<4sI", read(file, start, start + 8))
        stop = start + 8 + length
        if stop + stop % 2 > end:
            raise MalformedError
        yield Part(kind, start, start + 8, stop)
        start = stop + stop % 2


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", kind, len(body)) + body + bytes(len(body) % 2)


def _features(file: BinaryIO, first: Part) -> bytes:
    """The content of `VP8X` for a file that has none: one picture, lossy or lossless, of this size."""
    head = read(file, first.body, min(first.stop, first.body + 10))
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


def declare_png(file: BinaryIO, size: int, source_type: str) -> list[Piece]:
    pieces: list[Piece] = []
    had = None
    start = 8
    while size - start >= 12:
        length, kind = struct.unpack(">I4s", read(file, start, start + 8))
        body, end = start + 8, start + 12 + length
        if end > size:
            raise MalformedError
        if kind == b"iTXt" and read(file, body, min(body + len(_PNG_XMP), end)) == _PNG_XMP:
            had = had or _text(read(file, body + len(_PNG_XMP), end - 4))
        else:
            pieces.append(range(start, end))
        start = end
    body = b"iTXt" + _PNG_XMP + bytes(4) + packet(had, source_type)
    ours = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return [range(8), pieces[0], ours, *pieces[1:], range(start, size)]


def _text(body: bytes) -> bytes | None:
    """The text of an `iTXt` chunk after its keyword; None for a compressed one, which XMP's rules leave out."""
    compressed, rest = body[0], body[2:]
    return None if compressed else rest.split(b"\0", 2)[2]


# JPEG: segments


def declare_jpeg(file: BinaryIO, size: int, source_type: str) -> list[Piece]:
    """XMP after what segments of the kind come first: JFIF's must be the first of all."""
    pieces: list[Piece] = [range(2)]
    had, at, start = None, 1, 2
    while (marker := read(file, start, min(start + 4, size)))[:1] == b"\xff" and marker[1] in range(0xE0, 0xF0):
        end = start + 2 + int.from_bytes(marker[2:4])
        if end > size:
            raise MalformedError
        if marker[1] == 0xE1 and read(file, start + 4, min(start + 4 + len(_JPEG_XMP), end)) == _JPEG_XMP:
            had = had or read(file, start + 4 + len(_JPEG_XMP), end)
        else:
            pieces.append(range(start, end))
            at = len(pieces) if marker[1] == 0xE0 else at
        start = end
    body = _JPEG_XMP + packet(had, source_type)
    if len(body) > _MAX_SEGMENT:
        body = _JPEG_XMP + packet(None, source_type)
    ours = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    return [*pieces[:at], ours, *pieces[at:], range(start, size)]
