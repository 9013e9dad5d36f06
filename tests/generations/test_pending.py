"""How many unfinished videos an account may have: exact, however many ask at once, and given back as videos end."""

import asyncio
from collections import Counter

import pytest

from generations.kit import Owner, new, owner, with_database
from money.kit import paid
from seedance_api.billing.credit import credit
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.generations.announce import announce_news
from seedance_api.generations.queries.inserts import NewGeneration
from seedance_api.generations.write import Created, Writer

MOST = 7


async def tried(write: Writer, generation: NewGeneration) -> Created | str:
    try:
        return await write(generation)
    except AppError as error:
        return error.code


def test_creates_at_once_of_several_processes_stop_exactly_at_the_bound(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, other = await owner(db), await owner(db, "two@example.org")
        writers = [Writer(db) for _ in range(3)]
        wanted = [new(who, key=f"key {n}", max_pending=MOST) for n in range(20) for who in (me, other)]
        outcomes = await asyncio.gather(*(tried(writers[n % 3], one) for n, one in enumerate(wanted)))
        made = Counter(one.account_id for one, did in zip(wanted, outcomes, strict=True) if isinstance(did, Created))
        assert made == {me.account_id: MOST, other.account_id: MOST}
        assert {did for did in outcomes if isinstance(did, str)} == {"too_many_pending"}
        for table in ("generation", "generation_input", "idempotency"):  # of those that were refused nothing is left
            assert await db.fetchval(f"SELECT count(*) FROM {table}") == 2 * MOST, table
        assert await counted(db, me) == MOST

    with_database(database_url, verb)


def test_a_refusal_says_the_number_and_leaves_the_key_free(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, write = await owner(db), Writer(db)
        for _ in range(2):
            await write(new(me, max_pending=2))
        again = new(me, key="again", max_pending=2)
        with pytest.raises(AppError) as refused:
            await write(again)
        error = refused.value
        assert (error.code, error.status) == ("too_many_pending", 429)
        assert "2 unfinished videos of its test keys" in error.message
        assert "Retry-After" in error.headers
        await db.execute(
            """
            UPDATE generation SET state = 'canceled', finished_at = now()
            WHERE id = (SELECT min(id) FROM generation)
            """
        )
        assert await counted(db, me) == 1
        assert not (await write(again)).replayed
        assert (await write(again)).replayed

    with_database(database_url, verb)


def test_of_live_ones_no_money_is_held_for_what_is_refused(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, other = await owner(db), await owner(db, "two@example.org")
        for who in (me, other):
            await credit(db, who.account_id, 10_000_000, reason="a test", author="test", announce=announce_news)
        write = Writer(db)
        wanted = [paid(who, expected=100, max_pending=3) for _ in range(6) for who in (me, other)]
        outcomes = await asyncio.gather(*(tried(write, one) for one in wanted))
        outcomes += [await tried(write, paid(me, expected=100, max_pending=3))]
        assert sum(isinstance(did, Created) for did in outcomes) == 6
        assert {did for did in outcomes if isinstance(did, str)} == {"too_many_pending"}
        for who in (me, other):
            held = await db.fetchval("SELECT held FROM wallet WHERE account_id = $1", who.account_id)
            assert wanted[0].hold is not None
            assert held == 3 * wanted[0].hold.amount
        assert await db.fetchval("SELECT count(*) FROM hold") == 6

    with_database(database_url, verb)


async def counted(db: Database, who: Owner) -> int:
    return await db.fetchval("SELECT number FROM pending WHERE account_id = $1 AND NOT livemode", who.account_id)
