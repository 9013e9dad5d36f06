"""`/v1/videos/{id}/delivered`, `/links` and `/receipt`: what becomes of a finished video."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from seedance_api.api.body import AnyRequest, read_json
from seedance_api.api.content import PLACE, VARIANTS, find, unknown_variant
from seedance_api.api.decode import decode
from seedance_api.api.once import once_by_key, seal
from seedance_api.api.parts import parts_of, principal_of
from seedance_api.api.videos import REPLAYED, json_response
from seedance_api.api.view import video
from seedance_api.catalog.words import got
from seedance_api.delivery import link, queries
from seedance_api.delivery.deliver import confirm
from seedance_api.delivery.receipt import receipt, receipt_key
from seedance_api.foundation import objects
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.ids import is_id


class LinkForm(msgspec.Struct, frozen=True, kw_only=True):
    """What a link is to lead to, and for how many seconds."""

    variant: str = "video"
    expires_in: int = link.DEFAULT_SECONDS


class ContentLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link to one file of a video, for whoever holds it."""

    object: str = "content_link"
    url: str
    variant: str
    expires_at: int


@post("/v1/videos/{video_id:str}/delivered", status_code=200)
async def confirm_delivery(request: AnyRequest, video_id: FromPath[str]) -> Response[bytes]:
    """The caller has the video: its grace begins."""
    parts, principal = parts_of(request), principal_of(request)
    once = once_by_key(request, principal, "POST /v1/videos/{video_id}/delivered", seal(parts, video_id.encode()))
    replayed = once is not None and await parts.find(once) is not None
    if not replayed:
        await find(parts, principal, video_id, "video")
    if not replayed and not await confirm(parts.db, video_id, once=once):
        assert once is not None, "only a key can be taken by another request"
        replayed = await parts.find(once) is not None
    seen = await parts.seen(principal, video_id)
    return json_response(video(seen, parts.base, principal.currency), REPLAYED if replayed else {})


@post("/v1/videos/{video_id:str}/links", status_code=200)
async def make_link(request: AnyRequest, video_id: FromPath[str]) -> Response[bytes]:
    """A signed link to a file of the video, good for a while and without a key."""
    parts, principal = parts_of(request), principal_of(request)
    form = _read_form(await read_json(request))
    held = await find(parts, principal, video_id, form.variant)
    # no link outlives what it leads to
    expires_at = min(int(parts.db.clock()) + form.expires_in, int(held.purge_at.timestamp()))
    url = None
    if parts.redirect_seconds:
        url = await objects.presign(parts.store, held.object_key, max(1, expires_at - int(parts.db.clock())))
    if url is None:
        token = link.sign(link.link_key(parts.pepper), video_id, form.variant, held.sha256, expires_at)
        url = f"{parts.base}{PLACE}{token}"
    return json_response(ContentLink(url=url, variant=form.variant, expires_at=expires_at))


@get("/v1/videos/{video_id:str}/receipt")
async def retrieve_receipt(request: AnyRequest, video_id: FromPath[str]) -> Response[bytes]:
    """What was deleted of a video and what is still kept; also of one that its owner has deleted."""
    parts, principal = parts_of(request), principal_of(request)
    owner = await queries.owner_of(parts.db, video_id) if is_id("vid", video_id) else None
    if owner != (principal.account_id, principal.livemode):
        raise AppError("not_found", "There is no such video in this account.", param="video_id")
    return json_response(await receipt(parts.db, video_id, receipt_key(parts.pepper)))


def _read_form(body: dict[str, Any]) -> LinkForm:
    form, problems = decode(LinkForm, body, strict=True)
    least, most = link.SECONDS
    if not least <= form.expires_in <= most:
        message = f"`expires_in` must be {least} to {most} seconds{got(form.expires_in)}."
        problems.append(Problem(path="expires_in", code="out_of_range", message=message, allowed=f"{least} to {most}"))
    if form.variant not in VARIANTS:
        problems += unknown_variant(f"`variant` must be video, last_frame or thumbnail{got(form.variant)}.").problems
    if problems:
        raise AppError("invalid_request", problems=problems)
    return form
