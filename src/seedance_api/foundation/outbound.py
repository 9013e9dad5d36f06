"""The only door to the outside for an address that somebody else chose.

A name is looked up once, every answer is judged, and the connection goes to a judged address and nowhere else
(`ssrfguard` does this below TLS, so SNI, certificate and Host stay the name's). This module adds what that
library leaves to its user: a stricter reading of URLs, a DNS deadline, redirects judged hop by hop, caps on
time and bytes, and refusals whose text and timing do not tell a forbidden address from a closed port.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

import httpx
import ssrfguard
from ssrfguard.httpx import AsyncClient

from seedance_api.foundation.address import UNREACHABLE, Blocked, next_hop, policy, vet
from seedance_api.foundation.lookup import timed
from seedance_api.foundation.outcome import Download, Post, Posted, TooSlow, Unreachable
from seedance_api.foundation.response import drain, retry_after, save
from seedance_api.foundation.transfer import Floor, Take, Transfer

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
DNS_SECONDS = 5.0
CONNECTIONS = 100
FAILURE_STEP_SECONDS = 0.5
RESUME_SECONDS = 0.5


class Outbound:
    """Fetches what strangers point at, from public addresses only. One per event loop; `aclose` it.

    `allow_http` lets http and port 80 through, `extra_ports` further ports. `allow_networks` are ranges to
    reach though they are not public (tests, a private object store); a name that points there and also to
    another inner address is still refused. `deny_networks` are the operator's own inner ranges. `resolver`
    stands in for `socket.getaddrinfo`; what it answers is judged all the same.
    """

    def __init__(
        self,
        *,
        allow_http: bool = False,
        extra_ports: frozenset[int] = frozenset(),
        allow_networks: tuple[str, ...] = (),
        deny_networks: tuple[str, ...] = (),
        resolver: ssrfguard.Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        dns_seconds: float = DNS_SECONDS,
        failure_step_seconds: float = FAILURE_STEP_SECONDS,
        connections: int = CONNECTIONS,
        take: Take | None = None,
    ) -> None:
        self._take = take
        self._policy = policy(
            allow_http=allow_http,
            extra_ports=extra_ports,
            allow_networks=allow_networks,
            deny_networks=deny_networks,
        )
        self._failure_step_seconds = failure_step_seconds
        self._client = _client(self._policy, timed(resolver or socket.getaddrinfo, dns_seconds), tls, connections)

    async def aclose(self) -> None:
        await self._client.aclose()

    def refuse(self, url: str) -> Blocked | None:
        """Why the URL alone is refused; None when it may be tried, and where it leads is judged."""
        vetted = vet(url, self._policy)
        return vetted if isinstance(vetted, Blocked) else None

    async def download(
        self,
        url: str,
        to: Path,
        *,
        max_bytes: int,
        total_seconds: float,
        max_redirects: int = 3,
        resumes: int = 0,
        min_bytes_per_second: float = 0,
        window_seconds: float = 10,
        take: Take | None = None,
    ) -> Download:
        """Stream the body of `url` into the new file `to`; on anything but `Downloaded` there is no file.

        `total_seconds` covers redirects and lookups too; a name server that does not answer can hold it up by
        `dns_seconds` more, at most. A connection that breaks off is continued `resumes` times, or begun anew where
        the server cannot continue. A server that sends less than `min_bytes_per_second` over `window_seconds` is
        given up. `take`, or the one of all downloads, is asked for room before bytes are written, and may raise. Raises
        `OSError` when the file cannot be made or written.
        """
        started = asyncio.get_running_loop().time()
        floor = Floor(min_bytes_per_second, window_seconds)
        transfer = Transfer(to, max_bytes=max_bytes, floor=floor, take=take or self._take)
        try:
            with transfer:
                async with asyncio.timeout(total_seconds):
                    outcome = await self._follow(url, transfer, max_redirects, resumes)
        except TimeoutError:
            return TooSlow(total_seconds, f"the server did not finish sending within {total_seconds:g} s")
        if isinstance(outcome, Blocked | Unreachable):
            await self._end_on_a_step(started)
        return outcome

    async def post(
        self, url: str, body: bytes, *, total_seconds: float, headers: Mapping[str, str] | None = None
    ) -> Post:
        """Send JSON. Redirects are not followed, and no more than a little of the answer's body are read."""
        started = asyncio.get_running_loop().time()
        outcome = await self._post(url, body, total_seconds, headers or {})
        if isinstance(outcome, Blocked) or (isinstance(outcome, Unreachable) and outcome.code != "timeout"):
            await self._end_on_a_step(started)
        return outcome

    async def _post(self, url: str, body: bytes, total_seconds: float, headers: Mapping[str, str]) -> Post:
        vetted = vet(url, self._policy)
        if isinstance(vetted, Blocked):
            return vetted
        sent = {**headers, "content-type": "application/json"}
        timeout = httpx.Timeout(total_seconds, connect=CONNECT_SECONDS)
        try:
            async with (
                asyncio.timeout(total_seconds),
                self._client.stream("POST", vetted, content=body, headers=sent, timeout=timeout) as response,
            ):
                await drain(response)
                return Posted(response.status_code, retry_after(response.headers.get("retry-after")))
        except TimeoutError:
            return TooSlow(total_seconds, f"the server did not answer within {total_seconds:g} s")
        except _FAILURES as error:
            return _why(error, vetted.host)

    async def _end_on_a_step(self, started: float) -> None:
        """Failures end on whole steps, so that "refused by us" (at once) and "refused by them" look alike."""
        passed = asyncio.get_running_loop().time() - started
        await asyncio.sleep(self._failure_step_seconds - passed % self._failure_step_seconds)

    async def _follow(self, url: str, transfer: Transfer, max_redirects: int, resumes: int) -> Download:
        vetted = vet(url, self._policy)
        for _ in range(max_redirects + 1):
            if isinstance(vetted, Blocked):
                return vetted
            outcome = await self._get(vetted, transfer)
            while resumes and transfer.started and isinstance(outcome, Unreachable) and outcome.code in _CUT:
                resumes -= 1
                await asyncio.sleep(RESUME_SECONDS)
                outcome = await self._get(vetted, transfer)
            if not isinstance(outcome, str):
                return outcome
            vetted = next_hop(vetted, outcome, self._policy)
        return Blocked("redirects", f"the server redirects more often than {max_redirects} times")

    async def _get(self, url: httpx.URL, transfer: Transfer) -> Download | str:
        try:
            async with self._client.stream("GET", url, headers=transfer.headers()) as response:
                return await save(response, transfer)
        except _FAILURES as error:
            return _why(error, url.host)


