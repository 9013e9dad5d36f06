"""`/v1/verify`: whether a file is one of ours, is AI-generated, is as it was. For everybody, without a key."""

import math
from typing import Literal

import msgspec
from litestar import Response, get, post

from seedance_api.api.videos import json_response
from seedance_api.delivery.certificate import published
from seedance_api.delivery.verify import Verdict, verify
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.limit import neighbourhood
from seedance_api.web.body import AnyRequest, read_file
from seedance_api.web.context import Parts, parts_of

_PUBLIC = {"Cache-Control": "public, max-age=300"}
OPEN = frozenset({"/v1/verify", "/v1/verify/certificates"})


class Verification(Verdict, frozen=True, kw_only=True):
    """What is known of a file, and the basis of it."""

    object: Literal["verification"] = "verification"


@post("/v1/verify", status_code=200)
async def verify_file(request: AnyRequest) -> Response[bytes]:
    """Verify a file. It is kept nowhere."""
    parts = parts_of(request)
    await _admit(request, parts)
    with_ = parts.verifying
    async with parts.intake.folder(None) as folder, read_file(request, folder, with_.budget, with_.most) as file:
        verdict = await verify(file, certificate=with_.certificate, db=parts.db, confine=with_.confine)
    return json_response(Verification(**msgspec.structs.asdict(verdict)))


@get("/v1/verify/certificates")
async def list_certificates(request: AnyRequest) -> Response[bytes]:
    """The CAs of our marks, for readers that are to trust them."""
    return Response(
        published(parts_of(request).verifying.certificate), media_type="application/x-pem-file", headers=_PUBLIC
    )


async def _admit(request: AnyRequest, parts: Parts) -> None:
    parts.disk.check()
    seconds = await parts.verifying.limiter.take(neighbourhood(request.client.host if request.client else None))
    if seconds:
        raise AppError("rate_limited", headers={"Retry-After": str(math.ceil(seconds)), "Connection": "close"})
