"""An owner says of what balance on he wants to hear, and hears of it once for each time that it falls below."""

import json
from collections.abc import Awaitable, Callable

import pytest

from generations.kit import with_database
from money.bank import Bank
from security.attack import refused, rows
from seedance_api.billing import balance, credit
from seedance_api.billing.expire import expire_grants
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.idempotency import Once
from seedance_api.generations.announce import announce_news
from stage import Service

BODY = {"prompt": "A pond", "duration": 4, "resolution": "480p"}


def told(service: Service, account: str) -> list[str]:
    sql = "SELECT data FROM event WHERE type = 'balance.low' AND account_id = $1 ORDER BY id"
    return [row["data"] for row in rows(service.database_url, sql, account)]


def test_a_balance_that_falls_below_is_told_once(start_service: object) -> None:
    service: Service = start_service(live_sandbox="true")  # type: ignore[operator]
    service.credit("1")
    with service.client(service.new_key("live")) as client:
        assert client.get("/v1/balance").json()["low_balance"] is None
        said = client.post("/v1/balance", json={"low_balance": "0.80"}, headers={"Idempotency-Key": "a"})
        assert said.json()["low_balance"] == "0.800000"
        again = client.post("/v1/balance", json={"low_balance": "0.80"}, headers={"Idempotency-Key": "a"})
        assert again.headers["idempotent-replayed"] == "true"
        refused(client.post("/v1/balance", json={"low_balance": 1}, headers={"Idempotency-Key": "a"}), 422)
        for _ in range(3):
            assert client.post("/v1/videos", json=BODY).status_code == 200
        (one,) = map(json.loads, told(service, service.account["id"]))
        assert (one["threshold"], one["currency"]) == ("0.800000", "USD")
        assert client.post("/v1/balance", json={"low_balance": None}).json()["low_balance"] is None


def test_what_is_no_amount_is_refused(service: Service) -> None:
    service.credit("1")
    with service.client(service.new_key("live")) as client, service.client() as test:
        for body in ({"low_balance": "-1"}, {"low_balance": "x"}, {"low_balance": 1e9}, {"low_balance": []}, {}):
            error = refused(client.post("/v1/balance", json=body), 400, code="invalid_request")
            assert {one["path"] for one in error["errors"]} == {"low_balance"}
        refused(test.post("/v1/balance", json={"low_balance": "1"}), 400, code="invalid_request")


async def _low_of(db: Database, bank: Bank) -> list[str]:
    found = await db.fetch(
        "SELECT data->>'available' AS available FROM event WHERE type = 'balance.low' AND account_id = $1 ORDER BY id",
        bank.me.account_id,
    )
    return [record["available"] for record in found]


async def _grant(db: Database, bank: Bank, amount: int) -> None:
    await credit.grant(db, bank.me.account_id, amount, days=1, reason="welcome", author="test", announce=announce_news)


async def _end_grants(db: Database) -> None:
    await db.execute("UPDATE credit_grant SET expires_at = now()")
    await db.execute("UPDATE wallet SET grant_expires_at = now() WHERE granted > 0")


async def _expire(db: Database, bank: Bank) -> None:
    del bank
    await expire_grants(db, announce=announce_news)


async def _credit_a_little(db: Database, bank: Bank) -> None:
    del db
    await bank.credit(1)


async def _repeat(db: Database, bank: Bank) -> None:
    """A repeat moves nothing, and ends the grants all the same."""
    me = bank.me.account_id
    await credit.credit(db, me, 10, reason="paid", author="x", reference="once", announce=announce_news)


async def _create(db: Database, bank: Bank) -> None:
    del db
    await bank.create(quoted=100, most=100)


async def _adjust(db: Database, bank: Bank) -> None:
    await credit.adjust(db, bank.me.account_id, 400, reason="mistake", author="test", announce=announce_news)


FALLS: dict[str, tuple[Callable[[Database, Bank], Awaitable[None]], int, bool, str]] = {
    "grants end by the schedule": (_expire, 900, True, "0.000110"),
    "grants end with a credit": (_credit_a_little, 900, True, "0.000111"),
    "grants end with a repeated credit": (_repeat, 900, True, "0.000110"),
    "grants end with a create": (_create, 900, True, "0.000010"),
    "money is taken away": (_adjust, 400, False, "0.000110"),
}
"""What is done, the money granted beside 110 of paid money or else paid too, whether it ends, and what is left."""


@pytest.mark.parametrize("fall", FALLS)
def test_every_fall_of_the_balance_is_told_once(database_url: str, fall: str) -> None:
    act, more, ends, left = FALLS[fall]

    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 100)
        me = bank.me.account_id
        await credit.credit(db, me, 10, reason="paid", author="x", reference="once", announce=announce_news)
        await (_grant(db, bank, more) if ends else bank.credit(more))
        await balance.set_low_balance(db, me, 200, once=None)
        if ends:
            await _end_grants(db)
        await act(db, bank)
        assert await _low_of(db, bank) == [left]
        await _expire(db, bank)
        assert await _low_of(db, bank) == [left]
        await bank.credit(1000)
        assert await _low_of(db, bank) == [left], "a rise is no fall"
        await bank.is_sound()

    with_database(database_url, verb)


def test_under_a_key_it_is_said_once(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = (await Bank.open(db, 0)).me

        def once(said: bytes) -> Once:
            return Once(account_id=me.account_id, route="live POST /v1/balance", key="k", fingerprint=said)

        assert await balance.set_low_balance(db, me.account_id, 200, once=once(b"200"))
        await balance.set_low_balance(db, me.account_id, 300, once=None)
        assert not await balance.set_low_balance(db, me.account_id, 200, once=once(b"200"))
        assert (await balance.balance(db, me.account_id, True, me.key_id)).low == 300
        with pytest.raises(AppError) as refused:
            await balance.set_low_balance(db, me.account_id, 400, once=once(b"400"))
        assert refused.value.code == "idempotency_mismatch"
        assert await balance.balance(db, me.account_id, False, me.key_id) == balance.Balance()

    with_database(database_url, verb)
