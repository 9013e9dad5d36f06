"""Rate slots of the whole installation, by the database's clock."""

import asyncio
import itertools

from generations.kit import with_database
from seedance_api.foundation.db import Database
from seedance_api.foundation.rate_slots import RateSlots


def test_turns_are_apart_whoever_takes_them(database_url: str) -> None:
    async def verb(db: Database) -> None:
        slots = [RateSlots(db, "list x", 10) for _ in range(4)]
        other = RateSlots(db, "list y", 10)
        waits = sorted(await asyncio.gather(*(one._reserve() for one in slots * 2)))
        assert waits[0] == 0
        assert all(later - earlier > 10 for earlier, later in itertools.pairwise(waits)), waits
        assert await other._reserve() == 0

    with_database(database_url, verb)


def test_a_clock_that_is_set_back_makes_nobody_wait_for_it(database_url: str) -> None:
    async def verb(db: Database) -> None:
        slots = RateSlots(db, "list x", 0.1)
        assert await slots._reserve() == 0
        await db.execute("UPDATE turn SET next_at = now() + interval '1 hour'")
        waits = [await slots._reserve() for _ in range(3)]
        assert max(waits) <= 0.105 * 101

    with_database(database_url, verb)
