"""`/v1/keys/revoke_leaked`: whoever has found a key has it revoked. The key is the proof: no other is needed."""

from typing import Literal

import msgspec
from litestar import Response, post

from seedance_api.accounts.report_leaked import report_leaked
from seedance_api.foundation.errors import AppError
from seedance_api.generations.accept import refusal
from seedance_api.web.body import AnyRequest, read_json
from seedance_api.web.context import context_of
from seedance_api.web.decode import decode
from seedance_api.web.respond import json_response
from seedance_api.web.route import Operation, Sample


class LeakedKey(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a report."""

    key: str | None = None
    """The whole API key that was found."""


class LeakedKeyReport(msgspec.Struct, frozen=True, kw_only=True):
    """A report that was taken. It is the same whether there was such a key or not."""

    object: Literal["leaked_key_report"] = "leaked_key_report"
    received: Literal[True] = True


@post(
    "/v1/keys/revoke_leaked",
    status_code=200,
    operation=Operation(
        id="revokeLeakedKey",
        summary="Report a leaked key",
        tag="Keys",
        auth=None,
        body=LeakedKey,
        body_needs=("key",),
        answer=LeakedKeyReport,
        errors=("unavailable",),
        rate="verify",
        sample=Sample(body={"key": "sda_live_…"}),
    ),
)
async def revoke_leaked_key(request: AnyRequest) -> Response[bytes]:
    """For whoever has found a key where it should not be. It is revoked at once, everywhere, and its owner is told. The
    answer does not say whether there was such a key, and a repeat does nothing. What is no key by its form and its
    checksum is refused."""
    context = context_of(request)
    form, problems = decode(LeakedKey, await read_json(request), strict=True)
    if problems:
        raise refusal(problems)
    if form.key is None:
        message = 'The body has no `key`. Send the API key that was found, as JSON: {"key": "sda_live_…"}.'
        raise AppError("invalid_request", message, param="key")
    await report_leaked(context.db, context.pepper, form.key)
    return json_response(LeakedKeyReport())
