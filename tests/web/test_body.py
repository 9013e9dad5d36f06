"""A body that comes too slowly is broken off. The clock of the loop runs twenty times as fast here."""

import asyncio
import selectors
from typing import Any

import pytest

from seedance_api.foundation.errors import AppError
from seedance_api.web.body import read_json
from seedance_api.web.receive import MIN_BYTES_PER_SECOND

_FAST = 20


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
    """A request whose body comes by so many bytes a second."""

    headers: dict[str, str] = {"content-type": "application/json"}  # noqa: RUF012 as the framework has it

    def __init__(self, bytes_a_second: int, seconds: int) -> None:
        self._size = bytes_a_second
        self._left = seconds
        self.began: float | None = None

    async def receive(self) -> dict[str, Any]:
        """The next second's bytes."""
        await asyncio.sleep(1)
        self._left -= 1
        return {"type": "http.request", "body": b" " * self._size, "more_body": self._left > 0}


def read(bytes_a_second: int, seconds: int) -> tuple[AppError, float]:
    """Read such a body, which is no JSON even when it is whole: what is said of it, and after how many seconds."""

    async def run() -> tuple[AppError, float]:
        loop = asyncio.get_running_loop()
        since = loop.time()
        with pytest.raises(AppError) as refused:
            await read_json(Trickling(bytes_a_second, seconds))  # pyright: ignore[reportArgumentType] what it uses of one
        return refused.value, loop.time() - since

    with asyncio.Runner(loop_factory=lambda: FastLoop(FastSelector())) as runner:
        return runner.run(run())


def test_a_body_that_trickles_is_broken_off_long_before_it_is_whole() -> None:
    refused, after = read(100, 250)
    assert refused.code == "body_incomplete"
    assert f"{MIN_BYTES_PER_SECOND} bytes" in refused.message
    assert refused.headers["Connection"] == "close"
    assert 20 <= after < 100


def test_a_slow_body_of_an_ordinary_size_is_taken() -> None:
    refused, _ = read(100, 15)
    assert refused.code == "invalid_json"
