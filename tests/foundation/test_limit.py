"""Limits: exact for each name, and by the address of whoever calls."""

import asyncio
from typing import Any

import pytest

from seedance_api.foundation.limit import Limiter, neighbourhood


def test_so_many_and_no_more_for_each_name() -> None:
    async def run() -> None:
        limiter = Limiter(per_minute=5)
        asked = await asyncio.gather(*(limiter.take("a") for _ in range(50)))
        assert [one == 0 for one in asked].count(True) == 5
        assert all(11 < one <= 12 for one in asked if one)
        assert await limiter.take("b") == 0

    asyncio.run(run())


def test_names_are_forgotten_before_they_fill_the_memory() -> None:
    async def run() -> None:
        limiter = Limiter(per_minute=1)
        for number in range(20_050):
            await limiter.take(str(number))
        store: Any = limiter._throttled._store
        assert len(store._backend.get_client()) <= 20_000

    asyncio.run(run())


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"), ("fe80::1%eth0", "fe80::/64"), (None, "unknown"), ("x", "unknown"),
    ],
)  # fmt: skip
def test_who_calls_is_known_by_his_network(address: str | None, name: str) -> None:
    assert neighbourhood(address) == name
