"""Who is asking, by the header in which a face takes its keys."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import msgspec
from litestar.handlers import HTTPRouteHandler

from seedance_api.accounts.authenticate import CHALLENGE, HOW, Principal, Standing
from seedance_api.foundation.errors import AppError
from seedance_api.traffic.tell_of_guesses import tell_of_guesses
from seedance_api.web.context import Context

Headers = list[tuple[bytes, bytes]]
_ELSEWHERE = frozenset({b"x-api-key", b"api-key", b"apikey", b"x-goog-api-key", b"x-key", b"x-api-token"})
"""Where other services take their keys."""


class Caller(NamedTuple):
    """Whose request it is, and by which `Authorization` header."""

    principal: Principal
    header: str | None

    def standing(self, context: Context) -> Standing:
        """Whether the key still stands while a long answer is on its way."""
        return Standing(context.authenticate, self.header)


Authenticate = Callable[[Context, Headers, str], Awaitable[Caller]]
"""Tells whose request it is, by its headers and the network that it comes from. Raises AppError 401, or 429."""


class Face(msgspec.Struct, frozen=True):
    """Routes for one kind of client. `authenticate` guards those that need a key, and whatever is not there below
    `prefix`: what there is and what there is not is told to those who have a key."""

    prefix: str
    routes: Sequence[HTTPRouteHandler]
    authenticate: Authenticate


async def by_bearer(context: Context, headers: Headers, network: str) -> Caller:
    """By `Authorization: Bearer`. Raises AppError 401, or 429 where one wrong key after another comes from there."""
    tokens = [value for name, value in headers if name == b"authorization"]
    header = tokens[0].decode("latin-1") if tokens and tokens[0] else None
    if header is None or len(tokens) > 1:
        _refuse_elsewhere(headers, len(tokens))
    elif (known := context.authenticate.recall(header)) is not None:
        return Caller(known, header)
    if header is not None and not context.authenticate.knows(header):
        context.failed_keys.check(network, context.authenticate.tried_handle(header))
    try:
        return Caller(await context.authenticate(header), header)
    except AppError as error:
        if error.code == "invalid_key":
            await _count_failed(context, header or "", network)
        raise


async def _count_failed(context: Context, header: str, network: str) -> None:
    handle = context.authenticate.tried_handle(header)
    count = context.failed_keys.count(network, handle)
    if handle is not None and count is not None:
        await tell_of_guesses(context.db, handle, count)


def _refuse_elsewhere(headers: Headers, given: int) -> None:
    """Raises AppError 401 that names the header in which a key was sent that we do not read, or says that there are
    several `Authorization` headers: whose request it is would be a guess, and a proxy might guess otherwise."""
    if given > 1:
        message = f"The request has {given} `Authorization` headers. Send exactly one. {HOW}"
        raise AppError("invalid_key", message, headers=CHALLENGE)
    for name, _ in headers:
        if name in _ELSEWHERE:
            message = f"No key in `Authorization`, but a header `{name.decode()}`, which is not read. {HOW}"
            raise AppError("missing_key", message, headers=CHALLENGE)
