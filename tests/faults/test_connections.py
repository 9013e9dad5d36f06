"""F26: connections that are cut in the middle of a transaction, its outcome unknown: re-read, and never made twice."""

import asyncio
import random
from collections.abc import Callable

from generations.kit import with_database
from money.bank import Bank
from seedance_api.foundation.db import UNREACHABLE, Database
from seedance_api.foundation.errors import AppError
from seedance_api.generations.write import Writer

_CLIENTS = 24
_EACH = 12
_CUTS = 150
"""At most: a slow machine is cut again before it has written anything, and would never end."""


def test_creates_over_connections_that_are_cut_again_and_again(
    database_url: str, schedules: Callable[[int], None]
) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 1_000_000)
        pool = await Database.connect(database_url, max_connections=4)
        writer, chance, over = Writer(pool), random.Random(2), asyncio.Event()
        cuts = 0

        async def cut() -> None:
            nonlocal cuts
            while not over.is_set() and cuts < _CUTS:
                cuts += await db.fetchval(
                    """
                    SELECT count(pg_terminate_backend(pid)) FROM (
                        SELECT pid FROM pg_stat_activity
                        WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
                          AND query ~ 'INSERT|UPDATE|COMMIT|SELECT t.today' ORDER BY random() LIMIT 1
                    ) one
                    """
                )
                await asyncio.sleep(0.002 + 0.01 * chance.random())

        async def client(number: int) -> list[str]:
            made: list[str] = []
            for at in range(_EACH):
                key = f"{number} {at}"
                while True:
                    try:
                        created = await writer(await bank.compose(quoted=100, most=100, key=key))
                    except (*UNREACHABLE, AppError):
                        continue
                    made.append(created.generation_id)
                    break
            return made

        cutting = asyncio.create_task(cut())
        found = await asyncio.wait_for(asyncio.gather(*(client(number) for number in range(_CLIENTS))), 90)
        over.set()
        await cutting
        await pool.close()
        ids = [one for made in found for one in made]
        assert len(set(ids)) == len(ids) == _CLIENTS * _EACH
        assert await db.fetchval("SELECT count(*) FROM generation WHERE id = ANY ($1)", ids) == len(ids)
        assert await db.fetchval("SELECT count(*) FROM generation") == len(ids)
        wallet = await bank.wallet()
        assert wallet.held == 100 * len(ids)
        await bank.is_sound()
        assert cuts >= 10
        schedules(cuts)

    with_database(database_url, verb)
