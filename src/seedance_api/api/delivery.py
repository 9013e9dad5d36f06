"""`/v1/videos/{id}/delivered`, `/links` and `/receipt`: what becomes of a finished video."""

from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Meta

from seedance_api.api.content import PLACE, VARIANTS, unknown_variant
from seedance_api.api.video_view import Video
from seedance_api.api.view import video
from seedance_api.catalog.words import got
from seedance_api.delivery import link
from seedance_api.delivery.deliver import confirm
from seedance_api.delivery.find import find
from seedance_api.delivery.receipt import DeletionReceipt, receipt, receipt_key
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.web.body import AnyRequest, read_json
from seedance_api.web.context import context_of, principal_of
from seedance_api.web.decode import decode
from seedance_api.web.idempotency import keyed_digest, once_by_key
from seedance_api.web.respond import REPLAYED, json_response
from seedance_api.web.route import Operation, Sample

_LINK = (
    f"https://video.example.com{PLACE}vid_01k5rdxk0gf4v9h2m7c3n8qpwz.video.1795501000.dGhpcyBpcyBhIG1hYyBvZiB0aGlydHk"
)

_BOUNDS = {"minimum": link.SECONDS[0], "maximum": link.SECONDS[1]}


class LinkForm(msgspec.Struct, frozen=True, kw_only=True):
    """What a link is to lead to, and for how many seconds."""

    variant: Annotated[str, Meta(extra_json_schema={"enum": list(VARIANTS)})] = "video"
    """Which file."""
    expires_in: Annotated[int, Meta(extra_json_schema=_BOUNDS)] = link.DEFAULT_SECONDS
    """How long it is good for, in seconds."""


class ContentLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link to one file of a video, for whoever holds it."""

    object: str = "content_link"
    url: str
    """Where the file is, without a key."""
    variant: str
    """Which file it is."""
    expires_at: int
    """When the link ends, in Unix seconds."""


@post(
    "/v1/videos/{video_id:str}/delivered",
    status_code=200,
    operation=Operation(
        id="confirmDelivery",
        scope="videos:write",
        rate="write",
        summary="Say that you have it",
        tag="Videos",
        answer=Video,
        errors=("not_ready", "content_gone"),
        repeatable=True,
    ),
)
async def confirm_delivery(request: AnyRequest, video_id: FromPath[str]) -> Response[bytes]:
    """You have the video, wherever from: its grace begins, and `expires_at` says when it ends. Nobody has to say so who
    downloads it whole from us; what that takes, and what deletes a video, is in the guide on delivery."""
    context, principal = context_of(request), principal_of(request)
    once = once_by_key(
        request, principal, "POST /v1/videos/{video_id}/delivered", keyed_digest(context, video_id.encode())
    )
    is_first = await confirm(context.db, principal.account_id, principal.livemode, video_id, once=once)
    seen = await context.reader.find(principal.account_id, principal.livemode, video_id)
    return json_response(video(seen, context.base, principal.currency), {} if is_first else REPLAYED)


@post(
    "/v1/videos/{video_id:str}/links",
    status_code=200,
    operation=Operation(
        id="createLink",
        scope="videos:write",
        rate="write",
        summary="Make a link",
        tag="Videos",
        body=LinkForm,
        body_required=False,
        answer=ContentLink,
        errors=("not_ready", "content_gone"),
        sample=Sample(body={"variant": "video", "expires_in": 900}, answer={"url": _LINK}),
    ),
)
async def make_link(request: AnyRequest, video_id: FromPath[str]) -> Response[bytes]:
    """A link that needs no key: for a browser, or for somebody else. It is good for a quarter of an hour unless
    `expires_in` says otherwise, and never longer than the file. Ask for a new one at any time."""
    context, principal = context_of(request), principal_of(request)
    form = _read_form(await read_json(request))
    held = await find(context.db, principal.account_id, principal.livemode, video_id, form.variant)
    made = await context.addresses.link(held, form.expires_in, place=f"{context.base}{PLACE}")
    return json_response(ContentLink(url=made.url, variant=form.variant, expires_at=made.expires_at))


@get(
    "/v1/videos/{video_id:str}/receipt",
    operation=Operation(
        id="retrieveReceipt",
        scope="videos:read",
        rate="read",
        summary="Receipt of deletion",
        tag="Videos",
        answer=DeletionReceipt,
    ),
)
async def retrieve_receipt(request: AnyRequest, video_id: FromPath[str]) -> Response[bytes]:
    """What was deleted of the video, when, why, from where, and the SHA-256 of what was there; and what is still kept,
    and until when. It is there for deleted videos too. Ed25519 signs it, over the rest of it as JSON with sorted
    keys and without spaces."""
    context, principal = context_of(request), principal_of(request)
    key = receipt_key(context.pepper)
    return json_response(await receipt(context.db, principal.account_id, principal.livemode, video_id, key))


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
