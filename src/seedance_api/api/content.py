"""`/v1/videos/{id}/content`: the bytes, with Range, HEAD and ETag, streamed from the object store."""

from collections.abc import AsyncIterator
from datetime import UTC
from email.utils import format_datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl

from litestar import HttpMethod, route
from litestar.params import FromPath
from litestar.types import ASGIApp, Receive, Scope, Send

from seedance_api.accounts.authenticate import Principal
from seedance_api.api.body import AnyRequest
from seedance_api.api.parts import Parts, parts_of, principal_of
from seedance_api.delivery import queries
from seedance_api.delivery.queries import Held
from seedance_api.delivery.serve import Part, choose
from seedance_api.foundation import objects
from seedance_api.foundation.errors import AppError, Problem

VARIANTS = ("video", "last_frame", "thumbnail")
_EXTENSIONS = {"video/mp4": "mp4", "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}


@route("/v1/videos/{video_id:str}/content", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def serve_content(request: AnyRequest, video_id: FromPath[str]) -> ASGIApp:
    """Send a variant of a finished video."""
    parts, principal = parts_of(request), principal_of(request)
    variant = read_variant(request.url.query)
    held = await _find(parts, principal, video_id, variant)
    etag = f'"{held.sha256}"'
    part = choose(
        held.bytes,
        etag,
        wanted=request.headers.get("range") if request.method == "GET" else None,
        if_range=request.headers.get("if-range"),
        if_none_match=request.headers.get("if-none-match"),
    )
    name = f"{video_id}-{variant}.{_EXTENSIONS[held.media_type]}"
    headers = _headers(held, part, etag, name)
    if part is None or request.method == "HEAD":
        return _nothing(part.status if part else 304, headers)
    file = objects.local_file(parts.store, held.object_key) if part.status == 200 else None
    extensions: dict[str, Any] = cast("dict[str, Any]", request.scope).get("extensions") or {}
    if file is not None and "http.response.pathsend" in extensions:
        return _whole_file(file, headers)
    chunks = await _open(parts, held, part)

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": part.status, "headers": headers})
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return stream


def _nothing(status: int, headers: list[tuple[bytes, bytes]]) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return answer


def _whole_file(file: Path, headers: list[tuple[bytes, bytes]]) -> ASGIApp:
    """The web server sends a local file by itself, in a third of the time and with no memory of ours."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        path: Any = {
            "type": "http.response.pathsend",
            "path": str(file),
        }  # ASGI's extension, not in the framework's types
        await send(path)

    return answer


async def _open(parts: Parts, held: Held, part: Part) -> AsyncIterator[bytes]:
    try:
        return await objects.open_range(parts.store, held.object_key, part.start, part.end)
    except FileNotFoundError:  # purged between the look at the row and this
        raise AppError("content_gone") from None


def read_variant(query: str) -> str:
    """The variant a query names; the video when it names none. Raises AppError 400 for anything else."""
    asked = dict(parse_qsl(query, keep_blank_values=True))
    variant = asked.pop("variant", "video")
    if asked or variant not in VARIANTS:
        message = "The only parameter is `variant`: video, last_frame or thumbnail."
        problem = Problem(path="variant", code="unsupported_value", message=message, allowed=list(VARIANTS))
        raise AppError("invalid_request", message, problems=[problem])
    return variant


async def _find(parts: Parts, principal: Principal, video_id: str, variant: str) -> Held:
    held = await queries.asset_of(parts.db, video_id, variant)
    if held is not None and held.account_id == principal.account_id and held.livemode == principal.livemode:
        return held
    seen = await parts.seen(principal, video_id)  # 404 for what is not this account's
    if seen.purge_at is not None and seen.content_state == "purged":
        raise AppError("content_gone")
    if seen.purge_at is not None and variant not in seen.variants:
        raise AppError("not_found", f"This video has no {variant}; ask for it when you create one.", param="variant")
    if seen.purge_at is not None:
        raise AppError("content_gone")
    raise AppError("not_ready", "This video has no content: it is not completed.", param="video_id")


def _headers(held: Held, part: Part | None, etag: str, name: str) -> list[tuple[bytes, bytes]]:
    headers = {
        "etag": etag,
        "accept-ranges": "bytes",
        "last-modified": format_datetime(held.finished_at.astimezone(UTC), usegmt=True),
        "cache-control": "private, no-store",
        "content-security-policy": "default-src 'none'; sandbox",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
    }
    if part is not None:
        headers |= {
            "content-type": held.media_type,
            "content-length": str(part.length),
            "content-disposition": f'attachment; filename="{name}"',
        }
        if part.status == 206:
            headers["content-range"] = f"bytes {part.start}-{part.end - 1}/{part.size}"
    return [(key.encode(), value.encode("latin-1")) for key, value in headers.items()]
