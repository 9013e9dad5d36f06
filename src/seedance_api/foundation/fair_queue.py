"""A fair queue: a few places at something that all share. Owners take turns, however many each of them has waiting."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from seedance_api.foundation.errors import AppError

_RETRY_SECONDS = 5


class FairQueue:
    """`places` at once, of which one owner has `share` at most, so that there is always room for another.

    `max_waiting` wait for one, `max_waiting_of_one` of each owner, and nobody longer than `max_seconds`; without
    these bounds it is the callers who bound what waits. One per event loop.
    """

    def __init__(
        self,
        places: int,
        *,
        share: int | None = None,
        max_waiting: int | None = None,
        max_waiting_of_one: int | None = None,
        max_seconds: float | None = None,
    ) -> None:
        self._free = places
        self._share = places if share is None else max(share, 1)
        self._max_waiting, self._max_waiting_of_one = max_waiting, max_waiting_of_one
        self._max_seconds = max_seconds
        self._held: Counter[str] = Counter()
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        """What waits, by owner; the owner whose turn is next comes first."""
        self.waiting = 0

    @asynccontextmanager
    async def place(self, owner: str) -> AsyncGenerator[None]:
        """Have a place, after a wait for one. Raises AppError 503 where too many wait, or it takes too long."""
        await self._take(owner)
        try:
            yield
        finally:
            self._give_back(owner)

    async def _take(self, owner: str) -> None:
        if self._free and self._held[owner] < self._share:  # then none of those who wait may have it
            self._hold(owner)
            return
        line = self._lines.get(owner, ())
        if _full(self.waiting, self._max_waiting) or _full(len(line), self._max_waiting_of_one):
            raise _busy()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(owner, deque()).append(turn)
        self.waiting += 1
        try:
            async with asyncio.timeout(self._max_seconds):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # it came in this very moment
                self._give_back(owner)
            else:
                self._leave(owner, turn)
            if isinstance(error, TimeoutError):
                raise _busy() from None
            raise

    def _hold(self, owner: str) -> None:
        self._free -= 1
        self._held[owner] += 1

    def _give_back(self, owner: str) -> None:
        self._free += 1
        self._held[owner] -= 1
        if not self._held[owner]:
            del self._held[owner]
        self._pass_on()

    def _pass_on(self) -> None:
        while self._free:
            owner = next((one for one in self._lines if self._held[one] < self._share), None)
            if owner is None:
                return
            turn = self._lines[owner].popleft()
            line = self._lines.pop(owner)
            if line:
                self._lines[owner] = line  # behind the others
            self.waiting -= 1
            if not turn.done():  # one that is has been given up, and is about to be told
                self._hold(owner)
                turn.set_result(None)

    def _leave(self, owner: str, turn: asyncio.Future[None]) -> None:
        line = self._lines.get(owner)
        if line is not None and turn in line:
            line.remove(turn)
            self.waiting -= 1
            if not line:
                del self._lines[owner]


def _full(number: int, most: int | None) -> bool:
    return most is not None and number >= most


def _busy() -> AppError:
    return AppError("too_busy", headers={"Retry-After": str(_RETRY_SECONDS)})
