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
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, assert_never

import httpx
import msgspec
import ssrfguard
from ssrfguard.httpx import AsyncClient

from seedance_api.foundation.address import UNREACHABLE, Blocked, next_hop, policy, vet
from seedance_api.foundation.transfer import Floor, Take, Transfer

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
DNS_SECONDS = 5.0
DNS_SLOTS = 256
ZONE_SLOTS = 8
CONNECTIONS = 100
ANSWER_BYTES = 4096
ANSWER_SECONDS = 1.0
FAILURE_STEP_SECONDS = 0.5
RESUME_SECONDS = 0.5

_Answer = tuple[int, int, int, str, tuple[Any, ...]]  # a row of getaddrinfo


class Downloaded(msgspec.Struct, frozen=True):
    """The body is in the file, whole. `content_type` is lower-case, without parameters."""

    bytes: int
    content_type: str | None
    sha256: str


class Unreachable(msgspec.Struct, frozen=True):
    """Nothing usable came back; `status` is the server's answer where there was one other than 200."""

    code: Literal["connect", "timeout", "broken", "encoding", "status"]
    message: str
    status: int | None = None


class TooLarge(msgspec.Struct, frozen=True):
    """The body is, or says it is, larger than the caller takes."""

    max_bytes: int
    message: str


class TooSlow(msgspec.Struct, frozen=True):
    """The exchange did not end within its time, or for `seconds` less came than the caller puts up with."""

    seconds: float
    message: str


class Posted(msgspec.Struct, frozen=True):
    """The server took the request and answered with this status, whatever it is.

    `retry_after` is the seconds after which it wants to be asked again, where it says so.
    """

    status: int
    retry_after: float | None = None


Post = Posted | Blocked | Unreachable | TooSlow
Download = Downloaded | Blocked | Unreachable | TooLarge | TooSlow


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
        self._client = _client(self._policy, _timed(resolver or socket.getaddrinfo, dns_seconds), tls, connections)

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
        """Send JSON. Redirects are not followed, and no more than `ANSWER_BYTES` of the answer's body are read."""
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
                await _hear_out(response)
                return Posted(response.status_code, _retry_after(response.headers.get("retry-after")))
        except TimeoutError:
            return TooSlow(total_seconds, f"the server did not answer within {total_seconds:g} s")
        except ssrfguard.SSRFGuardError:
            return Blocked("address", UNREACHABLE, vetted.host)
        except httpx.ConnectError:
            return Unreachable("connect", UNREACHABLE)
        except httpx.TimeoutException:
            return Unreachable("timeout", UNREACHABLE)
        except (httpx.HTTPError, httpx.InvalidURL):
            return Unreachable("broken", UNREACHABLE)

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
                return await _read(response, transfer)
        except ssrfguard.SSRFGuardError:  # its text has the URL, query and all
            return Blocked("address", UNREACHABLE, url.host)
        except httpx.ConnectError:
            return Unreachable("connect", UNREACHABLE)
        except httpx.TimeoutException:
            return Unreachable("timeout", UNREACHABLE)
        except (httpx.HTTPError, httpx.InvalidURL):
            return Unreachable("broken", UNREACHABLE)


# What a new connection may mend, once the body has begun.
_CUT = frozenset({"connect", "timeout", "broken"})


def _timed(lookup: ssrfguard.Resolver, seconds: float) -> ssrfguard.Resolver:
    """Give `lookup` the deadline that `getaddrinfo` has not.

    A stalled lookup cannot be stopped, only left behind: each has a daemon thread, `DNS_SLOTS` at most, and those of
    one zone `ZONE_SLOTS`: whose name server does not answer holds up himself.
    """
    slots = _Slots()

    def look_up(host: str, port: int, *rest: int) -> list[_Answer]:
        zone = _zone(host)
        if not slots.take(zone, seconds):
            raise socket.gaierror(socket.EAI_AGAIN, "too many lookups are waiting")
        answer: Future[list[_Answer]] = Future()

        def ask() -> None:
            try:
                answer.set_result(list(lookup(host, port, *rest)))
            except (OSError, ValueError) as error:  # ValueError: a label that IDNA cannot encode
                answer.set_exception(socket.gaierror(socket.EAI_NONAME, type(error).__name__))
            finally:
                slots.give_back(zone)

        threading.Thread(target=ask, name="lookup", daemon=True).start()
        try:
            return answer.result(timeout=seconds)
        except TimeoutError:
            raise socket.gaierror(socket.EAI_AGAIN, "the lookup took too long") from None

    return look_up


class _Slots:
    """Places for lookups: so many in all, and of one zone."""

    def __init__(self) -> None:
        self._zones: Counter[str] = Counter()
        self._changed = threading.Condition()

    def take(self, zone: str, seconds: float) -> bool:
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_free(zone), seconds):
                return False
            self._zones[zone] += 1
            return True

    def give_back(self, zone: str) -> None:
        with self._changed:
            self._zones[zone] -= 1
            self._zones += Counter[str]()  # forgets those of which there is none
            self._changed.notify_all()

    def _is_free(self, zone: str) -> bool:
        return self._zones[zone] < ZONE_SLOTS and self._zones.total() < DNS_SLOTS


def _zone(host: str) -> str:
    """Whose name it is: what somebody registered, below `com` or `co.uk`."""
    name = host.rstrip(".").lower()
    return _suffixes().privatesuffix(name) or name


@cache
def _suffixes() -> "PublicSuffixList":
    """The suffixes under which registries sell names, as they came with the package.

    Who offers names below his own, as `github.io`, has the name servers for all of them.
    """
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 slow to load; the first lookup is in a thread

    return PublicSuffixList(only_icann=True)


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


async def _hear_out(response: httpx.Response) -> None:
    """Let a server say its short answer before the connection is closed on it. What it says is of no interest."""
    heard = 0
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            async for piece in response.aiter_raw(ANSWER_BYTES):
                heard += len(piece)
                if heard >= ANSWER_BYTES:
                    return
    except (TimeoutError, httpx.HTTPError, httpx.StreamError):
        return  # its status is there


def _retry_after(text: str | None) -> float | None:
    """Seconds, or a date (RFC 9110 §10.2.3); None for anything else."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text.strip()[:9])
    try:
        at = parsedate_to_datetime(text)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, (at - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError, TypeError):  # a stranger's date, read by the standard library
        return None


async def _read(response: httpx.Response, transfer: Transfer) -> Download | str:
    """Save the answer, or say why not, or say where to look instead."""
    status = response.status_code
    if response.has_redirect_location:
        return response.headers["location"]
    if status != 200 and not (status == 206 and transfer.headers()):
        return Unreachable("status", f"the server answered with status {status}", status)
    if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        return Unreachable("encoding", "the server sent a compressed answer, though none was asked for")
    progress = await transfer.take(response)
    match progress:
        case "whole":
            done = await transfer.finish()
            return Downloaded(done.bytes, done.content_type, done.sha256)
        case "large":
            return TooLarge(transfer.max_bytes, f"the file is larger than {transfer.max_bytes / 1e6:g} MB")
        case "slow":
            floor = transfer.floor
            return TooSlow(floor.seconds, f"the server sent less than {floor.bytes_a_second:g} bytes a second")
        case "cut" | "other":
            return Unreachable("broken", UNREACHABLE)
        case _:
            assert_never(progress)
