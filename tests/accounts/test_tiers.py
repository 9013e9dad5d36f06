"""How many times the rate limits an account has: by what it has spent, unless the operator said so."""

import asyncio
from collections.abc import Callable
from datetime import date

import pytest

from accounts.test_authenticate import PEPPER_BYTES, with_database
from seedance_api.accounts import create, queries, tiers
from seedance_api.accounts.authenticate import Authenticator
from seedance_api.accounts.keys import KeyMode
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.listen import Listener
from seedance_api.foundation.money import MICRO
from stage import Service, until

EMAIL = "one@example.org"
TIERS = ((100, 2), (1000, 5))


async def spend(db: Database, account_id: str, charged: int, refunded: int = 0, *, livemode: bool = True) -> None:
    """Write a day's usage."""
    days = await db.fetchval("SELECT count(*) FROM usage")
    mode = KeyMode.LIVE if livemode else KeyMode.TEST
    key_id = await db.fetchval("SELECT min(id) FROM api_key WHERE account_id = $1 AND mode = $2", account_id, mode)
    if key_id is None:
        email = await db.fetchval("SELECT email FROM account WHERE id = $1", account_id)
        key_id = (await create.create_key(db, PEPPER_BYTES, email=email, mode=mode)).id
    await db.execute(
        """
        INSERT INTO usage (account_id, livemode, day, model, key_id, charged, refunded)
        VALUES ($1, $2, $3, 'm', $4, $5, $6)
        """,
        account_id,
        livemode,
        date.fromordinal(date(2026, 1, 1).toordinal() + days),
        key_id,
        charged,
        refunded,
    )


async def tier_of(db: Database, email: str = EMAIL) -> int:
    """The multiplier that the account has earned."""
    account = await queries.account_by_email(db, email)
    assert account is not None
    return account.tier_multiplier


def test_a_tier_is_reached_by_what_live_videos_cost_less_refunds(database_url: str) -> None:
    async def verb(db: Database) -> None:
        account = await create.create_account(db, EMAIL)
        other = await create.create_account(db, "two@example.org")
        assert await tier_of(db) == 1
        await spend(db, account.id, 5000 * MICRO, livemode=False)
        await spend(db, account.id, 100 * MICRO - 1)
        await tiers.update_tiers(db, TIERS)
        assert await tier_of(db) == 1
        await spend(db, account.id, 1)
        await tiers.update_tiers(db, TIERS)
        assert await tier_of(db) == 2
        await spend(db, account.id, 2000 * MICRO, 1100 * MICRO + 1)
        await tiers.update_tiers(db, TIERS)
        assert await tier_of(db) == 2
        await spend(db, account.id, 1)
        await tiers.update_tiers(db, TIERS)
        assert await tier_of(db) == 5
        assert await tier_of(db, other.email) == 1
        await tiers.update_tiers(db, ())
        assert await tier_of(db) == 1, "without tiers nobody has one"

    with_database(database_url, verb)


def test_a_change_reaches_every_process_at_once(database_url: str) -> None:
    async def verb(db: Database) -> None:
        account = await create.create_account(db, EMAIL)
        key = (await create.create_key(db, PEPPER_BYTES, email=EMAIL, mode=KeyMode.LIVE)).key
        process = Authenticator(db=db, pepper=PEPPER_BYTES)
        listener = Listener(db.url, {"key_revoked": process.forget}, process.forget_all)
        await listener.start()

        async def becomes(multiplier: int) -> None:
            async with asyncio.timeout(2):  # below the five seconds that a key is remembered
                while (await process(f"Bearer {key}")).rate_multiplier != multiplier:
                    await asyncio.sleep(0.01)

        await becomes(1)
        await spend(db, account.id, 100 * MICRO)
        await tiers.update_tiers(db, TIERS)
        await becomes(2)
        await tiers.set_rate(db, EMAIL, 40)
        await becomes(40)
        await spend(db, account.id, 1000 * MICRO)
        await tiers.update_tiers(db, TIERS)
        assert (await Authenticator(db=db, pepper=PEPPER_BYTES)(f"Bearer {key}")).rate_multiplier == 40
        await tiers.set_rate(db, EMAIL, None)
        await becomes(5)
        await listener.stop()

    with_database(database_url, verb)


@pytest.mark.parametrize("multiplier", [0, -1, 1001])
def test_a_multiplier_out_of_its_bounds_changes_nothing(database_url: str, multiplier: int) -> None:
    async def verb(db: Database) -> None:
        await create.create_account(db, EMAIL)
        with pytest.raises(AppError) as refused:
            await tiers.set_rate(db, EMAIL, multiplier)
        assert f"must be 1 to 1000 (got {multiplier})" in refused.value.message
        with pytest.raises(AppError) as none:
            await tiers.set_rate(db, "nobody@example.org", 2)
        assert none.value.code == "not_found"

    with_database(database_url, verb)


def test_the_command_sets_it_and_answers_tell(start_service: Callable[..., Service]) -> None:
    service = start_service(reads_per_minute="50")
    account = service.new_account()["email"]
    with service.client(service.new_key("test", account)) as client:

        def limit() -> str:
            return client.get("/v1/models").headers["ratelimit-policy"]

        assert limit() == '"read";q=50;w=60'
        assert service.command("account", "rate", account, "7")["rate_multiplier"] == 7
        until(lambda: limit() == '"read";q=350;w=60')
        assert service.command("account", "rate", account)["rate_multiplier"] == 7
        assert service.command("account", "rate", account, "--default")["rate_multiplier"] == 1
        until(lambda: limit() == '"read";q=50;w=60')
