"""Settle, release, cancel and expire on one hold: whoever comes first, once, and the sums agree."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

from generations.kit import with_database
from money.bank import Bank
from seedance_api.billing.books import Books
from seedance_api.billing.limits import set_limits
from seedance_api.billing.rows import HoldState, Period, Sale
from seedance_api.billing.settle import ResolvedError, release, settle
from seedance_api.catalog.order import Order
from seedance_api.foundation.db import Connection, Database
from seedance_api.foundation.errors import AppError
from seedance_api.generations import steps
from seedance_api.generations.cancel import cancel
from seedance_api.generations.record import record
from seedance_api.generations.states import FAILURES

_ROUNDS = 60


def test_settle_and_release_race_for_one_hold(database_url: str, schedules: Callable[[int], None]) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 1000)
        books = Books(db)
        await set_limits(db, bank.me.account_id, None, {Period.DAY: 10**9})
        chance = random.Random(3)
        for _ in range(_ROUNDS):
            new = await bank.create(quoted=700, most=1000)
            sale = bank.sale(new, tokens=chance.choice([None, 500, 700, 2000]))
            rivals = [_settling(db, sale, new.order, books)] * 4 + [_releasing(db, new.id)] * 4
            chance.shuffle(rivals)
            won = await asyncio.gather(*(rival() for rival in rivals), return_exceptions=True)
            assert sorted(map(str, won)) == ["False"] * (len(rivals) - 1) + ["True"]
            state, charged = await bank.hold(new.id)
            assert state in (HoldState.SETTLED, HoldState.RELEASED)
            wallet = await bank.wallet()
            assert wallet.held == 0
            assert wallet.available == 1000 - charged
            kinds = await bank.transfers(new.id)
            assert kinds.count("charge") + kinds.count("release") in (1, 2)
            assert ("charge" in kinds) == bool(charged)
            await bank.end(new.id, "completed" if state is HoldState.SETTLED else "failed")
            await bank.top_up()
        await bank.is_sound()

    with_database(database_url, verb)
    schedules(_ROUNDS)


def test_completion_failure_cancel_and_expiry_race_for_one_generation(
    database_url: str, schedules: Callable[[int], None]
) -> None:
    """The same through the verbs that end a generation: the guarded move of its state decides."""

    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 1000)
        books = Books(db)
        fail = steps.Fail("deadline_exceeded", FAILURES["deadline_exceeded"].meaning)
        chance = random.Random(5)
        for _ in range(_ROUNDS):
            new = await bank.create(quoted=1000, most=1000)

            async def customer(video: str = new.id) -> bool:
                try:
                    return await cancel(db, video, once=None, books=books)
                except AppError as error:
                    if error.code != "not_cancelable":
                        raise
                    return False

            async def expiry(video: str = new.id) -> bool:
                async with db.transaction() as connection:
                    return await record(
                        connection, fail, generation_id=video, version=0, provider="sandbox", books=books
                    )

            rivals: list[Callable[[], Coroutine[Any, Any, bool]]] = [customer, customer, expiry, expiry]
            chance.shuffle(rivals)
            won = await asyncio.gather(*(rival() for rival in rivals), return_exceptions=True)
            assert sorted(map(str, won)) == ["False"] * (len(rivals) - 1) + ["True"]
            assert (await bank.hold(new.id))[0] is HoldState.RELEASED
            wallet = await bank.wallet()
            assert (wallet.available, wallet.held) == (1000, 0)
            assert sorted(await bank.transfers(new.id)) == ["hold", "release"]
        await bank.is_sound()

    with_database(database_url, verb)
    schedules(_ROUNDS)


def test_a_charge_is_never_above_the_hold_and_the_rest_is_the_operators(database_url: str) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 1000)
        new = await bank.create(quoted=700, most=1000)
        async with db.transaction() as connection:
            await settle(connection, bank.sale(new, tokens=1500), new.order, Books(db))
        row = await db.fetchrow("SELECT * FROM hold WHERE generation_id = $1", new.id)
        assert row is not None
        assert (row["charged"], row["waived"]) == (1000, 500)
        assert "operator" in row["reason"]
        assert sorted(await bank.transfers(new.id)) == ["charge", "hold", "waiver"]
        assert (await bank.wallet()).available == 0
        await bank.end(new.id, "completed")
        await bank.is_sound()

    with_database(database_url, verb)


def _settling(db: Database, sale: Sale, order: Order, books: Books) -> Callable[[], Coroutine[Any, Any, bool]]:
    return lambda: _tried(db, lambda connection: settle(connection, sale, order, books))


def _releasing(db: Database, video: str) -> Callable[[], Coroutine[Any, Any, bool]]:
    return lambda: _tried(db, lambda connection: release(connection, video))


async def _tried(db: Database, act: Callable[[Connection], Coroutine[Any, Any, None]]) -> bool:
    try:
        async with db.transaction() as connection:
            await act(connection)
    except ResolvedError:
        return False
    return True
