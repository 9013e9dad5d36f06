"""`/v1/videos`: create, quote, cancel, delete."""

import asyncio
from email.utils import format_datetime

import msgspec
from litestar import Response, delete, post
from litestar.params import FromPath

from seedance_api.accounts.authenticate import Principal
from seedance_api.api.dialect import check_dialect
from seedance_api.api.quotes import QuoteView, quote_view
from seedance_api.api.retrieve import poll_hint
from seedance_api.api.understand import understand
from seedance_api.api.video_form import CreateVideo, what_it_says
from seedance_api.api.video_view import Video, VideoDeleted
from seedance_api.api.view import unix, video
from seedance_api.catalog import models
from seedance_api.catalog.retirement import retirement
from seedance_api.foundation.idempotency import Once
from seedance_api.generations import cancel as verbs
from seedance_api.generations.create import create
from seedance_api.generations.quote import quote
from seedance_api.references.inspect import Staged
from seedance_api.web.body import AnyRequest, read_body
from seedance_api.web.context import context_of, principal_of
from seedance_api.web.idempotency import keyed_digest, once_by_content, once_by_key
from seedance_api.web.respond import REPLAYED, json_response
from seedance_api.web.route import Operation, Parameter, Sample

NOT_MADE = (
    "invalid_media", "not_found", "draft_expired", "live_unavailable", "model_unavailable", "max_cost_exceeded",
    "no_price", "too_busy", "too_many_uploads",
)  # fmt: skip
"""Why nothing can be made, or quoted, of a request that is well-formed."""
TRIED_AGAIN = Parameter(
    "x-stainless-retry-count",
    {"type": "string", "pattern": "^[0-9]{1,9}$"},
    "Sent by OpenAI's clients. Above 0 and without a key, the same body from the same API key within two minutes is "
    "the same video.",
    "header",
)


@post(
    "/v1/videos",
    status_code=200,
    operation=Operation(
        id="createVideo",
        scope="videos:write",
        summary="Create a video",
        tag="Videos",
        body=CreateVideo,
        body_as_form=True,
        answer=Video,
        errors=(
            "unsupported_client",
            *NOT_MADE,
            "idempotency_in_progress",
            "insufficient_balance",
            "limit_reached",
            "too_many_files",
            "too_many_pending",
        ),
        parameters=(TRIED_AGAIN,),
        repeatable=True,
        rate="create",
        sample=Sample(
            body={
                "model": "seedance-2.0",
                "prompt": "The boat turns into a swan",
                "images": [
                    {"role": "first_frame", "url": "https://example.com/boat.png"},
                    {"role": "last_frame", "url": "https://example.com/swan.png"},
                ],
                "duration": 5,
                "resolution": "1080p",
                "metadata": {"project": "sea"},
            },
            answer={"prompt": "The boat turns into a swan", "metadata": {"project": "sea"}},
        ),
    ),
)
async def create_video(request: AnyRequest) -> Response[bytes]:
    """Answers as soon as the order is stored; the video is made afterwards. JSON, or multipart with the pictures as
    files."""
    context, principal = context_of(request), principal_of(request)
    check_dialect(request.headers, context.base)
    context.disk.check()
    async with (
        context.intake.folder(principal.account_id) as folder,
        read_body(request, folder, context.budget, principal.account_id) as body,
    ):
        form, command = understand(body, context.posting)
        async with context.turn(context.creates):
            once = await _once(request, principal, "POST /v1/videos", form, body.files)
            created = await create(command, principal=principal, once=once, folder=folder, parts=context.creating)
    seen = await context.reader.created(principal.account_id, principal.livemode, created)
    headers = {"Location": f"/v1/videos/{seen.id}"} | poll_hint(seen) | retirement_headers(seen.model)
    if created.replayed:
        headers |= REPLAYED
    return json_response(video(seen, context.base, principal.currency), headers)


