"""`/healthz`: the process answers. `/readyz`: it can do its work."""

import asyncio
from typing import Literal

import asyncpg
import msgspec
from litestar import HttpMethod, Response, route

from seedance_api.api.body import AnyRequest
from seedance_api.api.parts import parts_of


class Health(msgspec.Struct, frozen=True):
    """How it stands."""

    status: Literal["ok", "unavailable"]


@route("/healthz", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def healthz() -> Response[bytes]:
    """The process answers."""
    return Response(msgspec.json.encode(Health("ok")), media_type="application/json")


@route("/readyz", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def readyz(request: AnyRequest) -> Response[bytes]:
    """The database answers, and files can be made, within two seconds."""
    try:
        async with asyncio.timeout(2):
            await parts_of(request).db.fetchval("SELECT 1")
            await parts_of(request).intake.probe()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return Response(msgspec.json.encode(Health("unavailable")), status_code=503, media_type="application/json")
    return Response(msgspec.json.encode(Health("ok")), media_type="application/json")
