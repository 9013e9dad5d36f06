"""Everything that moves money at the same time, in every order: nobody waits for ever, and nothing is lost."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from generations.kit import engine, with_database
from money.bank import Bank
from sample import Sample
from seedance_api.billing import credit
from seedance_api.billing.books import Books
from seedance_api.billing.expire import expire_grants
from seedance_api.billing.limits import set_limits
from seedance_api.billing.rows import HoldState, Period
from seedance_api.billing.settle import release, settle
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.idempotency import Kind, forget_expired
from seedance_api.generations.announce import announce_news
from seedance_api.generations.queries.inserts import NewGeneration
from seedance_api.generations.sweep import sweep
from seedance_api.generations.write import Writer

_ACCOUNTS = 6


def test_creates_sweeps_settles_refunds_and_credits_do_not_deadlock(
    database_url: str, tmp_path: Path, schedules: Callable[[int], None], sample: Sample
) -> None:
    rounds = sample.rounds(48, 6)

    async def verb(db: Database) -> None:
        chance = sample.chance
        banks = [await Bank.open(db, 1_000_000, f"{at}@example.org") for at in range(_ACCOUNTS)]
        for bank in banks:
            await set_limits(db, bank.me.account_id, None, {Period.DAY: 10**9, Period.TOTAL: 10**9})
        pools = [await Database.connect(database_url, max_connections=8) for _ in range(3)]
        writers = [Writer(pool) for pool in pools]
        parts = engine(pools[0])
        settled: list[tuple[Bank, NewGeneration]] = []
        for _ in range(rounds):
            overdue = [await bank.create(quoted=500, most=900) for bank in chance.choices(banks, k=12)]
            to_settle = [(bank, await bank.create(quoted=500, most=900)) for bank in chance.choices(banks, k=12)]
            await db.execute(
                "UPDATE generation SET deadline_at = now() - random() * interval '1 hour' WHERE id = ANY ($1)",
                [one.id for one in overdue],
            )
            news = [
                await bank.compose(quoted=10, most=20, key=f"{bank.me.key_id} {chance.random()}") for bank in banks * 8
            ]
            chance.shuffle(news)

            async def finish(bank: Bank, made: NewGeneration) -> None:
                async with pools[1].transaction() as connection:
                    await settle(connection, bank.sale(made, 600), made.order, Books(pools[1]))
                await bank.end(made.id, "completed")

            work: list[Coroutine[Any, Any, object]] = [writers[at % 3](new) for at, new in enumerate(news)]
            work += [
                sweep(parts),
                sweep(parts),
                expire_grants(pools[2], announce=announce_news),
                forget_expired(pools[2]),
            ]
            work += [finish(bank, made) for bank, made in to_settle]
            work += [
                credit.refund(pools[2], made.id, 1, reason="a test", author="test", announce=announce_news)
                for _, made in chance.choices(settled, k=12 if settled else 0)
            ]
            work += [
                credit.credit(pools[1], bank.me.account_id, 5, reason="a test", author="test", announce=announce_news)
                for bank in banks
            ]
            chance.shuffle(work)
            found = await asyncio.wait_for(asyncio.gather(*work, return_exceptions=True), 60)
            assert [one for one in found if isinstance(one, BaseException)] == []
            settled += to_settle
            assert {(await bank.hold(one.id))[0] for bank, one in zip(banks, overdue, strict=False)} == {
                HoldState.RELEASED
            }
            await db.execute("DELETE FROM pgqueuer")
        await banks[0].is_sound()
        for pool in pools:
            await pool.close()

    with_database(database_url, verb)
    schedules(rounds)


async def _expired(db: Database) -> None:
    await db.execute("UPDATE credit_grant SET expires_at = now()")
    await db.execute("UPDATE wallet SET grant_expires_at = now() WHERE granted > 0")


def test_a_grant_that_is_spent_whole_is_gone_and_takes_no_paid_money_later(database_url: str) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 0)
        await credit.grant(
            db, bank.me.account_id, 1000, days=1, reason="welcome", author="test", announce=announce_news
        )
        made = await bank.create(quoted=1000, most=1000)
        async with db.transaction() as connection:
            await settle(connection, bank.sale(made, 1000), made.order, Books(db))
        await bank.end(made.id, "completed")
        assert await db.fetchval("SELECT remaining FROM credit_grant") == 0
        await bank.credit(5000)
        await _expired(db)
        await expire_grants(db, announce=announce_news)
        assert (await bank.wallet()).available == 5000
        await bank.create(quoted=5000, most=5000)  # and nobody stands in the way
        await bank.is_sound()

    with_database(database_url, verb)


def test_an_expired_grant_pays_for_what_was_on_hold_before_and_for_nothing_after(database_url: str) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 0)
        await credit.grant(
            db, bank.me.account_id, 1000, days=1, reason="welcome", author="test", announce=announce_news
        )
        before = await bank.create(quoted=600, most=600)
        await asyncio.sleep(0)
        await _expired(db)
        await bank.credit(2000)  # ends the 400 that are not on hold
        wallet = await bank.wallet()
        assert (wallet.available, wallet.held, wallet.granted) == (2000, 600, 600)
        after = await bank.create(quoted=1000, most=1000)
        async with db.transaction() as connection:
            await release(connection, before.id)
        await bank.end(before.id, "failed")
        await expire_grants(db, announce=announce_news)  # the new hold does not keep the old grant
        wallet = await bank.wallet()
        assert (wallet.available, wallet.held, wallet.granted) == (1000, 1000, 0)
        async with db.transaction() as connection:
            await settle(connection, bank.sale(after, 1000), after.order, Books(db))
        await bank.end(after.id, "completed")
        assert (await bank.wallet()).available == 1000
        assert await db.fetchval("SELECT sum(amount) FROM transfer WHERE kind = 'expiry'") == 1000
        await bank.is_sound()

    with_database(database_url, verb)


def test_one_account_with_a_fault_does_not_take_the_batch_down(database_url: str) -> None:
    async def verb(db: Database) -> None:
        sick, well = await Bank.open(db, 999, "sick@example.org"), await Bank.open(db, 1000, "well@example.org")
        await db.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'sick'; END $$"
        )
        await db.execute(
            "CREATE TRIGGER sick BEFORE UPDATE ON wallet FOR EACH ROW"
            " WHEN (OLD.available = 999) EXECUTE FUNCTION fail()"
        )
        news = [await bank.compose(quoted=10, most=10) for bank in (sick, well, well, sick, well)]
        found = await asyncio.gather(*(sick.writer(new) for new in news), return_exceptions=True)
        assert [isinstance(one, Exception) for one in found] == [True, False, False, True, False]

    with_database(database_url, verb)


def test_a_refused_twin_leaves_the_note_of_the_one_that_was_made(database_url: str) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 1000)
        first = await bank.compose(quoted=1000, most=1000)
        made = await bank.writer(first)
        with pytest.raises(AppError, match="insufficient_balance"):
            await bank.writer(await bank.compose(quoted=1000, most=1000))
        await bank.credit(1000)
        retry = await bank.compose(quoted=1000, most=1000)
        again = await bank.writer(
            msgspec.structs.replace(retry, once=msgspec.structs.replace(first.once, kind=Kind.RETRY))
        )
        assert (again.generation_id, again.replayed) == (made.generation_id, True)

    with_database(database_url, verb)


def test_a_reference_of_a_refund_is_that_of_its_video(database_url: str) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 1000)
        videos = [await bank.create(quoted=400, most=400) for _ in range(2)]
        for made in videos:
            async with db.transaction() as connection:
                await settle(connection, bank.sale(made, 400), made.order, Books(db))
            await bank.end(made.id, "completed")

        async def refund(video: str) -> bool:
            moved = await credit.refund(
                db, video, None, reason="x", author="test", reference="ticket 7", announce=announce_news
            )
            return moved.repeated

        assert [await refund(videos[0].id), await refund(videos[0].id)] == [False, True]
        with pytest.raises(AppError, match="invalid_request"):
            await refund(videos[1].id)
        assert (await bank.wallet()).available == 600
        await bank.is_sound()

    with_database(database_url, verb)
