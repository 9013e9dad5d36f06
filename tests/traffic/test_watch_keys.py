"""Owner and operator are told, once a day, of a key that is used otherwise than before; networks are forgotten."""

from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from generations.kit import Owner, owner, with_database
from money.bank import Bank
from money.kit import finish
from seedance_api.accounts import create
from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import new_id
from seedance_api.traffic.hours import count_hours
from seedance_api.traffic.key_queries import forget_networks
from seedance_api.traffic.queries import add_to_hours, copy_requests
from seedance_api.traffic.rows import Request
from seedance_api.traffic.watch_keys import watch_keys

FLOOR = 50
M = 1_000_000


async def ask(
    db: Database, me: Owner, address: str | None, *, status: int = 200, times: int = 1, ago: timedelta = timedelta()
) -> None:
    """Requests with a key, as the log writes them."""
    at = db.clock() - 1 - ago.total_seconds()
    made = [
        Request(new_id("req", at=at), at, "GET /v1/models", me.account_id, me.key_id, address, status, 10, 5)
        for _ in range(times)
    ]
    async with db.transaction() as connection:
        await copy_requests(connection, made)
        await add_to_hours(connection, count_hours(made))


async def notices(db: Database) -> list[dict[str, Any]]:
    return [dict(one) for one in await db.fetch("SELECT kind, account_id, detail, letter FROM notice ORDER BY id")]


def test_a_new_network_is_told_once_a_day_to_the_owner_alone(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, new = await owner(db), await owner(db, "new@example.org")
        await ask(db, me, "192.0.2.7", ago=timedelta(days=8))
        await ask(db, new, "203.0.113.1")
        await watch_keys(db, FLOOR)
        await ask(db, me, "192.0.2.7", ago=timedelta(hours=1, minutes=5))
        await db.execute("UPDATE key_network SET last_seen = now() - interval '5 hours'")  # the worker stood still
        await watch_keys(db, FLOOR)
        assert [one["detail"]["known_networks"] for one in await notices(db)] == [0], "for a month it was not used"
        await db.execute("UPDATE notice SET dedupe_key = replace(dedupe_key, '-', '')")  # it was yesterday
        await ask(db, me, "192.0.99.7")
        await ask(db, new, "192.0.2.1")
        await watch_keys(db, FLOOR)
        assert len(await notices(db)) == 1, "the network is known, and the other key is new"
        for address in ("198.51.100.7", "198.51.100.8", "2001:db8:1::1", None):
            await ask(db, me, address)
        for _ in range(2):
            await watch_keys(db, FLOOR)
        await ask(db, me, "203.0.113.9")  # another one on the same day
        await watch_keys(db, FLOOR)
        _, told = await notices(db)
        assert (told["kind"], told["account_id"]) == ("key_network", me.account_id)
        assert told["detail"] == {"key_id": me.key_id, "networks": 2, "known_networks": 1}
        assert "198.51.0.0/16, 2001:db8::/32." in told["letter"]["says"]
        assert "192.0.0.0/16" in told["letter"]["networks"]
        assert told["letter"]["key"].startswith("sda_test_")

    with_database(database_url, verb)


def test_at_the_first_look_no_network_is_new(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        await ask(db, me, "192.0.2.7", ago=timedelta(days=8))
        await ask(db, me, "198.51.100.7")
        await watch_keys(db, FLOOR)
        assert await notices(db) == []
        assert await db.fetchval("SELECT count(*) FROM key_network") == 1

    with_database(database_url, verb)


def test_networks_are_noted_as_networks_and_forgotten_after_thirty_days(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        await ask(db, me, "192.0.2.7")
        await ask(db, me, "198.51.100.7")
        await watch_keys(db, FLOOR)
        assert [str(one[0]) for one in await db.fetch("SELECT network FROM key_network ORDER BY 1")] == [
            "192.0.0.0/16",
            "198.51.0.0/16",
        ]
        for days in (29, 31):
            sql = "UPDATE key_network SET last_seen = now() - $1::interval WHERE network = '192.0.0.0/16'"
            await db.execute(sql, timedelta(days=days))
            await forget_networks(db)
            assert await db.fetchval("SELECT count(*) FROM key_network") == (2 if days == 29 else 1)
        with pytest.raises(asyncpg.CheckViolationError):
            await db.execute("INSERT INTO key_network VALUES ('key_1', '192.0.2.0/24', now(), now())")

    with_database(database_url, verb)


def test_requests_that_fail_are_told_where_they_used_not_to(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, always, gone = await owner(db), await owner(db, "two@example.org"), await owner(db, "three@example.org")
        for one in (me, always, gone):
            await ask(db, one, None, times=200, ago=timedelta(days=3))
            await ask(db, one, None, status=403, times=40)
            await ask(db, one, None, status=499, times=40)  # the client left
        await ask(db, always, None, status=404, times=100, ago=timedelta(days=3))
        await create.revoke_key(db, gone.key_id)
        for _ in range(2):
            await watch_keys(db, FLOOR)
        told = await notices(db)
        assert [(one["kind"], one["account_id"]) for one in told] == [
            ("key_failing", me.account_id),
            ("key_denied", me.account_id),
        ]
        assert told[0]["detail"] == {"key_id": me.key_id, "requests": 80, "failed": 40}
        assert (
            "40 of 80 requests with it failed within an hour (status 4xx); usually 0% do." in told[0]["letter"]["says"]
        )

    with_database(database_url, verb)


def test_spending_is_told_where_it_is_ten_times_the_usual(database_url: str) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 1000 * M)

        async def order(most: int, ago: timedelta = timedelta()) -> None:
            made = await bank.compose(quoted=most, most=most)
            made = msgspec.structs.replace(made, id=new_id("vid", at=db.clock() - ago.total_seconds()))
            await bank.writer(made)
            await db.execute(
                """
                UPDATE hold SET created_at = now() - $2::interval, counted_on = (now() - $2::interval)::date
                WHERE generation_id = $1
                """,
                made.id,
                ago,
            )

        for hours in range(2, 7):  # six an hour
            await order(6 * M, timedelta(hours=hours))
        await order(60 * M)
        await watch_keys(db, FLOOR)
        assert await notices(db) == []
        await order(1 * M)
        for _ in range(2):
            await watch_keys(db, FLOOR)
        (told,) = await notices(db)
        assert told["kind"] == "key_spending"
        assert told["detail"] == {
            "key_id": bank.me.key_id,
            "spent": "61.000000",
            "usual": "6.000000",
            "currency": "USD",
        }
        assert "up to 61.00 USD were ordered with it within an hour" in told["letter"]["says"]

    with_database(database_url, verb)


def test_videos_that_moderation_refuses_are_told(database_url: str) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 1000 * M)
        for number in range(12):
            made = await bank.create(quoted=10, most=10)
            async with db.transaction() as connection:
                await finish(connection, made.id, "failed")
                code = "input_moderated" if number < 10 else "provider_failed"
                await connection.execute("UPDATE generation SET error_code = $2 WHERE id = $1", made.id, code)
        await watch_keys(db, FLOOR)
        (told,) = await notices(db)
        assert told["detail"] == {"key_id": bank.me.key_id, "videos": 12, "moderated": 10}

    with_database(database_url, verb)
