"""Objects that no row names: watched, then in the trash, then gone; and never many of them by themselves."""

import re
from collections.abc import Sequence
from datetime import timedelta

import obstore
import pytest
from obstore.store import MemoryStore

from generations.kit import claimed, new, owner, with_database
from seedance_api.catalog.order import Kind
from seedance_api.catalog.request import Facts
from seedance_api.doctor.examine import examine
from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import new_id
from seedance_api.generations.write import Writer
from seedance_api.reconciliation.collect_orphans import LIMITS, Collected, Limits, collect_orphans
from seedance_api.references.queries import NewFile

OLD = Limits(age=timedelta(seconds=-60))
"""Everything is old enough to be looked at."""


async def put(store: MemoryStore, *keys: str) -> None:
    for key in keys:
        await obstore.put_async(store, key, b"x")


async def there(store: MemoryStore) -> list[str]:
    """Every object but the mark of the installation."""
    found = [meta["path"] for meta in await obstore.list(store).collect_async()]
    return sorted(key for key in found if key != "installation.json")


async def passes(db: Database, **time: float) -> None:
    """So much time goes by for what is noted."""
    span = timedelta(**time)
    await db.execute(
        "UPDATE unowned_object SET first_seen_at = first_seen_at - $1::interval, seen_at = seen_at - $1::interval", span
    )


async def uploaded(db: Database, key: str) -> None:
    """A generation with an inline file that is this object."""
    me = await owner(db, f"{new_id('x')}@example.org")
    file = NewFile(
        id=new_id("file"), account_id=me.account_id, livemode=False, inline=True, kind=Kind.IMAGE,
        object_key=key, sha256="0", facts=Facts(media_type="image/png", bytes=1), keep_seconds=60,
    )  # fmt: skip
    await Writer(db)(new(me, new_files=(file,)))


def test_what_no_row_names_is_watched_for_a_day_and_three_days_in_the_trash(database_url: str) -> None:
    async def verb(db: Database) -> None:
        store = await claimed(db)
        orphans = ["content/vid_x/1/video.mp4", "doctor/obj_x", "files/orphan", "sandbox/att_x/job.json"]
        await uploaded(db, "files/mine")
        await put(store, "files/mine", *orphans)
        assert await collect_orphans(db, store) == Collected(seen=5), (
            "they are not an hour old, and may still get a row"
        )

        for hours in (0, 1, 22.9):
            await passes(db, hours=hours)
            assert await collect_orphans(db, store, OLD) == Collected(seen=5), f"{hours} hours later"
        assert await there(store) == sorted(["files/mine", *orphans])

        await passes(db, hours=0.2)
        assert await collect_orphans(db, store, OLD) == Collected(seen=5, due=4, trashed=4)
        trash = sorted(f"trash/{key}" for key in orphans)
        assert await there(store) == ["files/mine", *trash]

        await passes(db, hours=71.9)
        assert await collect_orphans(db, store, OLD) == Collected(seen=1)
        assert await there(store) == ["files/mine", *trash]
        await passes(db, hours=0.2)
        assert await collect_orphans(db, store, OLD) == Collected(seen=1, emptied=4)
        assert await there(store) == ["files/mine"]
        assert await db.fetchval("SELECT count(*) FROM unowned_object") == 0

    with_database(database_url, verb)


def test_one_look_a_day_later_is_not_enough(database_url: str) -> None:
    """An object that had an owner in between, or was another then, is watched from the beginning."""

    async def verb(db: Database) -> None:
        store = await claimed(db)
        await put(store, "files/a")
        await collect_orphans(db, store, OLD)
        await passes(db, hours=12)
        await uploaded(db, "files/a")
        await collect_orphans(db, store, OLD)
        await db.execute("DELETE FROM generation_media")
        await db.execute("DELETE FROM file")
        await collect_orphans(db, store, OLD)
        await passes(db, hours=13)
        assert (await collect_orphans(db, store, OLD)).trashed == 0
        await passes(db, hours=12)
        assert (await collect_orphans(db, store, OLD)).trashed == 1

    with_database(database_url, verb)


