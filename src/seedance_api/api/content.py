"""`/v1/videos/{id}/content`: the bytes of a finished video."""

from urllib.parse import parse_qsl

from litestar import HttpMethod, route
from litestar.params import FromPath
from litestar.types import ASGIApp

from seedance_api.accounts.authenticate import Principal
from seedance_api.api.body import AnyRequest
from seedance_api.api.parts import Parts, parts_of, principal_of
from seedance_api.api.send import Sendable, send_object
from seedance_api.delivery import queries
from seedance_api.delivery.queries import Held
from seedance_api.foundation.errors import AppError, Problem

VARIANTS = ("video", "last_frame", "thumbnail")
_EXTENSIONS = {"video/mp4": "mp4", "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}


@route("/v1/videos/{video_id:str}/content", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def serve_content(request: AnyRequest, video_id: FromPath[str]) -> ASGIApp:
    """Send a variant of a finished video."""
    parts, principal = parts_of(request), principal_of(request)
    variant = read_variant(request.url.query)
    held = await _find(parts, principal, video_id, variant)
    found = Sendable(
        object_key=held.object_key,
        bytes=held.bytes,
        media_type=held.media_type,
        etag=f'"{held.sha256}"',
        name=f"{video_id}-{variant}.{_EXTENSIONS[held.media_type]}",
        modified_at=held.finished_at,
    )
    try:
        return await send_object(request, parts.store, found)
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
