"""Announcing: exactly what happened, to exactly those who listen, in the transaction that makes it so."""

import asyncio
import re

import pytest

from generations.kit import engine, new, owner, with_database
from money.bank import Bank
from seedance_api.accounts.keys import KeyMode
from seedance_api.billing.books import Books
from seedance_api.billing.limits import set_limits
from seedance_api.billing.rows import Period
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.generations import steps
from seedance_api.generations.cancel import cancel
from seedance_api.generations.dispatch import dispatch
from seedance_api.generations.record import record
from seedance_api.generations.write import Writer
from seedance_api.webhooks.announce import announce
from seedance_api.webhooks.kinds import FINAL, KINDS
from webhooks.kit import endpoint


async def kinds_of(db: Database, generation_id: str) -> list[str]:
    found = await db.fetch("SELECT type FROM event WHERE data ->> 'id' = $1 ORDER BY id", generation_id)
    return [one["type"] for one in found]


def test_the_schema_knows_the_same_kinds(database_url: str) -> None:
    async def verb(db: Database) -> None:
        sql = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'event_type_check' LIMIT 1"
        assert set(re.findall(r"'([^']+)'", await db.fetchval(sql))) == set(KINDS)

    with_database(database_url, verb)


def test_only_those_who_listen_get_a_delivery(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, other = await owner(db), await owner(db, "two@example.org")
        mine = await endpoint(db, me, "https://a.example", "video.queued", livemode=False)
        await endpoint(db, me, "https://b.example", "video.failed", livemode=False)  # another kind
        await endpoint(db, me, "https://c.example", "video.queued", livemode=True)  # another mode
        await endpoint(db, other, "https://d.example", "video.queued", livemode=False)  # another account
        off = await endpoint(db, me, "https://e.example", "video.queued", livemode=False)
        await db.execute("UPDATE webhook_endpoint SET disabled_at = now(), disabled_by = 'owner' WHERE id = $1", off)
        await asyncio.gather(*(Writer(db)(new(me, body=bytes([n]))) for n in range(3)))
        assert {one["endpoint_id"] for one in await db.fetch("SELECT endpoint_id FROM delivery")} == {mine}
        assert await db.fetchval("SELECT count(*) FROM delivery") == 3
        jobs = await db.fetch("SELECT payload FROM pgqueuer WHERE entrypoint = 'deliver'")
        assert {bytes(job["payload"]).decode() for job in jobs} == {mine}
        event = await db.fetchrow("SELECT * FROM event LIMIT 1")
        assert event is not None
        assert event["data"].keys() == {"id", "status"}

    with_database(database_url, verb)


def test_a_batch_of_creates_takes_one_statement_and_one_nudge(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        await endpoint(db, me, "https://a.example", "video.queued", livemode=False)
        writer = Writer(db)
        await asyncio.gather(*(writer(new(me, body=bytes([n]))) for n in range(64)))
        assert await db.fetchval("SELECT count(*) FROM delivery") == 64
        assert await db.fetchval("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'deliver'") <= 3

    with_database(database_url, verb)


def test_what_is_rolled_back_was_never_announced(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        await endpoint(db, me, "https://a.example", "video.queued", livemode=False)
        made = await Writer(db)(new(me))
        with pytest.raises(RuntimeError):
            async with db.transaction() as connection:
                await announce(connection, "video.expiring", [made.generation_id])
                raise RuntimeError
        assert await kinds_of(db, made.generation_id) == ["video.queued"]

    with_database(database_url, verb)


def test_in_progress_is_told_once_and_the_end_once(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        parts = engine(db)
        made = await Writer(db)(new(me))
        for _ in range(2):  # it leaves the queue, goes back, and leaves it again
            await dispatch("sandbox", parts)
            await db.execute("UPDATE attempt SET state = 'rejected', resolved_at = now()")
            await db.execute("UPDATE generation SET state = 'queued', version = version + 1")
        assert await kinds_of(db, made.generation_id) == ["video.queued", "video.in_progress"]
        await cancel(db, made.generation_id, once=None, books=Books(db))
        with pytest.raises(AppError):
            await cancel(db, made.generation_id, once=None, books=Books(db))
        assert await kinds_of(db, made.generation_id) == ["video.queued", "video.in_progress", "video.canceled"]

    with_database(database_url, verb)


def test_of_two_who_end_it_at_once_one_is_told(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        made = await Writer(db)(new(me))

        async def fail() -> bool:
            step = steps.Fail("deadline_exceeded", "too late")
            async with db.transaction() as connection:
                return await record(
                    connection, step, generation_id=made.generation_id, version=1, provider="sandbox", books=Books(db)
                )

        version = await db.fetchval("SELECT version FROM generation")
        await db.execute("UPDATE generation SET version = 1")
        assert version is not None
        assert sorted(await asyncio.gather(*(fail() for _ in range(4)))) == [False, False, False, True]
        finals = [kind for kind in await kinds_of(db, made.generation_id) if kind in FINAL]
        assert finals == ["video.failed"]
        data = await db.fetchval("SELECT data FROM event WHERE type = 'video.failed'")
        assert data == {"id": made.generation_id, "status": "failed", "error": {"code": "deadline_exceeded"}}

    with_database(database_url, verb)


def test_a_balance_that_falls_is_told_on_the_crossing_only(database_url: str) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 1000)
        await db.execute("UPDATE account SET low_balance = 500")
        for _ in range(9):
            await bank.writer(await bank.compose(quoted=100, most=100))
        found = await db.fetch("SELECT data, livemode FROM event WHERE type = 'balance.low'")
        assert [(one["data"]["available"], one["livemode"]) for one in found] == [("0.000400", True)]
        assert found[0]["data"]["threshold"] == "0.000500"

    with_database(database_url, verb)


def test_a_limit_that_is_reached_is_told_with_its_scope(database_url: str) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 100_000)
        await set_limits(db, bank.me.account_id, bank.me.key_id, {Period.DAY: 300})
        for _ in range(3):
            await bank.writer(await bank.compose(quoted=100, most=100))
        with pytest.raises(AppError, match="limit_reached"):
            await bank.writer(await bank.compose(quoted=100, most=100))
        found = await db.fetch("SELECT data FROM event WHERE type = 'key.limit_reached'")
        assert [(one["data"]["scope"], one["data"]["key_id"]) for one in found] == [("key", bank.me.key_id)]

    with_database(database_url, verb)


def test_creates_with_one_address_share_an_endpoint_and_do_not_wait(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db, mode=KeyMode.TEST)
        url = "https://hook.example/x"
        first = await Writer(db)(new(me, body=b"0", webhook_url=url))
        async with db.transaction() as connection:  # another create that uses it is not finished yet
            await connection.execute("SELECT FROM webhook_endpoint FOR KEY SHARE")
            await asyncio.wait_for(Writer(db)(new(me, body=b"1", webhook_url=url)), 5)
        await asyncio.gather(*(Writer(db)(new(me, body=bytes([n]), webhook_url=url + "2")) for n in range(2, 10)))
        assert await db.fetchval("SELECT count(*) FROM webhook_endpoint WHERE hidden") == 2
        assert await db.fetchval("SELECT count(DISTINCT webhook_endpoint_id) FROM generation") == 2
        assert await db.fetchval("SELECT count(*) FROM delivery") == 0  # only the end is told
        await cancel(db, first.generation_id, once=None, books=Books(db))
        assert await db.fetchval("SELECT count(*) FROM delivery") == 1

    with_database(database_url, verb)
