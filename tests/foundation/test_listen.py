"""A LISTEN connection that is ended, or falls silent, is noticed: nothing that depends on it is believed meanwhile."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from faults.proxy import Proxy
from seedance_api.accounts import create
from seedance_api.accounts.authenticate import Authenticator
from seedance_api.accounts.keys import KeyMode
from seedance_api.billing.books import STANDARD, Books, load_book
from seedance_api.foundation import listen
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.listen import Listener
from stage import PEPPER

_PEPPER = bytes.fromhex(PEPPER)


def listening(url: str, verb: Callable[[Database, Proxy, Listener, Authenticator, str, str], Awaitable[None]]) -> None:
    """The listener goes through a proxy; the database does not."""

    async def main() -> None:
        with Proxy(url) as proxy:
            db = await Database.connect(url, max_connections=4)
            await create.create_account(db, "one@example.org")
            made = await create.create_key(db, _PEPPER, email="one@example.org", mode=KeyMode.TEST)
            authenticate = Authenticator(db=db, pepper=_PEPPER, hears=lambda: listener.hears)
            listener = Listener(proxy.url, {"key_revoked": authenticate.forget}, authenticate.forget_all)
            await listener.start()
            assert listener.hears
            await authenticate(f"Bearer {made.key}")
            try:
                async with asyncio.timeout(30):
                    await verb(db, proxy, listener, authenticate, made.key, made.id)
            finally:
                await listener.stop()
                await db.close()

    asyncio.run(main())


async def _until_refused(authenticate: Authenticator, key: str, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while True:
            try:
                await authenticate(f"Bearer {key}")
            except AppError:
                return
            await asyncio.sleep(0.01)


def test_a_killed_listener_forgets_every_key_at_once(database_url: str) -> None:
    async def verb(
        db: Database, proxy: Proxy, listener: Listener, authenticate: Authenticator, key: str, key_id: str
    ) -> None:
        proxy.shut()  # so that it cannot come back
        ended = await db.fetchval(
            """
            SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE application_name ~ 'listener' AND datname = current_database()
            """
        )
        assert ended == 1
        proxy.thaw()  # the end arrives
        async with asyncio.timeout(2):
            while listener.hears:
                await asyncio.sleep(0.01)
        await create.revoke_key(db, key_id)
        await _until_refused(authenticate, key, 1)
        proxy.open()
        async with asyncio.timeout(15):
            while not listener.hears:
                await asyncio.sleep(0.01)
        with pytest.raises(AppError):  # nothing is believed again that was known before the gap
            await authenticate(f"Bearer {key}")

    listening(database_url, verb)


def test_a_silent_listener_is_not_believed_for_long(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert listen.SILENT_SECONDS < 5, "less than a key is remembered"
    monkeypatch.setattr(listen, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(listen, "SILENT_SECONDS", 0.8)

    async def verb(
        db: Database, proxy: Proxy, listener: Listener, authenticate: Authenticator, key: str, key_id: str
    ) -> None:
        assert proxy.freeze() == 1
        frozen_at = time.monotonic()
        await create.revoke_key(db, key_id)
        await _until_refused(authenticate, key, 3)
        assert time.monotonic() - frozen_at < 2
        async with asyncio.timeout(10):  # and it listens again, on a flow that passes
            while not listener.hears:
                await asyncio.sleep(0.01)

    listening(database_url, verb)


def test_a_price_book_is_not_remembered_while_nobody_would_hear_of_another(database_url: str) -> None:
    """One that is loaded while notifications do not come holds from then on, not from when they come again."""

    async def verb(
        db: Database, proxy: Proxy, listener: Listener, authenticate: Authenticator, key: str, key_id: str
    ) -> None:
        books = Books(db, hears=lambda: listener.hears)
        assert (await books.latest()).version == 1
        text = STANDARD.read_text()
        for version, lose in ((2, proxy.freeze), (3, proxy.shut)):
            while not listener.hears:
                await asyncio.sleep(0.01)
            await books.latest()
            lose()
            while listener.hears:
                await asyncio.sleep(0.01)
            await books.latest()  # as every create does
            await load_book(db, f"{text}\n# {version}\n", author="me")
            assert (await books.latest()).version == version
            proxy.open()

    listening(database_url, verb)


def test_a_price_book_is_asked_for_anew_though_nothing_seems_to_be_missed(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should a notification be lost on its way, another book holds within a minute."""
    monkeypatch.setattr("seedance_api.billing.books._LATEST_SECONDS", 0.2)

    async def main() -> None:
        db = await Database.connect(database_url, max_connections=2)
        books = Books(db)
        assert (await books.latest()).version == 1
        await load_book(db, f"{STANDARD.read_text()}\n# 2\n", author="me")
        async with asyncio.timeout(20):
            while (await books.latest()).version != 2:
                await asyncio.sleep(0.01)
        await db.close()

    asyncio.run(main())
