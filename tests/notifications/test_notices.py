"""A limit that is near or reached is announced, once in each window, to whoever listens at the operator's address."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import structlog

from generations.kit import with_database
from money.bank import Bank
from seedance_api.app.open import open_notifying
from seedance_api.billing.limits import set_limits
from seedance_api.billing.rows import Period
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.outbound import Outbound
from seedance_api.notifications.outbox import put
from seedance_api.notifications.rows import Message
from seedance_api.notifications.send import Notifier, notify, sweep_notices
from seedance_api.settings import read


class Receiver:
    """An operator's address on 127.0.0.2: what came, and what it answers."""

    def __init__(self) -> None:
        self.came: list[dict] = []
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.came.append(json.loads(body))
                self.send_response(receiver.status)
                self.send_header("location", "http://127.0.0.1/")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.2", 0), Handler)
        self.url = f"http://127.0.0.2:{self._server.server_port}/limits"
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


def notifier(db: Database, receiver: Receiver, *, open_networks: bool = True) -> Notifier:
    outbound = Outbound(
        allow_http=True,
        extra_ports=frozenset({receiver.port}),
        allow_networks=("127.0.0.2/32",) if open_networks else (),
    )
    return Notifier(db=db, outbound=outbound, url=receiver.url)


async def deliver(db: Database, told: Notifier) -> None:
    """What the jobs do."""
    for record in await db.fetch("SELECT payload FROM pgqueuer WHERE entrypoint = 'notify' ORDER BY id"):
        await notify(bytes(record["payload"]).decode(), told)


def test_at_80_and_at_100_per_cent_once_each(database_url: str, receiver: Receiver) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 100_000)
        await set_limits(db, bank.me.account_id, None, {Period.DAY: 1000})
        await set_limits(db, bank.me.account_id, bank.me.key_id, {Period.TOTAL: 5000})
        for _ in range(10):
            await bank.writer(await bank.compose(quoted=100, most=100))
        for _ in range(2):
            with pytest.raises(AppError, match="limit_reached"):
                await bank.writer(await bank.compose(quoted=100, most=100))
        told = notifier(db, receiver)
        await deliver(db, told)
        await deliver(db, told)  # a job may run twice
        await told.outbound.aclose()
        assert [(one["type"], one["data"]["percent"], one["data"]["spent"]) for one in receiver.came] == [
            ("limit_near", 80, "0.000800"),
            ("limit_reached", 100, "0.001000"),
        ]
        assert {one["account_id"] for one in receiver.came} == {bank.me.account_id}
        assert set(receiver.came[0]["data"]) == {"scope", "key_id", "period", "limit", "spent", "percent"}

    with_database(database_url, verb)


def test_a_refusal_by_a_limit_that_is_not_full_is_a_limit_reached(database_url: str, receiver: Receiver) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 100_000)
        await set_limits(db, bank.me.account_id, bank.me.key_id, {Period.MONTH: 1000})
        for _ in range(3):
            with pytest.raises(AppError, match="limit_reached"):
                await bank.writer(await bank.compose(quoted=1001, most=1001))
        told = notifier(db, receiver)
        await deliver(db, told)
        await told.outbound.aclose()
        (one,) = receiver.came
        assert (one["type"], one["data"]["scope"], one["data"]["key_id"]) == ("limit_reached", "key", bank.me.key_id)

    with_database(database_url, verb)


@pytest.mark.parametrize("status", [302, 404, 500])
def test_what_is_not_taken_is_sent_again_later_with_the_same_id(
    database_url: str, receiver: Receiver, status: int
) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 100_000)
        await set_limits(db, bank.me.account_id, None, {Period.DAY: 100})
        await bank.writer(await bank.compose(quoted=100, most=100))
        told = notifier(db, receiver)
        receiver.status = status
        await deliver(db, told)
        row = await db.fetchrow("SELECT tries, due_at > now() + interval '20 seconds' AS later, closed_at FROM notice")
        assert row is not None
        assert tuple(row.values()) == (1, True, None)
        # its job is lost; a minute after it was due the sweep brings another
        await db.execute("DELETE FROM pgqueuer")
        await db.execute("UPDATE notice SET due_at = now() - interval '2 minutes'")
        await asyncio.gather(sweep_notices(db), sweep_notices(db))
        assert await db.fetchval("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'notify'") == 1
        receiver.status = 204
        await deliver(db, told)
        await told.outbound.aclose()
        assert len({one["id"] for one in receiver.came}) == 1
        assert len(receiver.came) == 2
        assert await db.fetchval("SELECT closed_at IS NOT NULL FROM notice")

    with_database(database_url, verb)


def test_an_inner_address_is_not_told_unless_it_is_opened(database_url: str, receiver: Receiver) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 100_000)
        await set_limits(db, bank.me.account_id, None, {Period.DAY: 100})
        await bank.writer(await bank.compose(quoted=100, most=100))
        told = notifier(db, receiver, open_networks=False)
        await deliver(db, told)
        await told.outbound.aclose()
        assert receiver.came == []
        assert await db.fetchval("SELECT tries FROM notice") == 1

    with_database(database_url, verb)


def test_without_an_address_the_log_is_enough(database_url: str) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 100_000)
        await set_limits(db, bank.me.account_id, None, {Period.DAY: 100})
        await bank.writer(await bank.compose(quoted=100, most=100))
        outbound = Outbound()
        await deliver(db, Notifier(db=db, outbound=outbound, url=None))
        await outbound.aclose()
        assert await db.fetchval("SELECT closed_at IS NOT NULL FROM notice")

    with_database(database_url, verb)


def test_the_operators_own_address_may_have_any_port_and_a_failure_is_logged(database_url: str) -> None:
    settings = read({"SEEDANCE_NOTICE_URL": "https://notices.example.com:47006/x"})
    outbound = open_notifying(settings)
    assert outbound.refuse("https://notices.example.com:47006/x") is None
    assert outbound.refuse("https://notices.example.com:47007/x") is not None

    async def verb(db: Database) -> None:
        async with db.transaction() as connection:
            await put(connection, [Message(kind="outage", detail={"waits_for": "x"})])
        notice_id = await db.fetchval("SELECT id FROM notice")
        with structlog.testing.capture_logs() as logged:
            await notify(notice_id, Notifier(db=db, outbound=Outbound(), url="https://127.0.0.1:9/x"))
        assert [(one["kind"], one["tries"]) for one in logged if one["event"] == "notice.not_told"] == [("outage", 1)]

    with_database(database_url, verb)