@pytest.mark.parametrize(("orphans", "all_of_them", "stops"), [(20, 20, False), (21, 21, True), (21, 500, False)])
def test_nothing_goes_when_too_much_would(database_url: str, orphans: int, all_of_them: int, stops: bool) -> None:
    async def verb(db: Database) -> None:
        store = await claimed(db)
        for number in range(all_of_them - orphans):
            await put(store, f"files/{number}")
        await db.execute(
            """
            INSERT INTO account (id, email) VALUES ('acc_1', 'a@example.org')
            """
        )
        await named_files(db, [f"files/{number}" for number in range(all_of_them - orphans)])
        await put(store, *(f"content/vid_{number}/1/video.mp4" for number in range(orphans)))
        await collect_orphans(db, store, OLD)
        await passes(db, hours=25)
        done = await collect_orphans(db, store, OLD)
        assert (done.stopped, done.trashed) == (("too_many", 0) if stops else (None, orphans))
        assert len([key for key in await there(store) if key.startswith("content/")]) == (orphans if stops else 0)
        notices = await db.fetch("SELECT kind, detail FROM notice")
        assert [one["detail"]["objects"] for one in notices] == ([orphans] if stops else [])
        if stops:
            found = await examine(db, store, accepted=None, tell=lambda _: None)
            assert sum(one.count for one in found) == 0, "they are young"
            await passes(db, hours=2)
            await collect_orphans(db, store, OLD)
            assert len(await db.fetch("SELECT FROM notice")) == 1, "once a day"
            assert len(await db.fetch("SELECT FROM pgqueuer WHERE entrypoint = 'notify'")) == 1
            assert (await collect_orphans(db, store, OLD, confirmed=True)).trashed == orphans

    with_database(database_url, verb)


async def named_files(db: Database, keys: Sequence[str]) -> None:
    """Rows for these objects."""
    await db.execute(
        """
        INSERT INTO file (id, account_id, livemode, inline, kind, object_key, sha256, facts, expires_at)
        SELECT 'file_' || key, 'acc_1', false, false, 'image', key, '0', '{}', now() + interval '1 day'
        FROM unnest($1::text[]) AS k (key)
        """,
        list(keys),
    )


def test_what_a_row_names_again_comes_back_out_of_the_trash(database_url: str) -> None:
    """The rows were missing by mistake: another database, or an old backup, until somebody noticed."""

    async def verb(db: Database) -> None:
        store = await claimed(db)
        await put(store, "files/a", "files/b")
        await collect_orphans(db, store, OLD)
        await passes(db, hours=25)
        assert (await collect_orphans(db, store, OLD)).trashed == 2
        await uploaded(db, "files/a")
        assert (await collect_orphans(db, store, OLD)).restored == 1
        assert await there(store) == ["files/a", "trash/files/b"]

    with_database(database_url, verb)


def test_what_the_database_knows_to_be_over_goes_at_once(database_url: str) -> None:
    """No promise of a deletion waits for the trash: a late write of a frozen worker, and the sandbox's leftovers."""

    async def verb(db: Database) -> None:
        store = await claimed(db)
        me = await owner(db)
        ids: dict[str, str] = {}
        for name in ("purged", "deleted", "kept", "busy"):
            one = new(me, key=name)
            await Writer(db)(one)
            ids[name] = one.id
            if name != "busy":
                await db.execute("UPDATE generation SET state = 'completed', finished_at = now() WHERE id = $1", one.id)
            await db.execute("INSERT INTO attempt (id, generation_id) VALUES ($1, $2)", f"att_{name}", one.id)
        await db.execute(
            "INSERT INTO content (generation_id, state, purge_at, purged_at) VALUES ($1, 'purged', now(), now())",
            ids["purged"],
        )
        await db.execute("UPDATE generation SET deleted_at = now() WHERE id = $1", ids["deleted"])
        await put(store, *(f"content/{one}/1/video.mp4" for one in ids.values()))
        await put(store, *(f"sandbox/att_{name}/job.json" for name in ids))
        assert (await collect_orphans(db, store)).deleted == 0, "they are not an hour old"
        assert (await collect_orphans(db, store, OLD)).deleted == 5
        left = [f"content/{ids[name]}/1/video.mp4" for name in ("kept", "busy")] + ["sandbox/att_busy/job.json"]
        assert await there(store) == sorted(left)

    with_database(database_url, verb)


def test_the_doctor_names_what_was_overlooked_and_not_what_is_watched(database_url: str) -> None:
    async def verb(db: Database) -> None:
        store = await claimed(db)
        await put(store, "files/a")
        await collect_orphans(db, store, OLD)
        found = await examine(db, store, accepted=None, tell=lambda _: None, age=timedelta(seconds=-60))
        assert sum(one.count for one in found) == 0
        await passes(db, hours=27)
        found = await examine(db, store, accepted=None, tell=lambda _: None, age=timedelta(seconds=-60))
        assert [one.violations for one in found if one.count] == [["object files/a: no row names it"]]

    with_database(database_url, verb)


def test_the_bounds_are_those_of_the_documents() -> None:
    assert (LIMITS.watched, LIMITS.trashed) == (timedelta(days=1), timedelta(days=3))
    assert (LIMITS.age, LIMITS.count, LIMITS.share) == (timedelta(hours=1), 20, 0.05)
    assert re.fullmatch(r"1 day, 2:15:00", str(LIMITS.watched + timedelta(hours=2, minutes=15)))