@post(
    "/v1/videos/quote",
    status_code=200,
    operation=Operation(
        id="quoteVideo",
        scope="videos:write",
        summary="Quote a video",
        tag="Videos",
        body=CreateVideo,
        body_as_form=True,
        answer=QuoteView,
        errors=("unsupported_client", *NOT_MADE),
        repeatable=True,
        rate="create",
        sample=Sample(body={"prompt": "A harbour at dawn", "duration": 5}),
    ),
)
async def quote_video(request: AnyRequest) -> Response[bytes]:
    """The same body and the same checks as a create; nothing is kept. Says what the video would take and cost, by the
    same code that charges it."""
    context, principal = context_of(request), principal_of(request)
    check_dialect(request.headers, context.base)
    async with (
        context.intake.folder(principal.account_id) as folder,
        read_body(request, folder, context.budget, principal.account_id) as body,
    ):
        form, command = understand(body, context.posting)
        async with context.turn(context.creates):
            once = await _once(request, principal, "POST /v1/videos/quote", form, body.files)
            answer = await quote(
                command,
                principal=principal,
                once=once,
                folder=folder,
                parts=context.creating,
                say=lambda priced: msgspec.to_builtins(quote_view(priced, principal)),
            )
    headers = retirement_headers(answer.said["model"]) | (REPLAYED if answer.replayed else {})
    return Response(msgspec.json.encode(answer.said), media_type="application/json", headers=headers)


async def _once(request: AnyRequest, principal: Principal, route: str, form: CreateVideo, files: list[Staged]) -> Once:
    # hashing an upload takes a while
    said = await asyncio.to_thread(what_it_says, form, files) if files else what_it_says(form, files)
    digest = keyed_digest(context_of(request), said)
    return once_by_key(request, principal, route, digest) or once_by_content(request, principal, route, digest)


@post(
    "/v1/videos/{video_id:str}/cancel",
    status_code=200,
    operation=Operation(
        id="cancelVideo",
        scope="videos:write",
        rate="write",
        summary="Cancel a video",
        tag="Videos",
        answer=Video,
        errors=("not_cancelable",),
        repeatable=True,
    ),
)
async def cancel_video(request: AnyRequest, video_id: FromPath[str]) -> Response[bytes]:
    """A queued video stops at once. For one that is being made the provider decides: it ends as `canceled`, or
    completes after all. One that is being stored completes."""
    context, principal = context_of(request), principal_of(request)
    await context.reader.find(principal.account_id, principal.livemode, video_id)
    said = keyed_digest(context, video_id.encode())
    once = once_by_key(request, principal, "POST /v1/videos/{video_id}/cancel", said)
    is_first = await verbs.cancel(context.db, video_id, once=once, books=context.creating.books)
    seen = await context.reader.find(principal.account_id, principal.livemode, video_id)
    return json_response(video(seen, context.base, principal.currency), {} if is_first else REPLAYED)


@delete(
    "/v1/videos/{video_id:str}",
    status_code=200,
    operation=Operation(
        id="deleteVideo",
        scope="videos:write",
        rate="write",
        summary="Delete a video",
        tag="Videos",
        answer=VideoDeleted,
        errors=("not_finished",),
    ),
)
async def delete_video(request: AnyRequest, video_id: FromPath[str]) -> Response[bytes]:
    """Deletes a finished video: its content, prompt, inline inputs and the provider's copy. One that is still being
    made is refused; cancel it first."""
    context, principal = context_of(request), principal_of(request)
    await context.reader.find(principal.account_id, principal.livemode, video_id)
    await verbs.delete(context.db, context.store, video_id)
    return json_response(VideoDeleted(id=video_id))


def retirement_headers(model: str) -> dict[str, str]:
    """When a model that is being retired ends: RFC 9745 and RFC 8594."""
    ending = retirement(model, models.today_utc())
    if ending is None:
        return {}
    sunset = format_datetime(ending.sunset_at, usegmt=True)
    return {"Deprecation": f"@{unix(ending.deprecated_at)}", "Sunset": sunset}
