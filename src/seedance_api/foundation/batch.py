"""Batching: what is asked for at the same time is answered by one call."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")
Answer = TypeVar("Answer")
Argument = TypeVar("Argument")
Result = TypeVar("Result")


class Batch(Generic[Item, Answer]):
    """Gathers the items of one loop tick, and of the time a call is under way, into one call of `run`.

    `run` gets at most `max_items` items and returns one answer each, in order; an answer that is an exception is raised
    to its own caller only. When `run` raises, every caller hears of it; or, where `alone` is given, each item is done
    by that in turn, so that one with a fault does not take the others down with it. At most `concurrency` calls are
    under way at once. What waits is bounded by the number of callers, which the web server bounds.
    """

    def __init__(
        self,
        run: Callable[[list[Item]], Awaitable[Sequence[Answer | Exception]]],
        *,
        alone: Callable[[Item], Awaitable[Answer]] | None = None,
        max_items: int = 64,
        concurrency: int = 2,
    ) -> None:
        self._run = run
        self._alone = alone
        self._max_items = max_items
        self._concurrency = concurrency
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._flying: set[asyncio.Task[None]] = set()
        self._called = False

    async def __call__(self, item: Item) -> Answer:
        """Answer one item. Raises what `run` raised, or returned for this item."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((item, answer))
        if not self._called and len(self._flying) < self._concurrency:
            self._called = True
            loop.call_soon(self._depart)
        return await answer

    def _depart(self) -> None:
        self._called = False
        while self._waiting and len(self._flying) < self._concurrency:
            load = [self._waiting.popleft() for _ in range(min(self._max_items, len(self._waiting)))]
            load = [(item, answer) for item, answer in load if not answer.done()]  # its caller went away
            if load:
                flight = asyncio.get_running_loop().create_task(self._fly(load))
                self._flying.add(flight)
                flight.add_done_callback(self._land)

    def _land(self, flight: asyncio.Task[None]) -> None:
        self._flying.discard(flight)
        self._depart()

    async def _fly(self, load: list[tuple[Item, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._answers([item for item, _ in load])
            assert len(answers) == len(load), "one answer for each item, in order"
        except BaseException as error:
            passed = error if isinstance(error, Exception) else ConnectionAbortedError("the process is stopping")
            for _, answer in load:
                if not answer.done():
                    answer.set_exception(passed)
            if not isinstance(error, Exception):
                raise
            return
        for (_, answer), value in zip(load, answers, strict=True):
            if answer.done():
                continue
            if isinstance(value, Exception):
                answer.set_exception(value)
            else:
                answer.set_result(value)

    async def _answers(self, items: list[Item]) -> Sequence[Answer | Exception]:
        try:
            return await self._run(items)
        except Exception:
            if self._alone is None:
                raise
        answers: list[Answer | Exception] = []
        for item in items:
            try:
                answers.append(await self._alone(item))
            except Exception as error:  # noqa: BLE001 its own caller hears of it
                answers.append(error)
        return answers


class Batches(Generic[Key, Item, Answer]):
    """A batch for each key, of one call at a time: what waits for one key delays no other.

    At most `concurrency` calls are under way at once, of all keys. There is a batch only for a key that is waited for.
    """

    def __init__(
        self,
        run: Callable[[list[Item]], Awaitable[Sequence[Answer | Exception]]],
        *,
        key: Callable[[Item], Key],
        alone: Callable[[Item], Awaitable[Answer]] | None = None,
        max_items: int = 64,
        concurrency: int = 4,
    ) -> None:
        self._run = run
        self._alone = alone
        self._key = key
        self._max_items = max_items
        self._room = asyncio.Semaphore(concurrency)
        self._batches: dict[Key, Batch[Item, Answer]] = {}
        self._callers: dict[Key, int] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._batches

    async def __call__(self, item: Item) -> Answer:
        """Answer one item, with others of its key. Raises what `run` raised, or returned for this item."""
        key = self._key(item)
        batch = self._batches.get(key)
        if batch is None:
            batch = self._batches[key] = Batch(
                self._bounded(self._run),
                alone=None if self._alone is None else self._bounded(self._alone),
                max_items=self._max_items,
                concurrency=1,
            )
        self._callers[key] = self._callers.get(key, 0) + 1
        try:
            return await batch(item)
        finally:
            self._callers[key] -= 1
            if not self._callers[key]:
                del self._callers[key], self._batches[key]

    def _bounded(self, call: Callable[[Argument], Awaitable[Result]]) -> Callable[[Argument], Awaitable[Result]]:
        async def bounded(argument: Argument) -> Result:
            async with self._room:
                return await call(argument)

        return bounded
