"""What is done to endpoints is done once under a key; a repeat hears what that was, and another body is refused."""

import asyncio
from collections.abc import Awaitable

import pytest

from generations.kit import owner, with_database
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.idempotency import Once
from seedance_api.webhooks.endpoints import (
    MAX_ENDPOINTS,
    Owner,
    Wanted,
    create_endpoint,
    delete_endpoint,
    update_endpoint,
)
from seedance_api.webhooks.probe import Prober
from seedance_api.webhooks.replay import replay
from seedance_api.webhooks.rotate import account_secret, rotate_secret
from seedance_api.webhooks.rows import Range, account_subject
from webhooks.kit import deliverer, receiver, status

WANTED = Wanted(url="https://example.com/", event_types=("balance.low",), name="", description="", signs=("v1",))


def once(account_id: str, said: bytes = b"a", key: str = "k") -> Once:
    return Once(account_id=account_id, route="test POST", key=key, fingerprint=said)


async def code(work: Awaitable[object]) -> str:
    with pytest.raises(AppError) as refused:
        await work
    return refused.value.code


def test_an_endpoint_is_made_and_changed_once(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = Owner((await owner(db)).account_id, livemode=False)
        made = await asyncio.gather(*(create_endpoint(db, me, WANTED, once(me.account_id)) for _ in range(5)))
        assert len({one.endpoint.id for one in made}) == 1
        assert sorted(one.replayed for one in made) == [False, True, True, True, True]
        mine = made[0].endpoint.id
        assert await code(create_endpoint(db, me, WANTED, once(me.account_id, b"b"))) == "idempotency_mismatch"

        key = once(me.account_id, key="change")
        changed = await update_endpoint(db, me, mine, Wanted(name="new"), key)
        assert (changed.endpoint.name, changed.replayed) == ("new", False)
        await update_endpoint(db, me, mine, Wanted(name="newer"), None)
        again = await update_endpoint(db, me, mine, Wanted(name="new"), key)
        assert (again.endpoint.name, again.replayed) == ("newer", True)

        await delete_endpoint(db, me, mine)
        assert await code(create_endpoint(db, me, WANTED, once(me.account_id))) == "idempotency_mismatch"

    with_database(database_url, verb)


def test_a_refusal_at_the_bound_leaves_the_key_free(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = Owner((await owner(db)).account_id, livemode=False)
        made = [await create_endpoint(db, me, WANTED, None) for _ in range(MAX_ENDPOINTS)]
        assert await code(create_endpoint(db, me, WANTED, once(me.account_id))) == "too_many_endpoints"
        await delete_endpoint(db, me, made[0].endpoint.id)
        assert not (await create_endpoint(db, me, WANTED, once(me.account_id))).replayed

    with_database(database_url, verb)


def test_a_repeated_rotation_tells_the_version_that_it_made(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = (await owner(db)).account_id
        subject = account_subject(me, livemode=True)
        made = await asyncio.gather(*(rotate_secret(db, subject, once(me), keep_old=True) for _ in range(5)))
        assert {one.version for one in made} == {2}
        assert sorted(one.replayed for one in made) == [False, True, True, True, True]
        assert (await rotate_secret(db, subject, None, keep_old=False)).version == 3
        assert (await rotate_secret(db, subject, once(me), keep_old=True)).version == 2
        assert (await account_secret(db, me, True)).version == 3
        assert (await account_secret(db, me, False)).version == 1

    with_database(database_url, verb)


def test_a_replay_and_a_test_are_answered_again_as_they_were(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = Owner((await owner(db)).account_id, livemode=False)
        async with receiver() as there, deliverer(db, there) as told:
            there.answer = status(204)
            wanted = Wanted(url=there.url, event_types=("balance.low",), name="", description="", signs=("v1",))
            mine = (await create_endpoint(db, me, wanted, None)).endpoint
            since = Range(since=mine.created_at)
            first, replayed = await replay(db, mine, since, once(me.account_id, key="replay"))
            assert (first.count, first.has_more, replayed) == (0, False, False)
            assert await replay(db, mine, since, once(me.account_id, key="replay")) == (first, True)

            probe = Prober(db=db, outbound=told.outbound, pepper=b"p" * 32)
            probed, replayed = await probe(mine, "balance.low", once(me.account_id, key="test"))
            assert (probed.success, probed.status_code, replayed) == (True, 204, False)
            assert await probe(mine, "balance.low", once(me.account_id, key="test")) == (probed, True)
            assert len(there.came) == 1

    with_database(database_url, verb)
