"""Nonces: no two attempts that wait for an answer of one provider can be taken for each other."""

import asyncio
import hashlib
from typing import Any

import asyncpg
import pytest

from generations.kit import new, owner, with_database
from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.migrations import shipped
from seedance_api.generations.attempt_rows import Opened
from seedance_api.generations.queries import attempt_moves, attempts
from seedance_api.generations.step_batches import Sending, StepBatches
from seedance_api.generations.write import Writer
from seedance_api.providers.ark.write import expires_after
from seedance_api.providers.provider import NONCES
from stage import named


async def planned(db: Database, count: int, provider: str = "up") -> list[str]:
    """So many attempts about to be sent."""
    me = await owner(db, f"{new_id('one')}@example.org")
    write = Writer(db)
    made = await asyncio.gather(*(write(new(me, key=str(number))) for number in range(count)))
    ids = [new_id("att") for _ in made]
    async with db.transaction() as connection:
        await attempt_moves.plan(connection, provider, ids, [one.generation_id for one in made])
    return ids


async def send(db: Database, ids: list[str], provider: str = "up") -> dict[str, int]:
    async with db.transaction() as connection:
        return await attempt_moves.to_sent(connection, provider, ids, [21_600.0] * len(ids))


async def opened(db: Database, attempt_id: str) -> Opened:
    generation_id = await db.fetchval("SELECT generation_id FROM attempt WHERE id = $1", attempt_id)
    return (await attempts.under_way(db, [generation_id]))[generation_id]


def test_attempts_that_are_sent_at_once_by_several_processes_differ(database_url: str) -> None:
    async def verb(db: Database) -> None:
        ids = await planned(db, 240)
        desks = [StepBatches(db), StepBatches(db)]
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
            await attempt_moves.to_unknown(connection, first, "reset")
            await attempt_moves.to_lost(connection, lost, "not made")
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
            await attempt_moves.to_acknowledged(connection, [first], [{"id": "cgt-1"}])
        assert set(await send(db, ids[2:])) == {ids[2]}

    with_database(database_url, verb)


def test_a_rival_is_an_unanswered_attempt_whose_nonce_may_be_the_same(database_url: str) -> None:
    async def verb(db: Database) -> None:
        mine, other = await planned(db, 2)
        await send(db, [mine, other])
        assert not await attempts.has_rival(db, await opened(db, mine))
        await db.execute("UPDATE attempt SET nonce = NULL WHERE id = $1", other)  # an older version sent it
        assert await attempts.has_rival(db, await opened(db, mine))
        async with db.transaction() as connection:
            await attempt_moves.to_acknowledged(connection, [other], [{"id": "cgt-1"}])
        assert not await attempts.has_rival(db, await opened(db, mine))

    with_database(database_url, verb)


def test_what_was_made_long_after_it_is_known_as_another_s(database_url: str) -> None:
    """An attempt may be looked for for hours: what is made meanwhile is in the list as well."""

    async def verb(db: Database) -> None:
        mine, other = await planned(db, 2)
        await send(db, [mine, other])
        async with db.transaction() as connection:
            await attempt_moves.to_acknowledged(connection, [other], [{"id": "cgt-1"}])
        await db.execute("UPDATE attempt SET sent_at = sent_at - interval '5 hours' WHERE id = $1", mine)
        assert await attempts.other_operations(db, await opened(db, mine)) == {"cgt-1"}

    with_database(database_url, verb)


def test_what_an_older_version_sent_is_known_by_the_number_that_it_was_sent_with(postgres: str) -> None:
    """Its number followed from its id, in 600 ways: two alike are known by none."""

    def old_number(attempt_id: str, seconds_left: float) -> int:
        part = int.from_bytes(hashlib.sha256(attempt_id.encode()).digest()[:4], "big") % 600
        return int(min(max(seconds_left, 3600), 258_600)) + part

    by_number: dict[int, list[str]] = {}
    for number in range(2000):
        name = f"att_{number:026}"
        by_number.setdefault(old_number(name, 21_600.5), []).append(name)
    (alike,) = [names[:2] for names in by_number.values() if len(names) > 1][:1]
    alone = [names[0] for names in by_number.values() if names[0] not in alike][:4]
    url = older_database(postgres, "before_nonces")

    async def fill(db: Database) -> None:
        await db.execute(
            """
            INSERT INTO account (id, email) VALUES ('acct_1', 'one@example.org');
            INSERT INTO api_key (id, account_id, handle, mode, digest) VALUES ('key_1', 'acct_1', 'h', 'live', '')
            """
        )
        for name, state in zip(
            [*alike, *alone], ["sent", "unknown", "sent", "unknown", "lost", "planned"], strict=True
        ):
            await db.execute(
                """
                INSERT INTO generation (id, account_id, key_id, livemode, provider, model, params, metadata,
                    keep_seconds, quoted_tokens, deadline_at)
                VALUES ('vid_' || $1, 'acct_1', 'key_1', true, 'up', 'm', '{}', '{}', 3600, 0, now())
                """,
                name,
            )
            await db.execute(
                """
                INSERT INTO attempt (id, generation_id, provider, state, sent_at, seconds_left, resolved_at)
                VALUES ($1, 'vid_' || $1, 'up', $2, now(), 21600.5, CASE WHEN $2 = 'lost' THEN now() END)
                """,
                name,
                state,
            )

    async def verb(db: Database) -> None:
        kept = {one["id"]: one["nonce"] for one in await db.fetch("SELECT id, nonce FROM attempt")}
        assert [kept[name] for name in [*alike, alone[3]]] == [None, None, None]
        for name in alone[:3]:
            assert expires_after(kept[name], 21_600.5) == old_number(name, 21_600.5)
        assert await attempts.has_rival(db, await opened(db, alone[0])), "one whose number nobody knows"

    with_database(url, fill)
    with_database(url, lambda db: apply(db, [one.sql for one in shipped() if one.name.startswith("0016_")]))
    with_database(url, verb)


async def apply(db: Database, migrations: list[Any]) -> None:
    for one in migrations:
        await db.execute(one)


def older_database(postgres: str, name: str) -> str:
    """A database as it was before nonces."""

    async def create() -> None:
        connection = await asyncpg.connect(postgres)
        await connection.execute(f"DROP DATABASE IF EXISTS {name}")
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()

    asyncio.run(create())
    url = named(postgres, name)
    with_database(url, lambda db: apply(db, [one.sql for one in shipped() if one.name < "0016"]))
    return url
