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
from seedance_api.references.link import link_key, verify
from seedance_api.web.body import AnyRequest
from seedance_api.web.context import Parts, parts_of
from seedance_api.web.send import Sendable, send_object

PLACE = "/v1/media/"
_STEP_SECONDS = 0.1


@route("/v1/media/{token:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def serve_media(request: AnyRequest, token: FromPath[str]) -> ASGIApp:
    """Send the object that a signed link leads to."""
    parts = parts_of(request)
    started = time.monotonic()
    try:
        return await send_object(request, parts.store, await _find(parts, token))
    except (FileNotFoundError, objects.TornError):
        passed = time.monotonic() - started
        await asyncio.sleep(_STEP_SECONDS - passed % _STEP_SECONDS)
        raise AppError("not_found", "There is nothing at this address.") from None


async def _find(parts: Parts, token: str) -> Sendable:
    linked = verify(link_key(parts.pepper), token, parts.db.clock())
    if linked is None:
        raise FileNotFoundError
    return Sendable(
        object_key=linked.object_key,
        bytes=await objects.size_of(parts.store, linked.object_key),
        media_type=linked.media_type,
        # an object is never written a second time under its key
        etag=f'"{hashlib.sha256(linked.object_key.encode()).hexdigest()}"',
        name=f"media.{linked.extension}",
    )
