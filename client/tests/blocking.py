"""Lets one suite drive the async client as if it were the blocking one."""

from __future__ import annotations

import asyncio
import inspect


class Blocking:
    def __init__(self, client) -> None:
        self._client = client
        self._runner = asyncio.Runner()

    def __getattr__(self, name):
        if inspect.iscoroutinefunction(getattr(self._client, name)):
            return getattr(Namespace(self._client, self._runner), name)
        return Namespace(getattr(self._client, name), self._runner)

    def __repr__(self) -> str:
        return repr(self._client)

    def close(self) -> None:
        self._runner.run(self._client.close())
        self._runner.close()


class Namespace:
    def __init__(self, target, runner) -> None:
        self._target = target
        self._runner = runner

    def __getattr__(self, name):
        value = getattr(self._target, name)
        if not callable(value):
            return value
        return lambda *args, **kwargs: self._unfold(value(*args, **kwargs))

    def __iter__(self):
        iterator = aiter(self._target)
        try:
            while True:
                try:
                    yield self._runner.run(step(iterator))
                except StopAsyncIteration:
                    return
        finally:
            self._runner.run(iterator.aclose())

    def _unfold(self, value):
        if inspect.isawaitable(value):
            value = self._runner.run(waited(value))
        return Namespace(value, self._runner) if hasattr(value, "__aiter__") else value


async def waited(value):
    return await value


async def step(iterator):
    return await anext(iterator)
