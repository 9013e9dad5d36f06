"""One call, asked once: what is certain about it afterwards, whatever the other side does."""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from foundation.wire import contexts
from seedance_api.foundation import call as calling
from seedance_api.foundation.call import Answer, Caller, NoAnswer, NotSent, Outcome
from seedance_api.traffic.metrics import LABELS

Handler = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
CANARY = "sk-canary-secret"


class Wire:
    """Where the server is, and what came to it."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[bytes] = []
        self.connections = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v3"


@asynccontextmanager
async def server(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    wire = Wire()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                wire.requests.append(head)
                await handler(head, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as listening:
        wire.port = listening.sockets[0].getsockname()[1]
        yield wire


def answer(data: bytes, *, close: bool = False) -> Handler:
    async def handler(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if close:
            raise ConnectionError

    return handler


async def silence(_: bytes, __: asyncio.StreamReader, ___: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def reset(_: bytes, __: asyncio.StreamReader, ___: asyncio.StreamWriter) -> None:
    raise ConnectionError


def json_answer(body: bytes = b"{}", status: bytes = b"200 OK", extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(body), extra, body)


def try_one(handler: Handler, **options) -> tuple[Outcome, Wire]:
    async def run() -> tuple[Outcome, Wire]:
        async with server(handler) as wire:
            caller = Caller(base_url=wire.base_url, bearer=CANARY)
            try:
                given = {"method": "POST", "path": "/tasks", "body": b"{}", "total_seconds": 5.0, "fresh": True}
                return await caller.call(**(given | options)), wire
            finally:
                await caller.aclose()

    return asyncio.run(run())


def test_an_answer_is_whole_with_its_status_and_headers():
    outcome, wire = try_one(answer(json_answer(b'{"id":"x"}', b"418 No", b"X-Request-Id: r1\r\n")))
    assert isinstance(outcome, Answer)
    assert (outcome.status, outcome.body, outcome.headers["x-request-id"]) == (418, b'{"id":"x"}', "r1")
    (head,) = wire.requests
    assert head.startswith(b"POST /api/v3/tasks HTTP/1.1\r\n")
    for line in (b"authorization: bearer " + CANARY.encode(), b"content-type: application/json"):
        assert line in head.lower()


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (answer(json_answer()), "2xx"),
        (answer(json_answer(status=b"404 No")), "4xx"),
        (answer(json_answer(status=b"429 Many")), "429"),
        (answer(json_answer(status=b"503 No")), "5xx"),
        (reset, "no_answer"),
        (None, "not_sent"),
    ],
)
def test_what_came_of_a_call_is_told_in_a_word(handler: Handler | None, kind: str):
    told: list[tuple[str, float]] = []

    async def run() -> None:
        async with server(handler or reset) as wire:
            base_url = wire.base_url if handler else "http://nobody.invalid"
            caller = Caller(base_url=base_url, bearer=CANARY, ended=lambda *one: told.append(one))
            await caller.call("GET", "/tasks", total_seconds=5.0)
            await caller.aclose()

    asyncio.run(run())
    ((word, seconds),) = told
    assert word == kind
    assert 0 < seconds < 10
    allowed = LABELS["outcome"]
    assert allowed is not None
    assert word in allowed


@pytest.mark.parametrize(
    ("handler", "what"),
    [
        (reset, "reset"),
        (silence, "silence"),
        (answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", close=True), "short"),
        (answer(b"HTTP/1.1 200 OK\r\nContent-Le", close=True), "cut head"),
        (answer(b"\x00\xff\x00garbage\r\n\r\n", close=True), "garbage"),
        (answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", close=True), "bad chunk"),
        (answer(json_answer(b"x", extra=b"Content-Encoding: gzip\r\n")), "compressed"),
        (answer(json_answer(bytes(calling.MAX_BYTES + 1))), "large"),
        (answer(json_answer(extra=b"A: " + b"b" * 200_000 + b"\r\n")), "large head"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_after_the_first_byte_nothing_is_certain_and_nothing_is_repeated(handler, what):
    outcome, wire = try_one(handler, total_seconds=1.0)
    assert isinstance(outcome, NoAnswer), what
    assert len(wire.requests) == 1
    assert wire.connections == 1


def test_a_refused_connection_was_not_sent():
    async def run() -> Outcome:
        spare = socket.create_server(("127.0.0.1", 0))
        port = spare.getsockname()[1]
        spare.close()
        caller = Caller(base_url=f"http://127.0.0.1:{port}", bearer=CANARY)
        outcome = await caller.call("POST", "/tasks", body=b"{}", total_seconds=5, fresh=True)
        await caller.aclose()
        return outcome

    assert asyncio.run(run()) == NotSent("no connection")


def test_a_name_nobody_knows_was_not_sent():
    async def run() -> Outcome:
        caller = Caller(base_url="http://nobody.invalid", bearer=CANARY)
        outcome = await caller.call("POST", "/tasks", body=b"{}", total_seconds=20, fresh=True)
        await caller.aclose()
        return outcome

    assert isinstance(asyncio.run(run()), NotSent)


@pytest.mark.parametrize("total_seconds", [0.3, 10.0])
def test_a_connection_that_nobody_accepts_was_not_sent(total_seconds, monkeypatch):
    monkeypatch.setattr(calling, "CONNECT_SECONDS", 0.5)

    async def run() -> Outcome:
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen(0)
            fill = [socket.socket() for _ in range(4)]
            for one in fill:  # a full backlog answers no further SYN
                one.setblocking(False)
                one.connect_ex(deaf.getsockname())
            caller = Caller(base_url=f"http://127.0.0.1:{deaf.getsockname()[1]}", bearer=CANARY)
            outcome = await caller.call("POST", "/tasks", body=b"{}", total_seconds=total_seconds, fresh=True)
            await caller.aclose()
            for one in fill:
                one.close()
            return outcome

    assert isinstance(asyncio.run(run()), NotSent)


def test_tls_that_fails_was_not_sent(tmp_path: Path):
    tls, _ = contexts(tmp_path)

    async def run() -> tuple[Outcome, Wire]:
        async with server(answer(json_answer()), tls) as wire:
            caller = Caller(base_url=wire.base_url.replace("http:", "https:"), bearer=CANARY)
            outcome = await caller.call("POST", "/tasks", body=b"{}", total_seconds=5, fresh=True)
            await caller.aclose()
            return outcome, wire

    outcome, wire = asyncio.run(run())
    assert isinstance(outcome, NotSent)
    assert wire.requests == []


def test_no_free_connection_was_not_sent(monkeypatch):
    monkeypatch.setattr(calling, "CONNECTIONS", 1)
    monkeypatch.setattr(calling, "POOL_SECONDS", 0.2)

    async def run() -> list[Outcome]:
        async with server(silence) as wire:
            caller = Caller(base_url=wire.base_url, bearer=CANARY)

            async def one(seconds: float, *, fresh: bool) -> Outcome:
                return await caller.call("POST", "/tasks", body=b"{}", total_seconds=seconds, fresh=fresh)

            first = asyncio.create_task(one(2, fresh=False))
            while not wire.requests:
                await asyncio.sleep(0.01)
            second, *creates = await asyncio.gather(one(2, fresh=False), one(1, fresh=True), one(1, fresh=True))
            outcomes = [await first, second, *creates]
            await caller.aclose()
            return outcomes

    first, second, *creates = asyncio.run(run())
    assert isinstance(first, NoAnswer)
    assert second == NotSent("no connection was free in time")
    assert all(isinstance(one, NoAnswer) for one in creates), "a create waits for no other"


def test_a_redirect_is_an_answer():
    outcome, wire = try_one(answer(json_answer(status=b"307 Moved", extra=b"Location: /elsewhere\r\n")))
    assert isinstance(outcome, Answer)
    assert outcome.status == 307
    assert len(wire.requests) == 1


def test_an_early_answer_to_a_large_body_is_heard():
    async def early(_: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(json_answer(status=b"413 Large", extra=b"Connection: close\r\n"))
        await writer.drain()
        left = 40_000_000
        while left:
            left -= len(await reader.read(1 << 20))

    outcome, _ = try_one(early, body=bytes(40_000_000))
    assert isinstance(outcome, Answer)
    assert outcome.status == 413


def test_a_dripping_answer_meets_the_deadline():
    async def drip(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    started = time.monotonic()
    outcome, _ = try_one(drip, total_seconds=0.3)
    assert outcome == NoAnswer("no answer within 0.3 s")
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(("fresh", "connections"), [(True, 3), (False, 1)])
def test_a_fresh_call_has_a_connection_of_its_own(fresh, connections):
    async def run() -> Wire:
        async with server(answer(json_answer())) as wire:
            caller = Caller(base_url=wire.base_url, bearer=CANARY)
            for _ in range(3):
                assert isinstance(await caller.call("GET", "/tasks", total_seconds=5, fresh=fresh), Answer)
            await caller.aclose()
            return wire

    assert asyncio.run(run()).connections == connections


def test_the_query_is_repeated_and_quoted():
    _, wire = try_one(
        answer(json_answer()),
        method="GET",
        body=None,
        query=[("filter.task_ids", "a"), ("filter.task_ids", "b&c"), ("page_num", "1")],
    )
    assert wire.requests[0].split()[1] == b"/api/v3/tasks?filter.task_ids=a&filter.task_ids=b%26c&page_num=1"
    assert b"content-type" not in wire.requests[0].lower()


def test_no_secret_in_a_log_or_a_reason(caplog):
    caplog.set_level(logging.DEBUG)
    for handler in (reset, answer(b"\x00" + CANARY.encode() + b"\r\n\r\n", close=True), answer(json_answer())):
        outcome, _ = try_one(handler, path="/tasks", body=b'{"prompt": "canary"}', query=[("q", "canary")])
        assert "canary" not in getattr(outcome, "reason", "")
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    "url", ["", "ftp://a", "https://", "https://u:p@host/", "https://host/?q=1", "https://host/#a", "host/path"]
)
def test_a_base_url_is_a_host_and_a_path(url):
    with pytest.raises(ValueError):
        Caller(base_url=url, bearer="x")


def test_no_proxy_from_the_environment(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    outcome, _ = try_one(answer(json_answer()))
    assert isinstance(outcome, Answer)
