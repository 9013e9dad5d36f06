"""Reading: an owner sees what is his, in his mode, and what he has just made as if he had asked for it."""

import asyncio
from typing import Any

import pytest

from generations.kit import new, owner, with_database
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.ids import new_id
from seedance_api.generations.read import Reader
from seedance_api.generations.write import Created, Writer


async def page(reader: Reader, account_id: str, **wanted: Any) -> list[str]:
    asked: dict[str, Any] = {"after": None, "ascending": False, "limit": 10, "status": None, "model": None} | wanted
    return [seen.id for seen in await reader.page(account_id, False, since=None, before=None, **asked)]


def test_another_s_and_the_other_mode_s_are_as_if_not_there(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, other = await owner(db), await owner(db, "two@example.org")
        reader = Reader(db)
        made = (await Writer(db)(new(me))).generation_id
        assert (await reader.find(me.account_id, False, made)).id == made
        for account_id, livemode, asked in (
            (other.account_id, False, made),
            (me.account_id, True, made),
            (me.account_id, False, new_id("vid")),
            (me.account_id, False, "vid_x'; --"),
        ):
            with pytest.raises(AppError) as refused:
                await reader.find(account_id, livemode, asked)
            assert refused.value.code == "not_found"

    with_database(database_url, verb)


def test_what_was_just_made_is_what_a_read_finds(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, reader = await owner(db), Reader(db)
        created = await Writer(db)(new(me, key="k"))
        fresh = await reader.created(me.account_id, False, created)
        found = await reader.find(me.account_id, False, created.generation_id)
        # a place in the queue is known to those who ask
        assert (fresh.id, fresh.prompt, fresh.state, fresh.created_at) == (
            found.id, found.prompt, found.state, found.created_at
        )  # fmt: skip
        again = await Writer(db)(new(me, key="k"))
        assert again.replayed
        assert (await reader.created(me.account_id, False, again)).id == created.generation_id
        await db.execute(
            "UPDATE generation SET state = 'canceled', finished_at = now(), deleted_at = now() WHERE id = $1",
            created.generation_id,
        )
        with pytest.raises(AppError) as refused:
            await reader.created(me.account_id, False, Created(created.generation_id, None, True))
        assert refused.value.code == "idempotency_mismatch"

    with_database(database_url, verb)


def test_reads_at_the_same_time_each_get_their_own(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, reader, write = await owner(db), Reader(db), Writer(db)
        ids = [(await write(new(me))).generation_id for _ in range(3)]
        wanted = [*ids, *ids[::-1]]
        found = await asyncio.gather(*(reader.find(me.account_id, False, one) for one in wanted))
        assert [seen.id for seen in found] == wanted
        assert [seen.queue_position for seen in found] == [1, 2, 3, 3, 2, 1]

    with_database(database_url, verb)


def test_a_page_is_of_one_public_status(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, reader, write = await owner(db), Reader(db), Writer(db)
        ids = [(await write(new(me))).generation_id for _ in range(3)]
        await db.execute("UPDATE generation SET state = 'submitting' WHERE id = $1", ids[0])
        await db.execute("UPDATE generation SET state = 'running', started_at = now() WHERE id = $1", ids[1])
        assert await page(reader, me.account_id) == ids[::-1]
        assert await page(reader, me.account_id, status="in_progress") == [ids[1], ids[0]]
        assert await page(reader, me.account_id, status="queued", ascending=True) == [ids[2]]
        assert await page(reader, me.account_id, after=ids[1]) == [ids[0]]

    with_database(database_url, verb)
