"""`/v1/verify`: whether a file is one of ours, is AI-generated, is as it was. For everybody, without a key."""

from typing import Literal

import msgspec
from litestar import Response, get, post

from seedance_api.delivery.certificate import published
from seedance_api.delivery.verify import Verdict, verify
from seedance_api.foundation.rate_limiter import neighbourhood
from seedance_api.web.body import AnyRequest, read_file
from seedance_api.web.context import client_address_of, context_of
from seedance_api.web.hang_up import unless_gone
from seedance_api.web.respond import json_response
from seedance_api.web.route import FileBody, Operation, Sample, TextAnswer

_PUBLIC = {"Cache-Control": "public, max-age=300"}


class Verification(Verdict, frozen=True, kw_only=True):
    """What is known of a file, and the basis of it."""

    object: Literal["verification"] = "verification"


@post(
    "/v1/verify",
    status_code=200,
    operation=Operation(
        id="verifyFile",
        summary="Verify a file",
        tag="Verify",
        auth=None,
        body=FileBody("The video or picture to look at.", bare=True),
        answer=Verification,
        errors=("unreadable_file", "too_busy", "too_many_uploads", "unavailable"),
        rate="verify",
        sample=Sample(curl='-H "Content-Type: application/octet-stream" --data-binary @video.mp4'),
    ),
)
async def verify_file(request: AnyRequest) -> Response[bytes]:
    """Whether a file is one of ours, AI-generated, and as it was. The body is the file, or a form with a part `file`.
    It is looked at and kept nowhere. Each address may ask so many times a minute, and has one file looked at at a
    time."""
    context = context_of(request)
    context.disk.check()
    verifying = context.verifying
    sender = neighbourhood(client_address_of(request))
    async with (
        context.intake.folder(None) as folder,
        read_file(request, folder, verifying.budget, sender, verifying.max_bytes) as file,
        context.turn(context.files),
    ):
        verdict = await unless_gone(
            request.receive,
            verify(
                file,
                certificate=verifying.certificate,
                db=context.db,
                confine=verifying.confine,
                owner=sender,
            ),
        )
    return json_response(Verification(**msgspec.structs.asdict(verdict)))


@get(
    "/v1/verify/certificates",
    operation=Operation(
        id="listCertificates",
        summary="Certificates of our marks",
        tag="Verify",
        auth=None,
        answer=TextAnswer("application/x-pem-file", "The CAs, in PEM."),
        sample=Sample(curl="-o trusted.pem"),
    ),
)
async def list_certificates(request: AnyRequest) -> Response[bytes]:
    """The CA certificates above our marks, in PEM: give them to a reader of Content Credentials that is to trust this
    service."""
    return Response(
        published(context_of(request).verifying.certificate), media_type="application/x-pem-file", headers=_PUBLIC
    )
