"""`/v1/callbacks/{attempt}/{token}`: where an upstream may call back about an attempt. It has no key of ours; the
address is the secret, and what the body says is a hint at most."""

import msgspec
import structlog
from litestar import post
from litestar.params import FromPath

from seedance_api.foundation.errors import AppError
from seedance_api.foundation.ids import is_id
from seedance_api.generations import provider_callback
from seedance_api.web.body import AnyRequest
from seedance_api.web.context import context_of
from seedance_api.web.route import Operation

_BYTES_MOST = 256 * 1024
_ID_MOST = 200
_GOES_ON = frozenset({"queued", "running"})
_log = structlog.get_logger()


class _Said(msgspec.Struct, frozen=True):
    id: str | None = None
    status: str | None = None

    @property
    def told(self) -> str | None:
        """The id, if it may be one."""
        told = self.id
        return told if told and len(told) <= _ID_MOST and told.isascii() and told.isprintable() else None


@post(
    "/v1/callbacks/{attempt:str}/{token:str}",
    status_code=200,
    operation=Operation(
        summary="Hear from an upstream that it is done with an attempt; the address is the secret",
        auth="link",
        takes_query=True,
    ),
)
async def receive_callback(request: AnyRequest, attempt: FromPath[str], token: FromPath[str]) -> dict[str, bool]:
    """Have the attempt looked at. Raises AppError 404 for an address that we gave nobody."""
    context = context_of(request)
    if not is_id("att", attempt) or not context.pseudonyms.is_callback(attempt, token):
        _log.warning("security.forged_callback")
        raise AppError("not_found", "There is nothing at this address.")
    said = _said(await _read(request))
    await provider_callback.receive_callback(context.db, attempt, said.told, goes_on=said.status in _GOES_ON)
    return {"received": True}


async def _read(request: AnyRequest) -> bytes:
    """The body, as far as it is of use: a longer one is none that an upstream sends."""
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > _BYTES_MOST:
            return b""
    return bytes(read)


def _said(body: bytes) -> _Said:
    try:
        return msgspec.json.decode(body, type=_Said)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return _Said()
