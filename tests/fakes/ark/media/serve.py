"""Answer a download: whole or in part, for GET, a hundred times, within a day."""

import hashlib
import re
import time

import msgspec

from fakes.ark.media import links
from fakes.ark.media.library import Item, Library
from fakes.ark.wire.messages import Answer, Request

MOST_DOWNLOADS = 100
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def refuse(request: Request, item: Item | None) -> Answer | None:
    """Why there is nothing to download."""
    if why := links.check(request):
        return _refusal(403, "SignatureDoesNotMatch", why)
    if item is None:
        return _refusal(404, "NoSuchKey", "The specified key does not exist")
    if item.expires_at < time.time():
        return _refusal(403, "AccessDenied", "Request has expired")
    if item.downloads >= MOST_DOWNLOADS:
        return _refusal(403, "AccessDenied", "The number of downloads is used up")
    return None


async def serve(request: Request, item: Item, library: Library, size: tuple[int, int] | None = None) -> Answer:
    """The file, or the part that is asked for."""
    item.downloads += 1
    return part(request, await library.read(item, size), item.media_type)


def part(request: Request, data: bytes, media_type: str) -> Answer:
    """What a `Range` asks for of these bytes."""
    tag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"' if len(data) < 1 << 20 else _quick_tag(data)
    headers = {"ETag": tag, "Accept-Ranges": "bytes", "x-tos-request-id": f"{time.time_ns():x}"}
    wanted = _RANGE.fullmatch(request.headers.get("range", ""))
    if wanted is None or not any(wanted.groups()) or request.headers.get("if-range", tag) != tag:
        return Answer(200, data, media_type, headers)
    first, last = wanted.groups()
    start = int(first) if first else max(0, len(data) - int(last))
    stop = min(int(last) + 1, len(data)) if first and last else len(data)
    if start >= stop:
        return Answer(416, b"", media_type, headers | {"Content-Range": f"bytes */{len(data)}"})
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
    return Answer(206, data[start:stop], media_type, headers)


def _quick_tag(data: bytes) -> str:
    """A tag of a large file by its head, where a film's index is."""
    return f'"{hashlib.md5(data[: 1 << 20], usedforsecurity=False).hexdigest()}-{len(data)}"'


def _refusal(status: int, code: str, message: str) -> Answer:
    body = {"Code": code, "Message": message, "RequestId": f"{time.time_ns():x}", "HostId": "fake"}
    return Answer(status, msgspec.json.encode(body), headers={"x-tos-ec": "0017-00000004"})
