"""`/v1/videos/{id}/content` and `/v1/content/{token}`: the bytes of a finished video, by a key or by a signed link."""

from urllib.parse import parse_qsl

import structlog
from litestar import HttpMethod, route
from litestar.params import FromPath
from litestar.types import ASGIApp, Receive, Scope, Send

from seedance_api.accounts.authenticate import Principal
from seedance_api.api.body import AnyRequest
from seedance_api.api.parts import Parts, parts_of, principal_of
from seedance_api.api.send import Changed, Note, Sendable, send_object
from seedance_api.delivery import link, queries
from seedance_api.delivery.check import report_damaged
from seedance_api.delivery.deliver import note_served
from seedance_api.delivery.rows import Held
from seedance_api.foundation import objects
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.ids import is_id

PLACE = "/v1/content/"
VARIANTS = ("video", "last_frame", "thumbnail")
_EXTENSIONS = {"video/mp4": "mp4", "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}
_log = structlog.get_logger()


@route("/v1/videos/{video_id:str}/content", http_method=[HttpMethod.GET, HttpMethod.HEAD], takes_query=True)
async def serve_content(request: AnyRequest, video_id: FromPath[str]) -> ASGIApp:
    """Send a variant of a finished video."""
    parts, principal = parts_of(request), principal_of(request)
    variant = read_variant(request.url.query)
    return await _send(request, parts, video_id, await find(parts, principal, video_id, variant))


@route("/v1/content/{token:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def serve_link(request: AnyRequest, token: FromPath[str]) -> ASGIApp:
    """Send the file that a signed link leads to."""
    parts = parts_of(request)
    linked = link.read(token)
    if linked is None:
        raise AppError("link_invalid")
    held = await queries.asset_of(parts.db, linked.generation_id, linked.variant)
    sha256 = held.sha256 if held else await queries.digest_of(parts.db, linked.generation_id, linked.variant)
    match link.verify(link.link_key(parts.pepper), linked, sha256 or "", parts.db.clock()):
        case "forged":
            raise AppError("link_invalid")
        case "over":
            raise AppError("link_expired")
        case "good":
            if held is None:
                raise gone(linked.generation_id)
            return await _send(request, parts, linked.generation_id, held)


def read_variant(query: str) -> str:
    """The variant a query names; the video when it names none. Raises AppError 400 for anything else."""
    asked = parse_qsl(query, keep_blank_values=True)
    name, variant = asked[0] if asked else ("variant", "video")
    if len(asked) > 1 or name != "variant" or variant not in VARIANTS:
        raise unknown_variant("The only parameter is `variant`, once: video, last_frame or thumbnail.")
    return variant


def unknown_variant(message: str) -> AppError:
    """The refusal of a variant that there is not."""
    problem = Problem(path="variant", code="unsupported_value", message=message, allowed=list(VARIANTS))
    return AppError("invalid_request", message, problems=[problem])


def gone(video_id: str) -> AppError:
    """The refusal of content that is deleted, with the address of its receipt."""
    receipt = f"/v1/videos/{video_id}/receipt"
    message = f"The content of this video was deleted. What went, when and why is in its receipt: GET {receipt}."
    return AppError("content_gone", message, headers={"Link": f'<{receipt}>; rel="describedby"'})


async def find(parts: Parts, principal: Principal, video_id: str, variant: str) -> Held:
    """A variant of the caller's video. Raises AppError: 404 for none, 410 for one that is deleted."""
    held = await queries.asset_of(parts.db, video_id, variant) if is_id("vid", video_id) else None
    if held is not None and held.account_id == principal.account_id and held.livemode == principal.livemode:
        return held
    if is_id("vid", video_id) and await queries.is_deleted(
        parts.db, video_id, principal.account_id, principal.livemode
    ):
        raise gone(video_id)
    seen = await parts.seen(principal, video_id)  # 404 for what is not this account's
    if seen.purge_at is not None and seen.content_state == "purged":
        raise gone(video_id)
    if seen.purge_at is not None and variant not in seen.variants:
        raise AppError("not_found", f"This video has no {variant}; ask for it when you create one.", param="variant")
    if seen.purge_at is not None:
        raise gone(video_id)
    raise AppError("not_ready", "This video has no content: it is not completed.", param="video_id")


async def _send(request: AnyRequest, parts: Parts, video_id: str, held: Held) -> ASGIApp:
    if held.damaged:
        raise await _missing(parts, video_id, held)
    if parts.redirect_seconds and request.method == "GET":
        seconds = min(parts.redirect_seconds, max(1, int(held.purge_at.timestamp() - parts.db.clock())))
        url = await objects.presign(parts.store, held.object_key, seconds)
        if url is not None:
            whole = await objects.is_whole(parts.store, held.object_key, held.bytes)
            if not whole:
                raise await _missing(parts, video_id, held)
            return _redirect(url)
    found = Sendable(
        object_key=held.object_key,
        bytes=held.bytes,
        media_type=held.media_type,
        etag=f'"{held.sha256}"',
        name=f"{video_id}-{held.variant}.{_EXTENSIONS[held.media_type]}",
        modified_at=held.finished_at,
        sha256=held.sha256,
    )
    try:
        return await send_object(
            request, parts.store, found, note=_noting(parts, video_id, held), changed=_changing(parts, video_id, held)
        )
    except (FileNotFoundError, objects.TornError):
        raise await _missing(parts, video_id, held) from None


def _noting(parts: Parts, video_id: str, held: Held) -> Note | None:
    if held.variant != "video" or held.delivered:
        return None

    async def note(start: int, end: int, *, checked: bool) -> None:
        await note_served(parts.db, parts.store, video_id, held.sha256, start, end, checked=checked)

    return note


def _changing(parts: Parts, video_id: str, held: Held) -> Changed:
    async def changed() -> None:
        await report_damaged(parts.db, held.object_key, video_id)

    return changed


async def _missing(parts: Parts, video_id: str, held: Held) -> AppError:
    """Why an object that a row named is not there: purged a moment ago, or damaged, and then it is to be mended."""
    if await queries.asset_of(parts.db, video_id, held.variant) is None:
        return gone(video_id)
    if held.lost:  # it is looked for again by the schedule
        return AppError("content_lost")
    await report_damaged(parts.db, held.object_key, video_id)
    return AppError("content_damaged", headers={"Retry-After": "10"})


def _redirect(url: str) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        headers = [(b"location", url.encode()), (b"content-length", b"0"), (b"cache-control", b"private, no-store")]
        await send({"type": "http.response.start", "status": 302, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return answer
