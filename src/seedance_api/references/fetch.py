"""Bring a medium that is named in a request into a file: from an https address, or out of a `data:` URL."""

import asyncio
import binascii
import re
from pathlib import Path
from typing import BinaryIO

from seedance_api.catalog.order import Kind
from seedance_api.foundation.outbound import (
    UNREACHABLE,
    Blocked,
    Downloaded,
    Outbound,
    TooLarge,
    TooSlow,
    Unreachable,
)
from seedance_api.foundation.transfer import Take
from seedance_api.references.inspect import MAX_BYTES, BadMedia, Staged, too_large

FETCH_SECONDS = {Kind.IMAGE: 30.0, Kind.VIDEO: 120.0, Kind.AUDIO: 30.0}
# ModelArk takes inline images and sounds, but no inline video (1520757, `video_url`).
DATA_KINDS = frozenset({Kind.IMAGE, Kind.AUDIO})

# RFC 2397 allows parameters, other encodings and a missing type; nobody who sends media needs them.
_DATA = re.compile(r"data:((image|audio)/[a-z0-9][a-z0-9.+-]{0,60});base64,", re.IGNORECASE)
_CHUNK_CHARACTERS = 1 << 20  # a multiple of 4, so that each chunk decodes by itself


async def fetch(
    source: str,
    to: Path,
    *,
    kind: Kind,
    outbound: Outbound,
    total_seconds: float | None = None,
    take: Take | None = None,
) -> Staged | BadMedia:
    """Write the medium to the new file `to`, as it is; on `BadMedia` there is no file.

    `total_seconds` bounds a download, by default `FETCH_SECONDS`. `take` is asked for room before bytes are
    written, and may raise. Raises `OSError` if `to` cannot be written.
    """
    if source[:5].lower() == "data:":
        return await _from_data(source, to, kind, take)
    seconds = FETCH_SECONDS[kind] if total_seconds is None else total_seconds
    outcome = await outbound.download(source, to, max_bytes=MAX_BYTES[kind], total_seconds=seconds, take=take)
    match outcome:
        case Downloaded(size):
            return Staged(path=to, bytes=size, kind=kind)
        case TooLarge():
            return BadMedia("media_too_large", outcome.message)
        case Blocked() | Unreachable() | TooSlow():
            # What our rules refuse for where it leads looks like what did not answer, code and words.
            at_fault = isinstance(outcome, Blocked) and outcome.message != UNREACHABLE
            return BadMedia("media_url" if at_fault else "media_unreachable", outcome.message)


async def _from_data(source: str, to: Path, kind: Kind, take: Take | None) -> Staged | BadMedia:
    head = _DATA.match(source)
    if kind not in DATA_KINDS:
        return BadMedia("media_url", "a video cannot be sent inline: give an https address or a file id")
    if head is None:
        return BadMedia("media_url", "a data URL must read data:image/…;base64,… or data:audio/…;base64,…")
    size = (len(source) - head.end()) // 4 * 3 - source[-2:].count("=")
    refused = too_large(kind, size)
    if refused is not None:
        return refused
    if take is not None:
        await take(size)
    written = await _written(source, head.end(), to)
    if written != size:
        await asyncio.to_thread(to.unlink, missing_ok=True)
        return BadMedia("media_url", "what follows base64, in the data URL is not base64")
    return Staged(path=to, bytes=size, declared_media_type=head[1].lower(), kind=kind)


async def _written(source: str, start: int, to: Path) -> int | None:
    """Decode from `start` into the new file `to` by chunks; None, and no file, where it is not base64."""
    file = to.open("xb")
    written, whole = 0, False
    try:
        for at in range(start, len(source), _CHUNK_CHARACTERS):
            written += await asyncio.to_thread(_write, file, source[at : at + _CHUNK_CHARACTERS])
        whole = True
    except ValueError:
        return None
    finally:
        file.close()
        if not whole:
            to.unlink(missing_ok=True)  # noqa: ASYNC240 – one system call, and no await may come between
    return written


def _write(file: BinaryIO, text: str) -> int:
    """RFC 4648 §4, without line breaks. Raises `ValueError`; padding that ends a chunk early shows in the count."""
    return file.write(binascii.a2b_base64(text, strict_mode=True))
