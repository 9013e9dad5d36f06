"""`/v1/videos/{id}/content` and `/v1/content/{token}`: the bytes of a finished video, by a key or by a signed link."""

from urllib.parse import parse_qsl

from litestar import HttpMethod, route
from litestar.params import FromPath
from litestar.types import ASGIApp, Receive, Scope, Send

from seedance_api.delivery.check import report_damaged
from seedance_api.delivery.deliver import note_served
from seedance_api.delivery.find import find, find_linked, whole
from seedance_api.delivery.link import link_key
from seedance_api.delivery.rows import Held
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.web.body import AnyRequest
from seedance_api.web.context import Context, context_of, principal_of
from seedance_api.web.route import TOKEN, FileAnswer, Operation, Parameter, Sample
from seedance_api.web.send import Sendable, send_object

PLACE = "/v1/content/"
VARIANTS = ("video", "last_frame", "thumbnail")
_EXTENSIONS = {"video/mp4": "mp4", "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}


@route(
    "/v1/videos/{video_id:str}/content",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    operation=Operation(
        id="retrieveContent",
        scope="videos:read",
        rate="read",
        summary="Download",
        tag="Videos",
        answer=FileAnswer(tuple(_EXTENSIONS), redirects=True),
        errors=("not_ready", "content_gone", "content_damaged", "content_lost"),
        parameters=(Parameter("variant", {"enum": list(VARIANTS), "default": "video"}, "Which file."),),
        takes_query=True,
        head=("inspectContent", "Size and type of a download"),
        sample=Sample(curl="--continue-at - --output swan.mp4"),
    ),
)
async def serve_content(request: AnyRequest, video_id: FromPath[str]) -> ASGIApp:
    """The bytes, streamed, with `ETag`, `Range` and `If-Range`, so that a download can be resumed. One range at a
    time."""
    context, principal = context_of(request), principal_of(request)
    variant = read_variant(request.url.query)
    held = await find(context.db, principal.account_id, principal.livemode, video_id, variant)
    return await _send(request, context, held)


@route(
    "/v1/content/{token:str}",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    operation=Operation(
        id="retrieveLinkedContent",
        summary="Download by a link",
        tag="Videos",
        auth="link",
        answer=FileAnswer(tuple(_EXTENSIONS), redirects=True),
        errors=("link_invalid", "link_expired", "content_gone", "content_damaged", "content_lost"),
        parameters=(TOKEN,),
        takes_query=True,
        shared=True,
        head=("inspectLinkedContent", "Size and type of a download by a link"),
        sample=Sample(curl="--output swan.mp4"),
    ),
)
async def serve_link(request: AnyRequest, token: FromPath[str]) -> ASGIApp:
    """The same bytes as by the key, and they count as much towards delivery."""
    context = context_of(request)
    return await _send(request, context, await find_linked(context.db, link_key(context.pepper), token))


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


async def _send(request: AnyRequest, context: Context, held: Held) -> ASGIApp:
    found = Sendable(
        object_key=held.object_key,
        bytes=held.bytes,
        media_type=held.media_type,
        etag=f'"{held.sha256}"',
        name=f"{held.generation_id}-{held.variant}.{_EXTENSIONS[held.media_type]}",
        modified_at=held.finished_at,
        sha256=held.sha256,
    )

    async def note(start: int, end: int, *, checked: bool) -> None:
        await note_served(context.db, context.store, held.generation_id, held.sha256, start, end, checked=checked)

    async def changed() -> None:
        await report_damaged(context.db, held.object_key, held.generation_id)

    async with whole(context.db, held):
        if request.method == "GET" and (url := await context.addresses.in_store(held)):
            return _redirect(url)
        noting = note if held.may_become_delivered else None
        return await send_object(request, context.store, found, note=noting, changed=changed)


def _redirect(url: str) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        headers = [(b"location", url.encode()), (b"content-length", b"0"), (b"cache-control", b"private, no-store")]
        await send({"type": "http.response.start", "status": 302, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return answer
