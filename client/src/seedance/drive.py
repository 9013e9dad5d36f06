"""The two drivers of flows: blocking and asyncio."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import Any, TypeVar

import httpx

from seedance.auth import BearerAuth
from seedance.flow import Call, Close, Effect, Emit, Flow, Read, Reply, Send, Sleep, Tell, Work

T = TypeVar("T")


class Driver:
    """Runs flows with a blocking HTTP client."""

    def __init__(self, http: httpx.Client, *, base_url: str, auth: BearerAuth, timeout_seconds: float) -> None:
        self.http = http
        self._base_url = base_url
        self._auth = auth
        self._timeout_seconds = timeout_seconds

    def run(self, flow: Flow[T]) -> T:
        steps = self._steps(flow)
        try:
            while True:
                next(steps)
        except StopIteration as stop:
            return stop.value

    def iterate(self, flow: Flow[Any]) -> Iterator[Any]:
        yield from self._steps(flow)

    def _steps(self, flow: Flow[T]) -> Generator[object, None, T]:
        resume: Callable[[], Effect] = lambda: next(flow)  # noqa: E731 – rebound after each effect
        while True:
            try:
                effect = resume()
            except StopIteration as stop:
                return stop.value
            # BaseException: a flow must get to close its stream on Ctrl-C and on an abandoned iteration too.
            try:
                if isinstance(effect, Emit):
                    outcome = yield effect.item
                else:
                    outcome = self._perform(effect)
            except BaseException as error:  # noqa: BLE001
                resume = throwing(flow, error)
            else:
                resume = sending(flow, outcome)

    def _perform(self, effect: Send | Read | Close | Sleep | Work | Tell) -> object:
        match effect:
            case Send(call):
                return self._send(call)
            case Read(reply):
                assert isinstance(reply.chunks, Iterator)
                return next(reply.chunks, b"")
            case Close(reply):
                return reply.response.close()
            case Sleep(seconds):
                return time.sleep(seconds)
            case Work(job):
                return job()
            case Tell(callback, arguments):
                return callback(*arguments)

    def _send(self, call: Call) -> Reply:
        body = call.body if call.body is None or isinstance(call.body, bytes) else call.body.chunks()
        request = build_request(self.http, call, body, self._base_url, self._timeout_seconds)
        response = self.http.send(request, stream=True, auth=self._auth, follow_redirects=call.follow_redirects)
        if call.stream and response.is_success:
            return Reply(response.status_code, response.headers, b"", response, response.iter_bytes())
        try:
            content = self._auth.scrub(response.read())
        finally:
            response.close()
        return Reply(response.status_code, response.headers, content, response)


class AsyncDriver:
    """Runs flows with an asyncio HTTP client."""

    def __init__(self, http: httpx.AsyncClient, *, base_url: str, auth: BearerAuth, timeout_seconds: float) -> None:
        self.http = http
        self._base_url = base_url
        self._auth = auth
        self._timeout_seconds = timeout_seconds

    async def run(self, flow: Flow[T]) -> T:
        resume: Callable[[], Effect] = lambda: next(flow)  # noqa: E731 – rebound after each effect
        while True:
            try:
                effect = resume()
            except StopIteration as stop:
                return stop.value
            resume = await self._answer(flow, effect)

    async def iterate(self, flow: Flow[Any]) -> AsyncGenerator[Any, None]:
        resume: Callable[[], Effect] = lambda: next(flow)  # noqa: E731 – rebound after each effect
        while True:
            try:
                effect = resume()
            except StopIteration:
                return
            if not isinstance(effect, Emit):
                resume = await self._answer(flow, effect)
                continue
            try:
                yield effect.item
            except BaseException as error:  # noqa: BLE001 – see Driver
                resume = throwing(flow, error)
            else:
                resume = sending(flow, None)

    async def _answer(self, flow: Flow[Any], effect: Effect) -> Callable[[], Effect]:
        try:
            outcome = await self._perform(effect)
        except BaseException as error:  # noqa: BLE001 – see Driver
            return throwing(flow, error)
        return sending(flow, outcome)

    async def _perform(self, effect: Effect) -> object:
        match effect:
            case Send(call):
                return await self._send(call)
            case Read(reply):
                assert isinstance(reply.chunks, AsyncIterator)
                return await anext(reply.chunks, b"")
            case Close(reply):
                return await close(reply)
            case Sleep(seconds):
                return await asyncio.sleep(seconds)
            case Work(job):
                return await asyncio.to_thread(job)
            case Tell(callback, arguments):
                outcome = callback(*arguments)
                return await outcome if inspect.isawaitable(outcome) else outcome
            case Emit():
                raise AssertionError("a flow that emits is iterated over, not run")

    async def _send(self, call: Call) -> Reply:
        body = call.body if call.body is None or isinstance(call.body, bytes) else call.body.chunks_async()
        request = build_request(self.http, call, body, self._base_url, self._timeout_seconds)
        response = await self.http.send(request, stream=True, auth=self._auth, follow_redirects=call.follow_redirects)
        if call.stream and response.is_success:
            return Reply(response.status_code, response.headers, b"", response, response.aiter_bytes())
        try:
            content = self._auth.scrub(await response.aread())
        finally:
            await response.aclose()
        return Reply(response.status_code, response.headers, content, response)


def build_request(
    http: httpx.Client | httpx.AsyncClient,
    call: Call,
    body: bytes | Iterator[bytes] | AsyncIterator[bytes] | None,
    base_url: str,
    timeout_seconds: float,
) -> httpx.Request:
    seconds = call.timeout_seconds if call.timeout_seconds is not None else timeout_seconds
    return http.build_request(
        call.method,
        base_url + call.path,
        params=dict(call.params) or None,
        headers=dict(call.headers),
        content=body,
        timeout=httpx.Timeout(seconds, connect=min(seconds, 10)),
    )


def sending(flow: Flow[Any], outcome: object) -> Callable[[], Effect]:
    return lambda: flow.send(outcome)


def throwing(flow: Flow[Any], error: BaseException) -> Callable[[], Effect]:
    return lambda: flow.throw(error)


async def close(reply: Reply) -> None:
    # An unfinished iterator is closed here, in its own task, not by the garbage collector in another.
    aclose = getattr(reply.chunks, "aclose", None)
    if aclose is not None:
        await aclose()
    await reply.response.aclose()
