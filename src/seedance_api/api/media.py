"""`/v1/media/{token}`: reference media for upstreams, which have no key of ours but a signed link to one object.

Whatever is wrong with a link is answered in the same words and after the same steps of time: nobody learns from it
whether a link was forged, is over, or leads to what was deleted.
"""

import asyncio
import hashlib
import time

from litestar import HttpMethod, route
from litestar.params import FromPath
from litestar.types import ASGIApp

from seedance_api.foundation import objects
from seedance_api.foundation.errors import AppError
from seedance_api.references.link import EXTENSIONS, link_key, verify
from seedance_api.web.body import AnyRequest
from seedance_api.web.context import Context, context_of
from seedance_api.web.route import TOKEN, FileAnswer, Operation
from seedance_api.web.send import Sendable, send_object

_STEP_SECONDS = 0.1


@route(
    "/v1/media/{token:str}",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    operation=Operation(
        id="retrieveMedia",
        summary="Fetch a linked medium",
        tag="Files",
        auth="link",
        answer=FileAnswer(tuple(EXTENSIONS)),
        errors=("not_found",),
        parameters=(TOKEN,),
        takes_query=True,
        head=("inspectMedia", "Size and type of a linked medium"),
    ),
)
async def serve_media(request: AnyRequest, token: FromPath[str]) -> ASGIApp:
    """Where an upstream fetches the reference media of a video: a link that we sign, for one object and for a while. No
    key is needed; whoever has the link can read the object. Whatever is wrong with a link is `not_found`."""
    context = context_of(request)
    started = time.monotonic()
    try:
        return await send_object(request, context.store, await _find(context, token))
    except (FileNotFoundError, objects.TornError):
        passed = time.monotonic() - started
        await asyncio.sleep(_STEP_SECONDS - passed % _STEP_SECONDS)
        raise AppError("not_found", "There is nothing at this address.") from None


async def _find(context: Context, token: str) -> Sendable:
    linked = verify(link_key(context.pepper), token, context.db.clock())
    if linked is None:
        raise FileNotFoundError
    return Sendable(
        object_key=linked.object_key,
        bytes=await objects.size_of(context.store, linked.object_key),
        media_type=linked.media_type,
        # an object is never written a second time under its key
        etag=f'"{hashlib.sha256(linked.object_key.encode()).hexdigest()}"',
        name=f"media.{linked.extension}",
    )
