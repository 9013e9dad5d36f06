"""`/healthz`: the process answers. `/readyz`: it can do its work."""

import asyncio
from typing import Literal

import msgspec
from litestar import HttpMethod, Response, route

from seedance_api.web.body import AnyRequest
from seedance_api.web.context import Parts, parts_of

_READY_SECONDS = 1.8
"""Two, less what the answer takes."""
LIVE, READY = "/healthz", "/readyz"


class Health(msgspec.Struct, frozen=True):
    """How it stands."""

    status: Literal["ok", "unavailable"]


@route(LIVE, http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def healthz() -> Response[bytes]:
    """The process answers."""
    return Response(msgspec.json.encode(Health("ok")), media_type="application/json")


@route(READY, http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def readyz(request: AnyRequest) -> Response[bytes]:
    """The database answers, and files can be made, within two seconds. So does this, whatever hangs."""
    parts = parts_of(request)
    answers, makes = await asyncio.gather(parts.db.answers(_READY_SECONDS), _makes_files(parts))
    if answers and makes:
        return Response(msgspec.json.encode(Health("ok")), media_type="application/json")
    return Response(msgspec.json.encode(Health("unavailable")), status_code=503, media_type="application/json")


async def _makes_files(parts: Parts) -> bool:
    try:
        async with asyncio.timeout(_READY_SECONDS):
            await parts.intake.probe()
    except (OSError, TimeoutError):
        return False
    return True
