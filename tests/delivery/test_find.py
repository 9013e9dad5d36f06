"""A file is found by its owner alone; of what is not there, it is said why; and no address outlives it."""

import msgspec
import pytest
from obstore.store import MemoryStore

from delivery.test_purge import completed
from generations.kit import engine, new, owner, with_database
from seedance_api.delivery import link
from seedance_api.delivery.address import Addresses
from seedance_api.delivery.deliver import confirm
from seedance_api.delivery.find import find, find_linked, whole
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.idempotency import Once
from seedance_api.foundation.objects import TornError
from seedance_api.generations.purge import purge
from seedance_api.generations.write import Writer

KEY = link.link_key(b"p" * 32)


def once(account_id: str, said: bytes) -> Once:
    return Once(account_id=account_id, route="test POST /delivered", key="k", fingerprint=said)


def test_of_what_is_not_served_it_is_said_why(database_url: str) -> None:
    async def verb(db: Database) -> None:
        one, me, other = engine(db), await owner(db), await owner(db, "two@example.org")
        video, deleted = await completed(db, me, one, 2, due=False)
        queued = (await Writer(db)(new(me))).generation_id
        assert (await find(db, me.account_id, False, video, "video")).generation_id == video

        async def code(account_id: str, livemode: bool, generation_id: str, variant: str = "video") -> str:
            with pytest.raises(AppError) as refused:
                await find(db, account_id, livemode, generation_id, variant)
            return refused.value.code

        assert await code(me.account_id, False, queued) == "not_ready"
        assert await code(me.account_id, False, video, "last_frame") == "not_found"
        assert await code(me.account_id, True, video) == "not_found"
        assert await code(me.account_id, False, "no id") == "not_found"
        await db.execute("UPDATE generation SET deleted_at = now() WHERE id = $1", deleted)
        await purge(db, one.storage.objects, video)
        for gone in (video, deleted):
            assert await code(me.account_id, False, gone) == "content_gone"
            assert await code(other.account_id, False, gone) == "not_found"

    with_database(database_url, verb)


def test_a_link_leads_to_its_file_until_it_is_over(database_url: str) -> None:
    async def verb(db: Database) -> None:
        one, me = engine(db), await owner(db)
        (video,) = await completed(db, me, one, due=False)
        held = await find(db, me.account_id, False, video, "video")
        addresses = Addresses(store=MemoryStore(), key=KEY, redirect_seconds=60, clock=db.clock)
        made = await addresses.link(held, 10**9, place="/")
        assert made.expires_at == int(held.purge_at.timestamp()), "it outlives nothing"
        assert await find_linked(db, KEY, made.url[1:]) == held
        for token, code in (
            ("x", "link_invalid"),
            (link.sign(b"another", video, "video", held.sha256, made.expires_at), "link_invalid"),
            (link.sign(KEY, video, "video", held.sha256, 1), "link_expired"),
        ):
            with pytest.raises(AppError) as refused:
                await find_linked(db, KEY, token)
            assert refused.value.code == code
        await purge(db, one.storage.objects, video)
        with pytest.raises(AppError) as refused:
            await find_linked(db, KEY, made.url[1:])
        assert refused.value.code == "content_gone"

    with_database(database_url, verb)


def test_what_is_found_damaged_is_refused_and_to_be_fetched_again(database_url: str) -> None:
    async def verb(db: Database) -> None:
        one, me = engine(db), await owner(db)
        (video,) = await completed(db, me, one, due=False)
        held = await find(db, me.account_id, False, video, "video")
        for again in (held, msgspec.structs.replace(held, damaged=True)):
            with pytest.raises(AppError) as refused:
                async with whole(db, again):
                    assert not again.damaged, "nothing is begun"
                    raise TornError("it is shorter")
            assert refused.value.code == "content_damaged"
            assert (await find(db, me.account_id, False, video, "video")).damaged
        with pytest.raises(AppError) as refused:
            async with whole(db, msgspec.structs.replace(held, damaged=True, lost=True)):
                pass
        assert refused.value.code == "content_lost"
        await purge(db, one.storage.objects, video)
        with pytest.raises(AppError) as refused:
            async with whole(db, held):
                raise FileNotFoundError
        assert refused.value.code == "content_gone"

    with_database(database_url, verb)


def test_a_word_that_it_arrived_counts_once(database_url: str) -> None:
    async def verb(db: Database) -> None:
        one, me = engine(db), await owner(db)
        (video,) = await completed(db, me, one, due=False)
        assert await confirm(db, me.account_id, False, video, once=once(me.account_id, b"a"))
        await purge(db, one.storage.objects, video)
        assert not await confirm(db, me.account_id, False, video, once=once(me.account_id, b"a"))
        with pytest.raises(AppError) as refused:
            await confirm(db, me.account_id, False, video, once=once(me.account_id, b"b"))
        assert refused.value.code == "idempotency_mismatch"
        with pytest.raises(AppError) as refused:
            await confirm(db, me.account_id, False, video, once=None)
        assert refused.value.code == "content_gone"

    with_database(database_url, verb)
