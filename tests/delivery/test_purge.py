"""Purge: what is due goes from every place, whatever happens meanwhile, and leaves its receipt."""

import asyncio
import base64
import json
from typing import Any, cast

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from generations.kit import Owner, engine, new, owner, with_database
from seedance_api.delivery import queries
from seedance_api.delivery.receipt import receipt, receipt_key
from seedance_api.delivery.rows import Asset
from seedance_api.foundation import objects
from seedance_api.foundation.db import Database
from seedance_api.foundation.put_object import put_bytes
from seedance_api.generations.engine import Engine
from seedance_api.generations.purge import purge, purge_due, warn_due
from seedance_api.generations.write import Writer
from seedance_api.providers.provider import Output


async def completed(
    db: Database, me: Owner, one: Engine, count: int = 1, *, due: bool = True, key: str = ""
) -> list[str]:
    """Finished videos with an object each, past their end or not."""
    news = [new(me, key=f"{key}{at}") for at in range(count)]
    write = Writer(db)
    await asyncio.gather(*(write(each) for each in news))
    ids = sorted(each.id for each in news)
    await db.execute(
        "UPDATE generation SET state = 'completed', output = $2, finished_at = now() WHERE id = ANY ($1)", ids, Output()
    )
    async with db.transaction() as connection:
        for each in ids:
            key = f"content/{each}/1/video.mp4"
            await put_bytes(one.storage.objects, key, each.encode())
            asset = Asset(variant="video", object_key=key, media_type="video/mp4", bytes=len(each), sha256="ab" * 32)
            await queries.insert_content(connection, each, 3600, [asset])
    if due:
        await db.execute(
            "UPDATE content SET purge_at = now() - interval '1 day', stored_at = now() - interval '2 days'"
        )
    return ids


def test_p19_a_purge_that_was_missed_catches_up_in_batches(database_url: str) -> None:
    async def verb(db: Database) -> None:
        one = engine(db)
        ids = await completed(db, await owner(db), one, 1201)
        assert await purge_due(one) == 1201
        assert await purge_due(one) == 0
        assert not [key for page in one.storage.objects.list() for key in page]
        states = await db.fetch("SELECT state, cleared_at IS NOT NULL AS cleared, count(*) FROM content GROUP BY 1, 2")
        assert [tuple(row) for row in states] == [("purged", True, 1201)]
        counts: tuple[tuple[Any, int], ...] = (
            ("SELECT count(*) FROM asset", 0),
            ("SELECT count(*) FROM deletion WHERE what = 'video' AND reason = 'expired'", 1201),
            ("SELECT count(*) FROM event WHERE type = 'video.purged'", 1201),
            ("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'tidy'", 1201),
        )
        for sql, expected in counts:
            assert await db.fetchval(sql) == expected, sql
        assert len(ids) == 1201

    with_database(database_url, verb)


async def me_of(db: Database) -> tuple[str, str]:
    row = await db.fetchrow("SELECT account_id, id FROM api_key")
    assert row is not None
    return row["account_id"], row["id"]


def test_an_object_that_cannot_be_deleted_keeps_no_other(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def verb(db: Database) -> None:
        one = engine(db)
        ids = await completed(db, await owner(db), one, 20)
        real = objects.delete

        async def delete(store: Any, keys: list[str]) -> None:
            if any(ids[7] in key for key in keys):
                raise OSError("the disk says no")
            await real(store, keys)

        with monkeypatch.context() as patch:
            patch.setattr(objects, "delete", delete)
            assert await purge_due(one) == 19
            (later,) = await completed(db, Owner(*await me_of(db)), one, key="later")
            assert await purge_due(one) == 1  # nor does it keep what falls due after it
            assert later not in await db.fetchval("SELECT array_agg(generation_id) FROM asset")
        assert await db.fetchval("SELECT generation_id FROM asset") == ids[7]
        assert await queries.asset_of(db, ids[7], "video") is None  # it is served no more all the same
        assert await purge_due(one) == 0
        await db.execute("UPDATE content SET clear_at = now()")
        assert await purge_due(one) == 1

    with_database(database_url, verb)


def test_two_that_purge_at_once_announce_once(database_url: str, schedules: Any) -> None:
    async def verb(db: Database) -> None:
        one = engine(db)
        await completed(db, await owner(db), one, 300)
        await asyncio.gather(*(purge_due(one) for _ in range(4)))
        for sql in ("SELECT count(*) FROM event WHERE type = 'video.purged'", "SELECT count(*) FROM deletion"):
            assert await db.fetchval(sql) == 300
        schedules(4)

    with_database(database_url, verb)


def test_who_has_not_fetched_it_is_warned_once_and_who_has_is_not(database_url: str) -> None:
    async def verb(db: Database) -> None:
        one = engine(db)
        early, late, served = await completed(db, await owner(db), one, 3, due=False)
        assert await warn_due(one) == 0
        await db.execute("UPDATE content SET warn_at = now() - interval '1 second' WHERE generation_id <> $1", late)
        whole = await queries.note_served(db, served, "ab" * 32, 0, len(served))
        assert whole is not None
        assert await queries.deliver(db, whole) is True
        assert await warn_due(one) == 1
        assert await warn_due(one) == 0
        told = await db.fetch("SELECT data ->> 'id' AS id FROM event WHERE type = 'video.expiring'")
        assert [row["id"] for row in told] == [early]

    with_database(database_url, verb)


def test_of_pieces_that_are_noted_at_once_none_is_lost(database_url: str) -> None:
    async def verb(db: Database) -> None:
        one = engine(db)
        (video,) = await completed(db, await owner(db), one, due=False)
        sql = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        async with db.transaction() as connection:  # a piece that takes its time
            await queries.note_served(cast("Database", connection), video, "ab" * 32, 0, 1)
            others = [asyncio.create_task(queries.note_served(db, video, "ab" * 32, at, at + 1)) for at in (2, 4, 6)]
            while len(await db.fetch(sql)) < len(others):
                await asyncio.sleep(0.01)
        await asyncio.gather(*others)
        assert str(await db.fetchval("SELECT served::text FROM asset WHERE generation_id = $1", video)) == (
            "{[0,1),[2,3),[4,5),[6,7)}"
        )

    with_database(database_url, verb)


def test_a_receipt_says_what_went_and_what_is_kept_and_is_signed(database_url: str) -> None:
    async def verb(db: Database) -> None:
        one, me = engine(db), await owner(db)
        (video,) = await completed(db, me, one, due=False)
        before = await receipt(db, me.account_id, False, video, receipt_key(b"p" * 32))
        assert not before.complete
        assert {kept.what for kept in before.kept} == {"video", "prompt"}
        await put_bytes(one.storage.objects, f"content/{video}/0/video.mp4", b"left by a worker that was killed")
        await purge(db, one.storage.objects, video)
        await purge(db, one.storage.objects, video)
        assert not [key for page in one.storage.objects.list() for key in page]
        after = await receipt(db, me.account_id, False, video, receipt_key(b"p" * 32))
        assert [(line.what, line.digest, line.bytes) for line in after.deleted] == [("video", "ab" * 32, len(video))]
        said = json.loads(msgspec.json.encode(after))
        assert verified(said)
        said["deleted"][0]["bytes"] += 1
        assert not verified(said)

    with_database(database_url, verb)


def verified(said: dict[str, Any]) -> bool:
    """As docs/delivery.md shows it."""
    receipt_ = dict(said)
    signature = receipt_.pop("signature")
    text = json.dumps(receipt_, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(signature["public_key"]))
    try:
        key.verify(base64.b64decode(signature["value"]), text)
    except InvalidSignature:
        return False
    return True
