"""One heap of timers on the event loop, so that ten thousand tasks in flight cost one."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(order=True, slots=True)
class _Timer:
    when: float
    number: int
    call: Callable[[], None] = field(compare=False)


class Timers:
    """Calls functions later. What is not wanted any more, the function itself has to notice."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._heap: list[_Timer] = []
        self._numbers = itertools.count()
        self._next: asyncio.TimerHandle | None = None

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call it so many real seconds from now."""
        timer = _Timer(self._loop.time() + seconds, next(self._numbers), call)
        heapq.heappush(self._heap, timer)
        if self._heap[0] is timer:
            self._arm()

    def clear(self) -> None:
        """Forget all."""
        self._heap.clear()

    def _arm(self) -> None:
        if self._next is not None:
            self._next.cancel()
        self._next = self._loop.call_at(self._heap[0].when, self._ring)

    def _ring(self) -> None:
        self._next = None
        now = self._loop.time()
        while self._heap and self._heap[0].when <= now:
            heapq.heappop(self._heap).call()
        if self._heap:
            self._arm()
