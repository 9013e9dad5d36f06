"""`/healthz`: the process answers. `/readyz`: it can do its work."""

import asyncio
from typing import Literal

import msgspec
from litestar import HttpMethod, Response, route

from seedance_api.web.body import AnyRequest
from seedance_api.web.context import Context, context_of
from seedance_api.web.route import Operation

_READY_SECONDS = 1.8
"""Two, less what the answer takes."""


class Health(msgspec.Struct, frozen=True):
    """How it stands."""

    status: Literal["ok", "unavailable"]
    """`ok`, or `unavailable` with status 503."""


@route(
    "/healthz",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    operation=Operation(
        id="healthz",
        summary="The process answers",
        tag="Health",
        auth=None,
        answer=Health,
        takes_query=True,
        is_probe=True,
        head=("healthzHead", "The process answers"),
    ),
)
async def healthz() -> Response[bytes]:
    """The process answers. It asks nothing of the database."""
    return Response(msgspec.json.encode(Health("ok")), media_type="application/json")


@route(
    "/readyz",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    operation=Operation(
        id="readyz",
        summary="The service can work",
        tag="Health",
        auth=None,
        answer=Health,
        also={
            503: "The service is stopping or has all the work that it takes on, the database does not answer, or no "
            "file can be made where objects and scratch files are kept."
        },
        takes_query=True,
        is_probe=True,
        head=("readyzHead", "The service can work"),
    ),
)
async def readyz(request: AnyRequest) -> Response[bytes]:
    """The database answers and files can be made, within two seconds; the service is not stopping, and takes on more
    work. Let a load balancer ask this one."""
    context = context_of(request)
    if not context.is_ready:
        return _unavailable()
    answers, makes = await asyncio.gather(context.db.answers(_READY_SECONDS), _makes_files(context))
    if answers and makes:
        return Response(msgspec.json.encode(Health("ok")), media_type="application/json")
    return _unavailable()


def _unavailable() -> Response[bytes]:
    return Response(msgspec.json.encode(Health("unavailable")), status_code=503, media_type="application/json")


async def _makes_files(context: Context) -> bool:
    try:
        async with asyncio.timeout(_READY_SECONDS):
            await context.intake.probe()
    except (OSError, TimeoutError):
        return False
    return True
