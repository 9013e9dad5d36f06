import asyncio

import pytest
from msgspec import structs

from generations.kit import new, owner, with_database
from seedance_api.catalog.order import Kind, Role
from seedance_api.catalog.request import Facts
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.ids import new_id
from seedance_api.generations.drafts import delete_files
from seedance_api.generations.queries.inserts import NewMedium
from seedance_api.generations.write import Writer
from seedance_api.references.queries import NewFile


def test_a_key_makes_one_generation_however_often_and_wherever_it_is_used(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        writers = [Writer(db) for _ in range(4)]
        answers = await asyncio.gather(*(writers[n % 4](new(me, key=f"key {n % 5}")) for n in range(200)))
        assert len({answer.generation_id for answer in answers}) == 5
        assert sum(not answer.replayed for answer in answers) == 5
        assert await db.fetchval("SELECT count(*) FROM generation") == 5

    with_database(database_url, verb)


def test_the_same_key_with_another_body_is_refused(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        write = Writer(db)
        one, two = await asyncio.gather(
            write(new(me, key="k")), write(new(me, key="k", body=b"other")), return_exceptions=True
        )
        assert not isinstance(one, BaseException)
        assert isinstance(two, AppError)
        assert two.code == "idempotency_mismatch"

    with_database(database_url, verb)


def test_keys_of_two_accounts_are_two_keys(database_url: str) -> None:
    async def verb(db: Database) -> None:
        one, two = await owner(db), await owner(db, "two@example.org")
        write = Writer(db)
        answers = await asyncio.gather(write(new(one, key="k")), write(new(two, key="k")))
        assert len({answer.generation_id for answer in answers}) == 2

    with_database(database_url, verb)


def test_one_row_that_the_database_refuses_does_not_take_the_others_down(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        write = Writer(db)
        answers = await asyncio.gather(
            *(write(new(me, prompt="\0" if n == 3 else "x", key=f"k{n}")) for n in range(8)), return_exceptions=True
        )
        assert [isinstance(answer, Exception) for answer in answers] == [n == 3 for n in range(8)]
        assert await db.fetchval("SELECT count(*) FROM idempotency") == 7  # the refused one left nothing behind

    with_database(database_url, verb)


def test_generation_prompt_key_and_job_are_there_together_or_not_at_all(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        write = Writer(db)
        await write(new(me, key="k"))
        with pytest.raises(Exception, match="keep_seconds"):
            await write(new(me, key="l", keep_seconds=1))
        counts = await db.fetchrow(
            """
            SELECT (SELECT count(*) FROM generation) AS generations, (SELECT count(*) FROM generation_input) AS prompts,
                   (SELECT count(*) FROM idempotency) AS keys,
                   (SELECT count(*) FROM pgqueuer WHERE entrypoint LIKE 'dispatch%') AS jobs
            """
        )
        assert counts is not None
        assert tuple(counts.values()) == (1, 1, 1, 1)

    with_database(database_url, verb)


def test_no_job_carries_more_than_an_id(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        await Writer(db)(new(me, prompt="canary prompt"))
        rows = await db.fetch("SELECT payload, headers::text FROM pgqueuer")
        assert [bytes(row["payload"]) for row in rows] == [b"sandbox"]
        assert "canary" not in str([dict(row) for row in rows])

    with_database(database_url, verb)


def test_deleting_an_input_of_a_draft_ends_the_draft_and_a_needed_file_stays_whole(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        file_id = new_id("file")
        file = NewFile(
            id=file_id, account_id=me.account_id, livemode=False, inline=False, kind=Kind.IMAGE, object_key="k",
            sha256="0", facts=Facts(media_type="image/png", bytes=1), keep_seconds=60,
        )  # fmt: skip
        draft = new(me, new_files=(file,), media=(NewMedium(role=Role.FIRST_FRAME, file_id=file_id),))
        draft = structs.replace(draft, order=structs.replace(draft.order, draft=True))
        await Writer(db)(draft)
        await Writer(db)(new(me, media=(NewMedium(role=Role.FIRST_FRAME, file_id=file_id),)))
        await db.execute("UPDATE generation SET state = 'canceled', finished_at = now() WHERE id = $1", draft.id)
        for needed in (True, False):
            async with db.transaction() as connection:
                assert (await delete_files(connection, [file_id])).ids == (set() if needed else {file_id})
            left = [
                await db.fetchval("SELECT count(*) FROM generation_media WHERE generation_id = $1", draft.id),
                await db.fetchval("SELECT count(*) FROM generation_input WHERE generation_id = $1", draft.id),
            ]
            assert left == ([1, 1] if needed else [0, 0])
            await db.execute("UPDATE generation SET state = 'canceled', finished_at = now() WHERE finished_at IS NULL")

    with_database(database_url, verb)
