"""The database's clock, as a process knows it."""

import asyncio
import time

import pytest

from seedance_api.foundation.clock import Clock
from seedance_api.foundation.db import Database


def test_it_goes_on_from_what_the_database_said() -> None:
    clock = Clock()
    assert abs(clock() - time.time()) < 1
    moment = time.monotonic()
    clock.note(1000.0, moment - 2, moment)
    assert 1001 <= clock() < 1003


def test_it_is_read_with_each_connection_and_each_sign_of_life(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = time.time()
    monkeypatch.setattr(time, "time", lambda: moment - 600)  # this machine is ten minutes late

    async def main() -> None:
        db = await Database.connect(database_url, max_connections=2)
        assert abs(db.clock() - moment) < 30
        db.clock.note(0, time.monotonic(), time.monotonic())  # another server has taken over meanwhile
        assert await db.answers(10)
        assert abs(db.clock() - moment) < 30
        await db.close()

    asyncio.run(main())
