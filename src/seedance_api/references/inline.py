"""Data URLs (RFC 2397), as people and programs really write them, into files."""

import asyncio
import binascii
import re
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, unquote_to_bytes

from seedance_api.catalog.order import Kind
from seedance_api.foundation.transfer import Take
from seedance_api.references.inspect import BadMedia, Staged, too_large

# ModelArk takes inline images and sounds, but no inline video (1520757, `video_url`).
DATA_KINDS = frozenset({Kind.IMAGE, Kind.AUDIO})

# What stands before the comma is a hint at most: the bytes decide what the file is.
_HEAD = re.compile(r"data:[^,]{0,200}?(;\s*base64\s*)?,", re.IGNORECASE)
_SPACE = " \t\r\n\f"
_WRONG = re.compile(rf"[^A-Za-z0-9+/_={_SPACE}%-]")
_CLEAN = str.maketrans("-_", "+/", _SPACE)
_CHUNK_CHARACTERS = 1 << 20
HOW = "write data:image/png;base64, and then the file in base64"


def is_data_url(text: str | bytes | bytearray) -> bool:
    """Whether it begins like one."""
    return text[:5].lower() in ("data:", b"data:")


async def from_data(source: str, to: Path, kind: Kind, take: Take | None) -> Staged | BadMedia:
    """Write what a data URL holds to the new file `to`; on `BadMedia` there is no file.

    White space and line breaks count for nothing, the alphabet may be that of URLs (RFC 4648 §5), padding may be
    missing, and all may be percent-encoded. Raises what `take` raises, and `OSError` if `to` cannot be written.
    """
    if kind not in DATA_KINDS:
        return BadMedia("media_url", "a video cannot be sent inline: give an https address or a file id")
    head = _HEAD.match(source)
    if head is None:
        return BadMedia("media_url", f"the data URL has no comma behind its type: {HOW}")
    if head[1] is None and "%" not in source:
        return BadMedia("media_url", f"the data URL does not say that it is base64: {HOW}")
    decoder = _Base64() if head[1] else _Percent()
    size = decoder.size(source, head.end())
    refused = too_large(kind, size) if size else None
    if refused is not None:
        return refused
    if take is not None:
        await take(size)
    written = await _written(source, head.end(), to, decoder)
    if written is None:
        return BadMedia("media_url", _fault(source, head.end()))
    return Staged(path=to, bytes=written, kind=kind)


async def _written(source: str, start: int, to: Path, decoder: "_Base64 | _Percent") -> int | None:
    """Decode from `start` into the new file `to` by chunks; None, and no file, where it cannot be."""
    file = to.open("xb")
    whole = False
    try:
        for at in range(start, len(source), _CHUNK_CHARACTERS):
            await asyncio.to_thread(decoder.write, file, source[at : at + _CHUNK_CHARACTERS])
        await asyncio.to_thread(decoder.end, file)
        written = file.tell()
        whole = True
    except ValueError:
        return None
    finally:
        file.close()
        if not whole:
            to.unlink(missing_ok=True)  # noqa: ASYNC240 – one system call, and no await may come between
    return written


def _fault(source: str, start: int) -> str:
    wrong = _WRONG.search(source, start)
    if wrong is not None:
        return f"the data URL is not base64: character {wrong.start() - start + 1} after the comma cannot be in it"
    plain = unquote(source[start:]).translate(_CLEAN)
    if _WRONG.search(plain) or "%" in plain:
        return "the data URL is not base64: an escape (%…) in it stands for a character that cannot be in it"
    if "=" in plain.rstrip("="):
        return "the data URL is not base64: it goes on behind its padding (=)"
    return "the data URL is not base64: it is cut short, a character or more is missing at its end"


class _Percent:
    """Decodes percent-encoded bytes, a chunk at a time."""

    def __init__(self) -> None:
        self.rest = ""

    def size(self, source: str, start: int) -> int:
        """Bytes that it will be, if it is well-formed."""
        return len(source) - start - 2 * source.count("%", start)

    def write(self, file: BinaryIO, text: str) -> None:
        """Decode a chunk."""
        file.write(unquote_to_bytes(self.take(text)))

    def end(self, file: BinaryIO) -> None:
        """Decode what is left."""
        file.write(unquote_to_bytes(self.rest))

    def take(self, text: str) -> str:
        """As much as can be decoded by itself: an escape may be cut by the end of a chunk."""
        text = self.rest + text
        cut = text.rfind("%", len(text) - 2) if len(text) > 1 else 0
        self.rest = text[cut:] if cut >= 0 else ""
        return text[:cut] if cut >= 0 else text


class _Base64:
    """Decodes base64, a chunk at a time."""

    def __init__(self) -> None:
        self._escapes = _Percent()
        self._rest = ""

    def size(self, source: str, start: int) -> int:
        """Bytes that it will be, if it is well-formed."""
        characters = len(source) - start - sum(source.count(one, start) for one in f"{_SPACE}=")
        if "%" in source:
            characters -= 2 * source.count("%", start)
        return max(0, characters * 3 // 4)

    def write(self, file: BinaryIO, text: str) -> None:
        """Decode a chunk. Raises `ValueError`."""
        if "%" in text or self._escapes.rest:
            text = unquote(self._escapes.take(text))
        self._rest += text.translate(_CLEAN)
        whole = len(self._rest) - 4 - len(self._rest) % 4  # what is last may have padding
        if whole > 0:
            if "=" in self._rest[:whole]:
                raise ValueError
            file.write(self._decoded(self._rest[:whole]))
            self._rest = self._rest[whole:]

    def end(self, file: BinaryIO) -> None:
        """Decode what is left, padded if it is not. Raises `ValueError`."""
        text = (self._rest + unquote(self._escapes.rest)).rstrip("=")
        file.write(self._decoded(text + "=" * (-len(text) % 4)))

    def _decoded(self, text: str) -> bytes:
        return binascii.a2b_base64(text, strict_mode=True) if text else b""
