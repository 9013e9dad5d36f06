"""Nonces: no two attempts that wait for an answer of one provider can be taken for each other."""

import asyncio

import asyncpg
import pytest

from generations.kit import new, owner, with_database
from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import new_id
from seedance_api.generations import queries
from seedance_api.generations.desk import Desk, Sending
from seedance_api.generations.rows import Opened
from seedance_api.generations.write import Writer
from seedance_api.providers.provider import NONCES


async def planned(db: Database, count: int, provider: str = "up") -> list[str]:
    """So many attempts about to be sent."""
    me = await owner(db, f"{new_id('one')}@example.org")
    write = Writer(db)
    made = await asyncio.gather(*(write(new(me, key=str(number))) for number in range(count)))
    ids = [new_id("att") for _ in made]
    async with db.transaction() as connection:
        await queries.plan_attempts(connection, provider, ids, [one.generation_id for one in made])
    return ids


async def send(db: Database, ids: list[str], provider: str = "up") -> dict[str, int]:
    async with db.transaction() as connection:
        return await queries.attempts_sent(connection, provider, ids, [21_600.0] * len(ids))


async def opened(db: Database, attempt_id: str) -> Opened:
    generation_id = await db.fetchval("SELECT generation_id FROM attempt WHERE id = $1", attempt_id)
    return (await queries.attempts_under_way(db, [generation_id]))[generation_id]


def test_attempts_that_are_sent_at_once_by_several_processes_differ(database_url: str) -> None:
    async def verb(db: Database) -> None:
        ids = await planned(db, 240)
        desks = [Desk(db), Desk(db)]
        permits = await asyncio.gather(
            *(desks[at % 2].send(Sending(own_id, 21_600.0, "up", "m", None)) for at, own_id in enumerate(ids))
        )
        assert {one.wait_seconds for one in permits} == {0}
        assert len({one.nonce for one in permits}) == 240
        kept = {one["id"]: one["nonce"] for one in await db.fetch("SELECT id, nonce FROM attempt")}
        assert [kept[own_id] for own_id in ids] == [one.nonce for one in permits]

    with_database(database_url, verb)


def test_a_nonce_is_not_given_again_while_its_attempt_is_unanswered(database_url: str) -> None:
    async def verb(db: Database) -> None:
        first, lost, *later = await planned(db, 12)
        nonces = await send(db, [first, lost])
        async with db.transaction() as connection:
            await queries.attempt_unknown(connection, first, "reset")
            await queries.attempt_lost(connection, lost, "not made")
        for nonce in nonces.values():  # the turn comes round to it
            await db.execute("SELECT setval('attempt_nonce_turn', $1)", (nonce - 1) % NONCES)
            assert nonce not in (await send(db, [later.pop(), later.pop()])).values()
        # what was given up long ago cannot be taken for something new by its time
        await db.execute("UPDATE attempt SET sent_at = now() - interval '2 hours' WHERE id = $1", lost)
        await db.execute("SELECT setval('attempt_nonce_turn', $1)", (nonces[lost] - 1) % NONCES)
        (again,) = (await send(db, [later.pop()])).values()
        assert again == nonces[lost]
        # at another provider the same numbers are free
        others = await planned(db, 1, "other")
        await db.execute("SELECT setval('attempt_nonce_turn', $1)", (nonces[first] - 1) % NONCES)
        assert list((await send(db, others, "other")).values()) == [nonces[first]]

    with_database(database_url, verb)


def test_the_database_holds_it(database_url: str) -> None:
    async def verb(db: Database) -> None:
        one, other = await planned(db, 2)
        await send(db, [one, other])
        with pytest.raises(asyncpg.UniqueViolationError):
            await db.execute("UPDATE attempt SET nonce = 5")

    with_database(database_url, verb)


def test_when_all_are_taken_nothing_is_sent_until_one_is_answered(database_url: str) -> None:
    async def verb(db: Database) -> None:
        (first, *_) = ids = await planned(db, 3)
        await send(db, ids[:2])
        await db.execute(
            """
            INSERT INTO attempt (id, generation_id, provider, state, nonce, sent_at, resolved_at)
            SELECT 'att_' || n, (SELECT generation_id FROM attempt WHERE id = $1), 'up', 'lost', n, now(), now()
            FROM generate_series(0, 3599) n WHERE n NOT IN (SELECT nonce FROM attempt WHERE nonce IS NOT NULL)
            """,
            first,
        )
        assert await send(db, ids[2:]) == {}
        assert await db.fetchval("SELECT state FROM attempt WHERE id = $1", ids[2]) == "planned"
        async with db.transaction() as connection:
            await queries.attempts_acknowledged(connection, [first], [{"id": "cgt-1"}])
        assert set(await send(db, ids[2:])) == {ids[2]}

    with_database(database_url, verb)


def test_a_rival_is_an_unanswered_attempt_whose_nonce_may_be_the_same(database_url: str) -> None:
    async def verb(db: Database) -> None:
        mine, other = await planned(db, 2)
        await send(db, [mine, other])
        assert not await queries.has_rival(db, await opened(db, mine))
        await db.execute("UPDATE attempt SET nonce = NULL WHERE id = $1", other)  # an older version sent it
        assert await queries.has_rival(db, await opened(db, mine))
        async with db.transaction() as connection:
            await queries.attempts_acknowledged(connection, [other], [{"id": "cgt-1"}])
        assert not await queries.has_rival(db, await opened(db, mine))

    with_database(database_url, verb)


def test_what_was_made_long_after_it_is_known_as_another_s(database_url: str) -> None:
    """An attempt may be looked for for hours: what is made meanwhile is in the list as well."""

    async def verb(db: Database) -> None:
        mine, other = await planned(db, 2)
        await send(db, [mine, other])
        async with db.transaction() as connection:
            await queries.attempts_acknowledged(connection, [other], [{"id": "cgt-1"}])
        await db.execute("UPDATE attempt SET sent_at = sent_at - interval '5 hours' WHERE id = $1", mine)
        assert await queries.other_operations(db, await opened(db, mine)) == {"cgt-1"}

    with_database(database_url, verb)
