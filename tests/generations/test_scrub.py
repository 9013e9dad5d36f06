"""What is stored is compared with its digest, a bounded part at a time; what is damaged is not served, and mended."""

import hashlib
from collections.abc import Sequence

import msgspec
import obstore
from obstore.store import S3Store

from generations.kit import Owner, engine, new, owner, with_database
from seedance_api.delivery import queries
from seedance_api.delivery.deliver import note_served
from seedance_api.delivery.rows import Asset, Held
from seedance_api.foundation.db import Database
from seedance_api.generations.engine import Engine
from seedance_api.generations.repair import repair
from seedance_api.generations.scrub import scrub
from seedance_api.generations.write import Writer
from seedance_api.providers.provider import Output


async def completed(db: Database, me: Owner, one: Engine, count: int = 1) -> list[str]:
    """Finished videos, each with an object of ten bytes."""
    news = [new(me, key=f"{at}") for at in range(count)]
    for each in news:
        await Writer(db)(each)
        await db.execute(
            "UPDATE generation SET state = 'completed', output = $2, finished_at = now() WHERE id = $1",
            each.id,
            Output(),
        )
        await db.execute(
            """
            INSERT INTO attempt (id, generation_id, state, operation, resolved_at, provider)
            VALUES ('att_' || $1, $1, 'succeeded', $2, now(), 'sandbox')
            """,
            each.id,
            {"id": each.id},
        )
        async with db.transaction() as connection:
            await obstore.put_async(one.storage.objects, place(each.id), content(each.id))
            asset = Asset(
                variant="video", object_key=place(each.id), media_type="video/mp4", bytes=10, sha256=digest(each.id)
            )
            await queries.insert_content(connection, each.id, 3600, [asset])
    return [each.id for each in news]


def place(video: str) -> str:
    return f"content/{video}/1/video.mp4"


def content(video: str) -> bytes:
    return video.encode()[-10:]


def digest(video: str) -> str:
    return hashlib.sha256(content(video)).hexdigest()


async def flip(one: Engine, video: str) -> None:
    wrong = bytes([content(video)[0] ^ 1]) + content(video)[1:]
    await obstore.put_async(one.storage.objects, place(video), wrong)


async def held(db: Database, video: str) -> Held:
    found = await queries.asset_of(db, video, "video")
    assert found is not None
    return found


async def mending(db: Database) -> list[str]:
    found = await db.fetch("SELECT payload FROM pgqueuer WHERE split_part(entrypoint, ':', 1) = 'mend'")
    return [record["payload"].decode() for record in found]


def test_a_flipped_byte_is_found_and_the_file_is_to_be_mended(database_url: str) -> None:
    async def verb(db: Database) -> None:
        one = engine(db)
        right, wrong = await completed(db, await owner(db), one, 2)
        await flip(one, wrong)
        assert await scrub(one) == 1
        assert ((await held(db, right)).damaged, (await held(db, wrong)).damaged) == (False, True)
        assert await mending(db) == [wrong]
        assert await scrub(one) == 0  # it is known, and what is right is right for a day
        assert await scrub(one, age_hours=0) == 0
        assert await db.fetchval("SELECT count(*) FROM asset WHERE verified_at > now() - interval '1 minute'") == 1

    with_database(database_url, verb)


def test_a_run_is_bounded_and_the_next_goes_on(database_url: str) -> None:
    async def verb(db: Database) -> None:
        one = engine(db)
        ids = await completed(db, await owner(db), one, 5)
        await db.execute("UPDATE asset SET verified_at = now() - interval '2 days' WHERE generation_id = $1", ids[0])
        seen: list[set[str]] = []
        for _ in range(3):
            await scrub(one, run_bytes=15)  # ten bytes each: two objects
            seen.append(await verified(db))
        assert [len(some) for some in seen] == [2, 4, 5]
        assert ids[0] not in seen[1]  # those that were never looked at come first

    with_database(database_url, verb)


async def verified(db: Database) -> set[str]:
    found = await db.fetch("SELECT generation_id FROM asset WHERE verified_at > now() - interval '1 day'")
    return {record["generation_id"] for record in found}


def test_what_is_damaged_is_never_delivered(database_url: str) -> None:
    async def verb(db: Database) -> None:
        one = engine(db)
        right, wrong = await completed(db, await owner(db), one, 2)
        await flip(one, wrong)
        for video in (right, wrong):
            for start, end in ((0, 4), (4, 10)):
                await note_served(db, one.storage.objects, video, digest(video), start, end, checked=False)
        assert ((await held(db, right)).delivered, (await held(db, wrong)).delivered) == (True, False)
        assert (await held(db, wrong)).damaged
        assert await db.fetchval("SELECT served FROM asset WHERE generation_id = $1", wrong) == []
        await note_served(db, one.storage.objects, wrong, digest(wrong), 0, 10, checked=True)  # one that was under way
        assert not (await held(db, wrong)).delivered

    with_database(database_url, verb)


def test_what_nobody_has_any_more_is_told_once_and_is_whole_again_when_the_disk_is_back(database_url: str) -> None:
    async def verb(db: Database) -> None:
        one = engine(db, providers={"another": engine(db).providers["sandbox"]})  # its own was taken out
        (video,) = await completed(db, await owner(db), one)
        await obstore.delete_async(one.storage.objects, place(video))
        for _ in range(2):
            assert await repair(video, one) is False
        assert (await held(db, video)).lost
        assert await notices(db) == [("content_lost", {"video_id": video, "provider": "sandbox", "delivered": False})]
        await obstore.put_async(one.storage.objects, place(video), content(video))
        assert await repair(video, one) is True
        seen = await held(db, video)
        assert (seen.lost, seen.damaged) == (False, False)
        assert await db.fetchval("SELECT count(*) FROM content WHERE mend_at IS NOT NULL") == 0

    with_database(database_url, verb)


async def notices(db: Database) -> Sequence[tuple[str, object]]:
    return [(record["kind"], record["detail"]) for record in await db.fetch("SELECT kind, detail FROM notice")]


def test_a_store_that_cannot_be_read_damages_nothing(database_url: str) -> None:
    """An outage says nothing of what is stored."""

    async def verb(db: Database) -> None:
        one = engine(db)
        (video,) = await completed(db, await owner(db), one)
        dead = S3Store(
            "nobody", endpoint="http://127.0.0.1:9", access_key_id="x", secret_access_key="x",
            client_options={"allow_http": True}, retry_config={"max_retries": 0},
        )  # fmt: skip
        storage = type(one.storage)(
            store=dead, scratch=one.storage._scratch, confine=one.storage._confine, marking=one.storage._marking
        )
        assert await scrub(msgspec.structs.replace(one, storage=storage)) == 0  # it is put off
        assert not (await held(db, video)).damaged
        assert await mending(db) == []

    with_database(database_url, verb)
