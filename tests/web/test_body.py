"""A body that comes too slowly is broken off. The clock of the loop runs twenty times as fast here."""

import asyncio
import selectors
from collections.abc import Iterator
from itertools import repeat
from typing import Any

from seedance_api.foundation.errors import AppError
from seedance_api.web.body import MAX_JSON_BYTES, read_json
from seedance_api.web.budget import Budget
from seedance_api.web.receive import MIN_BYTES_PER_SECOND, chunks

_FAST = 20
MIB = 1 << 20


class FastSelector(selectors.DefaultSelector):
    """Waits a part of the time."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for a file, or so long."""
        return super().select(timeout / _FAST if timeout else timeout)


class FastLoop(asyncio.SelectorEventLoop):
    """Every wait is a part as long."""

    def time(self) -> float:
        """Many seconds in one."""
        return super().time() * _FAST


class Trickling:
    """A request whose body comes by so many bytes in each second, and then says no more."""

    headers: dict[str, str] = {"content-type": "application/json"}  # noqa: RUF012 as the framework has it

    def __init__(self, seconds: Iterator[int], *, ends: bool = True) -> None:
        self._seconds = list(seconds)
        self._ends = ends

    async def receive(self) -> dict[str, Any]:
        """The next second's bytes."""
        await asyncio.sleep(1 if self._seconds else 1000)
        size = self._seconds.pop(0)
        return {"type": "http.request", "body": b" " * size, "more_body": bool(self._seconds) or not self._ends}


def in_fast_time(request: Trickling, *, held: bool = False) -> tuple[AppError | None, float]:
    """Read such a body, small or with room of a budget: what is said of it, and after how many seconds."""

    async def whole() -> None:
        if not held:
            await read_json(request)  # pyright: ignore[reportArgumentType] what it uses of one
            return
        async with Budget().lease("acc_1") as lease:
            size = 0
            async for chunk in chunks(request.receive, MAX_JSON_BYTES, lease):  # pyright: ignore[reportArgumentType]
                size += len(chunk)
                await lease.cover(size)

    async def run() -> tuple[AppError | None, float]:
        loop = asyncio.get_running_loop()
        since = loop.time()
        try:
            await whole()
        except AppError as error:
            return error, loop.time() - since
        return None, loop.time() - since

    with asyncio.Runner(loop_factory=lambda: FastLoop(FastSelector())) as runner:
        return runner.run(run())


def test_a_body_that_trickles_is_broken_off_long_before_it_is_whole() -> None:
    refused, after = in_fast_time(Trickling(repeat(100, 250)))
    assert refused is not None
    assert (refused.status, refused.code) == (408, "request_timeout")
    assert f"{MIN_BYTES_PER_SECOND} bytes" in refused.message
    assert refused.headers["Connection"] == "close"
    assert 20 <= after < 100


def test_a_body_that_stops_is_broken_off() -> None:
    refused, after = in_fast_time(Trickling(repeat(100, 3), ends=False))
    assert refused is not None
    assert (refused.code, refused.headers["Connection"]) == ("request_timeout", "close")
    assert "20 seconds" in refused.message
    assert 20 <= after < 60


def test_a_slow_body_of_an_ordinary_size_is_taken() -> None:
    refused, _ = in_fast_time(Trickling(repeat(100, 15)))
    assert refused is not None
    assert refused.code == "invalid_json", "which it is: it came whole"


def test_who_fills_the_room_and_then_trickles_is_broken_off_soon() -> None:
    """Faster than the least of any body, and yet it would hold 60 MiB for the rest of the 300 seconds."""
    burst = [20 * MIB] * 3
    refused, after = in_fast_time(Trickling(iter([*burst, *repeat(2 * MIN_BYTES_PER_SECOND, 250)])), held=True)
    assert refused is not None
    assert refused.code == "request_timeout"
    assert after < 60


def test_a_large_body_that_comes_evenly_is_taken_however_long_it_takes() -> None:
    refused, after = in_fast_time(Trickling(repeat(256 << 10, 200)), held=True)
    assert refused is None
    assert after > 150
