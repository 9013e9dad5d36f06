"""Reference media and prompts live no longer than is promised, and a purge that was missed is caught up with."""

import asyncio
import tracemalloc
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest
from msgspec import structs
from obstore.store import MemoryStore

from generations.kit import NO_MARKING, Owner, engine, new, owner, with_database
from seedance_api.billing.books import Books
from seedance_api.catalog.order import Kind, Role
from seedance_api.catalog.request import Facts
from seedance_api.delivery.store import Storage
from seedance_api.foundation.confine import Confine
from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import new_id
from seedance_api.generations.cancel import cancel
from seedance_api.generations.clean_up import expire
from seedance_api.generations.engine import Engine
from seedance_api.generations.queries.inserts import NewMedium
from seedance_api.generations.write import Writer
from seedance_api.references.queries import NewFile, insert_files


def a_file(me: Owner, *, inline: bool, keep_seconds: int = 259_200) -> NewFile:
    file_id = new_id("file")
    return NewFile(
        id=file_id, account_id=me.account_id, livemode=False, inline=inline, kind=Kind.IMAGE,
        object_key=f"files/{file_id}", sha256=file_id, facts=Facts(media_type="image/png", bytes=1),
        keep_seconds=keep_seconds,
    )  # fmt: skip


def parts(db: Database, folder: Path) -> Engine:
    return engine(
        db, storage=Storage(store=MemoryStore(), scratch=folder, confine=Confine(slots=1), marking=NO_MARKING)
    )


async def made(db: Database, me: Owner, file: NewFile, at_work: Engine, **changes: Any) -> str:
    """A queued generation with one inline file, which is in the store."""
    await obstore.put_async(at_work.storage.objects, file.object_key, b"x")
    media = (NewMedium(role=Role.REFERENCE, file_id=file.id),)
    return (await Writer(db)(new(me, key=file.id, new_files=(file,), media=media, **changes))).generation_id


async def counts(db: Database, at_work: Engine) -> dict[str, int]:
    """What is left of what customers sent."""
    found = await db.fetchrow(
        "SELECT (SELECT count(*) FROM file) AS files, (SELECT count(*) FROM generation_input) AS prompts"
    )
    assert found is not None
    left = await obstore.list(at_work.storage.objects).collect_async()
    return {**found, "objects": len(left)}


async def age(db: Database, hours: float) -> None:
    """As if so much time had passed."""
    by = timedelta(hours=hours)
    await db.execute("UPDATE file SET expires_at = expires_at - $1::interval, created_at = created_at - $1", by)
    await db.execute("UPDATE generation SET finished_at = finished_at - $1::interval", by)


def test_inline_media_and_the_prompt_go_a_day_after_the_end_whatever_jobs_are_lost(
    database_url: str, tmp_path: Path
) -> None:
    async def verb(db: Database) -> None:
        me, at_work = await owner(db), parts(db, tmp_path)
        video = await made(db, me, a_file(me, inline=True), at_work)
        assert await cancel(db, video, once=None, books=Books(db))
        # from the transaction of the end itself: no job has run
        late = "SELECT count(*) FROM file f, generation g WHERE f.expires_at > g.finished_at + interval '24 hours'"
        assert await db.fetchval(late) == 0
        await age(db, 23.9)
        await expire(at_work)
        assert await counts(db, at_work) == {"files": 1, "prompts": 1, "objects": 1}
        await age(db, 0.2)
        await expire(at_work)
        assert await counts(db, at_work) == {"files": 0, "prompts": 0, "objects": 0}

    with_database(database_url, verb)


def test_what_an_unfinished_video_needs_stays(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        me, at_work = await owner(db), parts(db, tmp_path)
        video = await made(db, me, a_file(me, inline=True), at_work)
        await age(db, 100)
        await expire(at_work)
        assert await counts(db, at_work) == {"files": 1, "prompts": 1, "objects": 1}
        assert await cancel(db, video, once=None, books=Books(db))
        await expire(at_work)  # its time was over long ago
        assert await counts(db, at_work) == {"files": 0, "prompts": 1, "objects": 0}

    with_database(database_url, verb)


@pytest.mark.parametrize("keep_seconds", [3600, 259_200])
def test_an_upload_goes_when_its_time_is_over(database_url: str, tmp_path: Path, keep_seconds: int) -> None:
    async def verb(db: Database) -> None:
        me, at_work = await owner(db), parts(db, tmp_path)
        file = a_file(me, inline=False, keep_seconds=keep_seconds)
        await obstore.put_async(at_work.storage.objects, file.object_key, b"x")
        async with db.transaction() as connection:
            await insert_files(connection, [file])
        await age(db, keep_seconds / 3600 - 0.01)
        await expire(at_work)
        assert (await counts(db, at_work))["objects"] == 1
        await age(db, 0.02)
        await expire(at_work)
        assert await counts(db, at_work) == {"files": 0, "prompts": 0, "objects": 0}

    with_database(database_url, verb)


def test_ten_thousand_overdue_files_go_in_one_run_and_in_little_memory(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        me, at_work = await owner(db), parts(db, tmp_path)
        first = a_file(me, inline=False)
        files = [structs.replace(first, id=f"{first.id}{n}", object_key=f"files/{n}") for n in range(10_000)]
        for file in files:
            await obstore.put_async(at_work.storage.objects, file.object_key, b"x")
        async with db.transaction() as connection:
            await insert_files(connection, files)
        await age(db, 200)
        del files
        tracemalloc.start()
        await expire(at_work)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert await counts(db, at_work) == {"files": 0, "prompts": 0, "objects": 0}
        assert peak < 3_000_000

    with_database(database_url, verb)


def test_thousands_of_old_prompts_go_in_one_run(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        me, at_work = await owner(db), parts(db, tmp_path)
        write = Writer(db)
        await asyncio.gather(*(write(new(me, key=f"key {n}")) for n in range(1200)))
        await db.execute("UPDATE generation SET state = 'canceled', finished_at = now() - interval '25 hours'")
        await expire(at_work)
        assert (await counts(db, at_work))["prompts"] == 0

    with_database(database_url, verb)