_FAILURES = (ssrfguard.SSRFGuardError, httpx.HTTPError, httpx.InvalidURL)
_CUT = frozenset({"connect", "timeout", "broken"})
"""What a new connection may mend, once the body has begun."""


def _why(error: Exception, host: str) -> Blocked | Unreachable:
    """What a failure means. Its text has the URL, query and all."""
    match error:
        case ssrfguard.SSRFGuardError():
            return Blocked("address", UNREACHABLE, host)
        case httpx.ConnectError():
            return Unreachable("connect", UNREACHABLE)
        case httpx.PoolTimeout():
            return Unreachable("busy", "no connection of ours was free")
        case httpx.TimeoutException():
            return Unreachable("timeout", UNREACHABLE)
        case _:
            return Unreachable("broken", UNREACHABLE)


def _client(
    policy: ssrfguard.Policy, lookup: ssrfguard.Resolver, tls: ssl.SSLContext | None, connections: int
) -> AsyncClient:
    for name in ("httpx", "httpcore"):  # below WARNING both log whole URLs and headers
        logging.getLogger(name).setLevel(logging.WARNING)
    return AsyncClient(
        policy=policy,
        resolver=lookup,
        verify=tls or True,
        trust_env=False,
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=0),
        headers={"accept-encoding": "identity", "user-agent": "seedance-api"},
        # One client serves all customers: no server may be told by one what it gave to another.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    )
