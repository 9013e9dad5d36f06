"""The bounded call to an address that the operator configured, and what is certain about it afterwards.

It asks once: no retry, no redirect, no proxy from the environment. What a stranger chose goes through `outbound`.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import assert_never

import httpx
import msgspec

from seedance_api.foundation.address import parse

CONNECT_SECONDS = 5.0
POOL_SECONDS = 5.0
KEEP_SECONDS = 15.0
CONNECTIONS = 100
MAX_BYTES = 16 * 1024 * 1024

# The moment from which bytes of the request may be on their way (httpcore 1.0, the `trace` extension).
_SENDING = "http11.send_request_headers.started"


class Answer(msgspec.Struct, frozen=True):
    """The whole answer. `headers` have lower-case names."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class NotSent(msgspec.Struct, frozen=True):
    """Not a byte of the request has left: the name, the connection, TLS, or no free connection."""

    reason: str


class NoAnswer(msgspec.Struct, frozen=True):
    """The request, or a part of it, has left, and no whole answer came back."""

    reason: str


Outcome = Answer | NotSent | NoAnswer


class Caller:
    """Calls one service, as one customer of it. One per event loop; `aclose` it.

    `bearer` is the secret it shows. `tls` stands in for the usual certificates. `ended` is told of each call what came
    of it, as `kind_of` says, and its seconds. Raises ValueError for a base URL that is none.
    """

    def __init__(
        self,
        *,
        base_url: str,
        bearer: str,
        tls: ssl.SSLContext | None = None,
        ended: Callable[[str, float], None] | None = None,
    ) -> None:
        self._ended = ended
        for name in ("httpx", "httpcore"):  # below WARNING both log whole URLs and headers
            logging.getLogger(name).setLevel(logging.WARNING)
        base = parse(base_url.rstrip("/"))
        if base is None:
            raise ValueError("not a URL")
        if base.scheme not in ("https", "http") or not base.host or base.query or base.fragment or base.userinfo:
            raise ValueError("must be http(s)://host[:port][/path] and nothing more")
        self._base = str(base)
        tls = tls or httpx.create_ssl_context(trust_env=False)
        self._kept = _client(bearer, tls, keep=CONNECTIONS, max_connections=CONNECTIONS)
        # The other side may close a kept connection just as a request goes out on it; for one that must not be
        # repeated, that would make "no clear answer" out of nothing. Who calls bounds their number.
        self._fresh = _client(bearer, tls, keep=0, max_connections=None)

    async def aclose(self) -> None:
        await self._kept.aclose()
        await self._fresh.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        total_seconds: float,
        query: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        fresh: bool = False,
    ) -> Outcome:
        """Ask once, for at most `total_seconds`. `path` starts with a slash; `body` is JSON.

        `fresh` makes a new connection for it: for what must not be repeated.
        """
        started = time.perf_counter()
        outcome = await self._call(method, path, total_seconds, query, body, headers, fresh=fresh)
        if self._ended is not None:
            self._ended(kind_of(outcome), time.perf_counter() - started)
        return outcome

    async def _call(
        self,
        method: str,
        path: str,
        total_seconds: float,
        query: Sequence[tuple[str, str]],
        body: bytes | None,
        headers: Mapping[str, str] | None,
        *,
        fresh: bool,
    ) -> Outcome:
        client = self._fresh if fresh else self._kept
        sending = False

        async def trace(name: str, _: object) -> None:
            nonlocal sending
            sending = sending or name == _SENDING

        request = client.build_request(
            method,
            self._base + path,
            params=httpx.QueryParams(list(query)) if query else None,
            content=body,
            headers={**(headers or {}), **({"content-type": "application/json"} if body is not None else {})},
            extensions={"trace": trace},
        )
        try:
            async with asyncio.timeout(total_seconds):
                return await _exchange(client, request)
        except TimeoutError:
            reason = f"no answer within {total_seconds:g} s"
        except httpx.TimeoutException as error:
            reason = _TIMEOUTS.get(type(error), "no answer in time")
        except httpx.ConnectError:
            reason = "no connection"
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            reason = f"the exchange broke off ({type(error).__name__})"  # its text may hold what was sent
        return NoAnswer(reason) if sending else NotSent(reason)


def kind_of(outcome: Outcome) -> str:
    """An outcome in one word of a few: `not_sent`, `no_answer`, `429`, or the class of the status, such as `2xx`."""
    match outcome:
        case NotSent():
            return "not_sent"
        case NoAnswer():
            return "no_answer"
        case Answer(status=429):
            return "429"
        case Answer(status=status):
            return f"{status // 100}xx"
        case _:
            assert_never(outcome)


_TIMEOUTS: dict[type[Exception], str] = {
    httpx.ConnectTimeout: "no connection in time",
    httpx.PoolTimeout: "no connection was free in time",
}


def _client(bearer: str, tls: ssl.SSLContext, *, keep: int, max_connections: int | None) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        verify=tls,
        trust_env=False,
        follow_redirects=False,
        http1=True,
        http2=False,
        # reading and writing have the deadline of the whole
        timeout=httpx.Timeout(None, connect=CONNECT_SECONDS, pool=POOL_SECONDS),
        limits=httpx.Limits(
            max_connections=max_connections, max_keepalive_connections=keep, keepalive_expiry=KEEP_SECONDS
        ),
        headers={
            "authorization": f"Bearer {bearer}",
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": "seedance-api",
        },
    )


async def _exchange(client: httpx.AsyncClient, request: httpx.Request) -> Answer | NoAnswer:
    response = await client.send(request, stream=True)
    try:
        if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
            return NoAnswer("the answer is compressed, though that was not asked for")
        pieces: list[bytes] = []
        size = 0
        async for piece in response.aiter_raw():
            size += len(piece)
            if size > MAX_BYTES:
                return NoAnswer(f"the answer is larger than {MAX_BYTES} bytes")
            pieces.append(piece)
    finally:
        await response.aclose()
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, b"".join(pieces), headers)
