"""Flows: generators that decide, and leave every effect to the driver that runs them.

Each operation is written once as a flow. `drive.py` runs it with a blocking or an asyncio HTTP client.
An effect that fails is thrown into the flow where it was asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, TypeVar

import httpx

T = TypeVar("T")


class Body(Protocol):
    """A request body that is produced while it is sent; each call starts it anew."""

    def chunks(self) -> Iterator[bytes]: ...
    def chunks_async(self) -> AsyncIterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP request to be sent. `stream` leaves a successful answer's body to be read piece by piece."""

    method: str
    path: str
    params: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | Body | None = None
    stream: bool = False
    repeatable: bool = True
    follow_redirects: bool = False
    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer. `chunks` is there only when its body is still to be read."""

    status: int
    headers: httpx.Headers
    body: bytes
    response: httpx.Response
    chunks: Iterator[bytes] | AsyncIterator[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Send:
    call: Call


@dataclass(frozen=True, slots=True)
class Read:
    reply: Reply


@dataclass(frozen=True, slots=True)
class Close:
    reply: Reply


@dataclass(frozen=True, slots=True)
class Sleep:
    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """Blocking work with files, for a thread when others share the event loop."""

    job: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Tell:
    """Call back into the user's code, which may be `async` under the asyncio driver."""

    callback: Callable[..., object]
    arguments: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Emit:
    """Hand an item to whoever iterates over the flow."""

    item: object


Effect: TypeAlias = Send | Read | Close | Sleep | Work | Tell | Emit
Flow: TypeAlias = Generator[Effect, Any, T]


def send(call: Call) -> Flow[Reply]:
    reply = yield Send(call)
    assert isinstance(reply, Reply)
    return reply


def read(reply: Reply) -> Flow[bytes]:
    """The next piece of a streamed body; empty at its end."""
    chunk = yield Read(reply)
    assert isinstance(chunk, bytes)
    return chunk


def close(reply: Reply) -> Flow[None]:
    yield Close(reply)


def sleep(seconds: float) -> Flow[None]:
    yield Sleep(seconds)


def work(job: Callable[[], T]) -> Flow[T]:
    return (yield Work(job))


def tell(callback: Callable[..., object] | None, *arguments: object) -> Flow[None]:
    if callback is not None:
        yield Tell(callback, arguments)


def emit(item: object) -> Flow[None]:
    yield Emit(item)
