"""Everybody at once for a balance or a limit that is enough for ten: exactly ten are accepted, sums to the digit."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any

import httpx
import pytest

from faults.kit import SHORT
from generations.kit import with_database
from money.bank import Bank
from seedance_api.accounts import create as accounts
from seedance_api.accounts.keys import KeyMode
from seedance_api.billing.limits import set_limits, spending
from seedance_api.billing.rows import Period
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.generations.queries.inserts import NewGeneration
from seedance_api.generations.write import Created, Writer
from stage import Service, finished

_PRICE = 1000


async def everybody(database_url: str, news: list[NewGeneration], processes: int = 4) -> list[Created | AppError]:
    """Write them all at once, through as many pools and writers as there would be processes."""
    pools = [await Database.connect(database_url, max_connections=4) for _ in range(processes)]
    writers = [Writer(pool) for pool in pools]
    try:
        found = await asyncio.gather(
            *(writers[at % processes](new) for at, new in enumerate(news)), return_exceptions=True
        )
    finally:
        for pool in pools:
            await pool.close()
    assert all(isinstance(one, Created | AppError) for one in found), found
    return [one for one in found if isinstance(one, Created | AppError)]


def codes(found: list[Created | AppError]) -> Counter[str]:
    """How it ended for how many."""
    return Counter(one.code if isinstance(one, AppError) else "replayed" if one.replayed else "made" for one in found)


def test_of_400_creates_with_a_balance_for_ten_exactly_ten_are_made(
    database_url: str, schedules: Callable[[int], None]
) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 10 * _PRICE + 999)
        news = [await bank.compose(quoted=_PRICE, most=_PRICE, key=f"key {at}") for at in range(400)]
        found = await everybody(database_url, news)
        assert codes(found) == {"made": 10, "insufficient_balance": 390}
        wallet = await bank.wallet()
        assert (wallet.available, wallet.held) == (999, 10 * _PRICE)
        assert await db.fetchval("SELECT count(*) FROM generation") == 10
        assert await db.fetchval("SELECT count(*) FROM idempotency") == 10  # a refusal keeps no key
        await bank.is_sound()

    with_database(database_url, verb)
    schedules(400)


def test_with_forty_keys_among_them_each_key_is_one_video_or_none(
    database_url: str, schedules: Callable[[int], None]
) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 10 * _PRICE)
        news = [await bank.compose(quoted=_PRICE, most=_PRICE, key=f"key {at % 40}") for at in range(400)]
        found = await everybody(database_url, news)
        counted = codes(found)
        assert counted["made"] == 10
        assert counted["made"] + counted["replayed"] == 100
        assert counted["insufficient_balance"] == 300
        by_key: dict[str, set[str]] = {}
        for new, one in zip(news, found, strict=True):
            said = one.code if isinstance(one, AppError) else one.generation_id
            by_key.setdefault(new.once.key, set()).add(said)
        assert all(len(said) == 1 for said in by_key.values())
        await bank.is_sound()

    with_database(database_url, verb)
    schedules(400)


@pytest.mark.parametrize("whose", ["account", "key"])
@pytest.mark.parametrize("period", list(Period))
def test_two_keys_under_one_limit_spend_no_more_than_it_allows(
    database_url: str, schedules: Callable[[int], None], whose: str, period: Period
) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 1000 * _PRICE)
        other = await accounts.create_key(db, b"p" * 32, email="bank@example.org", mode=KeyMode.LIVE)
        first, second = bank.me.key_id, other.id
        subject = None if whose == "account" else first
        await set_limits(db, bank.me.account_id, subject, {period: 10 * _PRICE + 1})
        news = [
            await bank.compose(quoted=_PRICE, most=_PRICE, key=f"key {at}", key_id=(first, second)[at % 2])
            for at in range(100)
        ]
        found = await everybody(database_url, news)
        made = Counter(new.key_id for new, one in zip(news, found, strict=True) if isinstance(one, Created))
        if whose == "account":
            assert codes(found) == {"made": 10, "limit_reached": 90}
        else:
            assert (made[first], made[second]) == (10, 50)
        (limit,) = await spending(db, bank.me.account_id)
        assert (limit.spent, limit.left) == (10 * _PRICE, 1)
        await bank.is_sound()

    with_database(database_url, verb)
    schedules(100)


def test_a_limit_set_while_everybody_spends_counts_what_was_spent(
    database_url: str, schedules: Callable[[int], None]
) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 1000 * _PRICE)
        news = [await bank.compose(quoted=_PRICE, most=_PRICE) for _ in range(200)]

        async def limit() -> None:
            await asyncio.sleep(0)
            await set_limits(db, bank.me.account_id, None, {Period.DAY: 70 * _PRICE})

        found, _ = await asyncio.gather(everybody(database_url, news), limit())
        assert codes(found)["made"] >= 70
        await bank.is_sound()

    with_database(database_url, verb)
    schedules(200)


def test_credits_and_creates_at_the_same_time_lose_nothing(database_url: str, schedules: Callable[[int], None]) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 5 * _PRICE)
        news = [await bank.compose(quoted=_PRICE, most=_PRICE) for _ in range(200)]
        found, *_ = await asyncio.gather(everybody(database_url, news), *(bank.credit(_PRICE) for _ in range(20)))
        assert found is not None
        made = codes(found)["made"]
        wallet = await bank.wallet()
        assert 5 <= made <= 25
        assert (wallet.available, wallet.held) == ((25 - made) * _PRICE, made * _PRICE)
        await bank.is_sound()

    with_database(database_url, verb)
    schedules(220)


def test_over_http_and_four_processes_the_same(
    start_service: Callable[..., Service], schedules: Callable[[int], None]
) -> None:
    service = start_service(workers="4", live_sandbox="true", sandbox_slots="1")
    key = service.new_key("live")
    with service.client(key) as client:
        body = SHORT | {"prompt": "x", "ratio": "16:9"}
        cost = client.post("/v1/videos/quote", json=body).json()["cost"]
        service.credit(f"{10 * float(cost['hold']):.6f}")
        answers = asyncio.run(_at_once(service, key, body, 400))
        counted = Counter((one.status_code, (one.json()["error"] or {}).get("code")) for one in answers)
        assert counted == {(200, None): 10, (402, "insufficient_balance"): 390}
        balance = client.get("/v1/balance").json()
        assert balance["available"] == "0.000000"
        made = [one.json()["id"] for one in answers if one.status_code == 200]
        # what was rendered meanwhile holds nothing any more
        charged = sum(client.get(f"/v1/videos/{video}").json()["status"] == "completed" for video in made)
        holds, rest = divmod(Decimal(balance["held"]), Decimal(cost["hold"]))
        assert rest == 0
        assert 10 - charged <= holds <= 10
        for video in made:
            client.post(f"/v1/videos/{video}/cancel")
            finished(client, video)
        # one or the other may have been rendered before it was canceled
        enough = int(Decimal(client.get("/v1/balance").json()["available"]) / Decimal(cost["hold"]))
        assert 5 <= enough <= 10
        mixed = asyncio.run(_at_once(service, key, body, 400, keys=40))
        mixed_made = {one.json()["id"] for one in mixed if one.status_code == 200}
        assert len(mixed_made) == enough
        assert Counter(one.status_code for one in mixed) == {200: 10 * enough, 402: 400 - 10 * enough}
    service.doctor()
    schedules(800)


async def _at_once(
    service: Service, key: str, body: dict[str, Any], count: int, *, keys: int = 0
) -> list[httpx.Response]:
    headers = {"Authorization": f"Bearer {key}"}
    async with AsyncExitStack() as stack:
        # one pool of 400 connections spends most of its time on looking for a free one
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=service.url, headers=headers, timeout=60, trust_env=False)
            )
            for _ in range(8)
        ]
        return await asyncio.gather(
            *(
                clients[at % 8].post(
                    "/v1/videos",
                    json=body | {"prompt": f"x {at % keys if keys else at}"},
                    headers={"Idempotency-Key": f"mixed {at % keys}"} if keys else {},
                )
                for at in range(count)
            )
        )
