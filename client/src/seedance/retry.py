"""Sends a request, again where that is safe and promises something."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeAlias

import httpx
import msgspec

from seedance.answer import T, from_dict
from seedance.errors import SeedanceError, UnexpectedAnswer, api_error
from seedance.flow import Call, Flow, Reply, send, sleep, tell
from seedance.unreached import connection_failed, is_outage

# Who asks for more patience than this is not waited for: the caller learns `retry_after` and decides.
LONGEST_RETRY_AFTER_SECONDS = 60


# What a proxy answers while the service behind it is down, and what a service that starts or is full says itself.
OUTAGES = {429, 502, 503, 504}
OnOutage: TypeAlias = Callable[[SeedanceError], object]


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how soon.

    An outage, where nobody answers or a proxy says so, is waited for `outage_seconds`, however many tries that takes;
    `on_outage` is told before each wait why.
    """

    max_retries: int = 3
    first_delay_seconds: float = 0.5
    longest_delay_seconds: float = 8
    outage_seconds: float = 0
    on_outage: OnOutage | None = None

    def delay(self, attempt: int) -> float:
        """Exponential back-off with jitter; `attempt` counts from 0."""
        full = min(self.longest_delay_seconds, self.first_delay_seconds * 2 ** min(attempt, 30))
        return full * random.uniform(0.5, 1)  # noqa: S311 – spreads load, guards nothing


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment by which to be done, or none."""

    at: float | None = None

    @classmethod
    def after(cls, seconds: float | None) -> Deadline:
        return cls(None if seconds is None else time.monotonic() + seconds)

    @property
    def passed(self) -> bool:
        return self.at is not None and time.monotonic() >= self.at

    def within(self, seconds: float) -> float:
        """As many seconds, or as many as are left."""
        return seconds if self.at is None else max(0.0, min(seconds, self.at - time.monotonic()))


NO_DEADLINE = Deadline()


def request(call: Call, retries: Retries, deadline: Deadline = NO_DEADLINE) -> Flow[Reply]:
    """Send until there is an answer worth having; raise what stood in the way otherwise."""
    attempt, since = 0, None
    while True:
        failure, delay, out = None, None, False
        try:
            reply = yield from send(limit(call, deadline))
        except httpx.RequestError as error:
            failure = connection_failed(call, error)
            delay = retries.delay(attempt) if is_worth_repeating(error) else None
            out = is_outage(error)
        else:
            if reply.status < 300:
                return reply
            if reply.status < 400:
                raise redirected(reply)
            failure = api_error(
                reply.status,
                reply.body,
                url=str(reply.response.url.copy_with(query=None)),
                request_id=reply.headers.get("x-request-id"),
                retry_after=retry_after(reply.headers),
            )
            delay = delay_after(reply.status, reply.headers, retries.delay(attempt))
            out = reply.status in OUTAGES
        since = time.monotonic() if since is None else since
        waits = out and delay is not None and time.monotonic() + delay - since <= retries.outage_seconds
        tired = attempt >= retries.max_retries and not waits
        if delay is None or tired or not call.repeatable or deadline.within(delay) < delay:
            # Not chained: the frames of the HTTP library hold the Authorization header.
            raise failure from None
        if waits:
            yield from tell(retries.on_outage, failure)
        yield from sleep(delay)
        attempt += 1


def limit(call: Call, deadline: Deadline) -> Call:
    if deadline.at is None:
        return call
    # An expired deadline still allows one quick question.
    return replace(call, timeout_seconds=max(0.5, deadline.within(call.timeout_seconds or 60)))


def is_worth_repeating(error: httpx.RequestError) -> bool:
    return isinstance(error, httpx.TransportError) and not isinstance(
        error, httpx.UnsupportedProtocol | httpx.LocalProtocolError
    )


def delay_after(status: int, headers: httpx.Headers, backoff: float) -> float | None:
    """When to ask again after an error answer, or None for never. The server's own word comes first."""
    asked = retry_after(headers)
    verdict = headers.get("x-should-retry", "").strip().lower()
    retryable = status in {408, 429} or status >= 500 or (status == 409 and asked is not None)
    if verdict == "false" or (not retryable and verdict != "true"):
        return None
    if asked is None:
        return backoff
    return max(asked, backoff) if asked <= LONGEST_RETRY_AFTER_SECONDS else None


def retry_after(headers: httpx.Headers) -> float | None:
    """Seconds to wait, from either form of Retry-After."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.replace(".", "", 1).isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def redirected(reply: Reply) -> UnexpectedAnswer:
    """A redirect is followed for downloads alone: what is sent elsewhere takes the key along."""
    url, there = reply.response.url.copy_with(query=None), reply.headers.get("location", "")
    return UnexpectedAnswer(f"{url} redirects to {there or 'nowhere'}: check the base URL")


def decode(reply: Reply, kind: type[T]) -> T:
    data = decode_json(reply)
    try:
        return from_dict(data, kind)
    except msgspec.ValidationError as error:
        raise UnexpectedAnswer(f"the answer is not a {kind.__name__}: {error}{request_note(reply)}") from None


def decode_json(reply: Reply) -> dict[str, object]:
    try:
        return msgspec.json.decode(reply.body, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        url = reply.response.url.copy_with(query=None)
        raise UnexpectedAnswer(
            f"{url} answered, but not with a JSON object: check the base URL{request_note(reply)}"
        ) from None


def request_note(reply: Reply) -> str:
    request_id = reply.headers.get("x-request-id")
    return f" (request {request_id})" if request_id else ""
