"""Connections that die without a word, statements that take too long, locks whose owner is frozen: all have a bound."""

import asyncio
import re
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import msgspec
import pytest

from faults.proxy import Proxy
from seedance_api.foundation import db as database
from seedance_api.foundation.db import CONTENDED, UNREACHABLE, Database
from seedance_api.foundation.session import (
    API,
    COMMAND,
    CONNECT_SECONDS,
    IDLE_IN_TRANSACTION_SECONDS,
    LANE,
    LISTENING,
    WORKER,
    Session,
    open_connection,
)
from seedance_api.web.errors import as_app_error

_SOURCE = Path(database.__file__).parents[1]
QUICK = Session(name="test", statement_seconds=0.5, lock_seconds=0.3)
"""An answer has 2 s."""


def through_proxy(url: str, verb: Callable[[Database, Proxy], Awaitable[None]], session: Session = QUICK) -> None:
    async def main() -> None:
        with Proxy(url) as proxy:
            db = await Database.connect(proxy.url, max_connections=4, session=session)
            try:
                async with asyncio.timeout(30):
                    await verb(db, proxy)
            finally:
                await db.close()

    asyncio.run(main())


async def _fill(db: Database) -> None:
    """Open every connection of the pool."""
    await asyncio.gather(*(db.fetchval("SELECT pg_sleep(0.1)") for _ in range(4)))


def test_every_connection_is_opened_in_one_place() -> None:
    opening = re.compile(r"asyncpg\.(connect|create_pool)\(|psycopg\.(connect|AsyncConnection)|get_backend\(")
    found = {
        str(file.relative_to(_SOURCE)): len(opening.findall(file.read_text()))
        for file in _SOURCE.rglob("*.py")
        if opening.search(file.read_text())
    }
    assert found == {"foundation/db.py": 1, "foundation/session.py": 1}


@pytest.mark.parametrize("session", [API, WORKER, COMMAND, LANE, LISTENING])
def test_a_session_has_a_bound_on_everything(database_url: str, session: Session) -> None:
    async def main() -> None:
        connection = await open_connection(database_url, session)
        found = {row["name"]: row["setting"] for row in await connection.fetch("SELECT name, setting FROM pg_settings")}
        await connection.close()
        for name in ("statement_timeout", "lock_timeout"):
            assert 0 < int(found[name]) <= 600_000, name
        assert 0 < int(found["idle_in_transaction_session_timeout"]) <= 10_000
        assert 0 < int(found["client_connection_check_interval"]) <= 10_000
        assert int(found["lock_timeout"]) < int(found["statement_timeout"]) < session.command_seconds * 1000
        assert session.name in found["application_name"]

    asyncio.run(main())


def test_the_bounds_that_are_shipped() -> None:
    assert API.command_seconds <= 7, "a frozen PostgreSQL is a 503 within seconds"
    assert WORKER.lock_seconds > IDLE_IN_TRANSACTION_SECONDS, "a job outlives a frozen host's lock"
    assert IDLE_IN_TRANSACTION_SECONDS <= 10
    assert CONNECT_SECONDS <= 5


def test_the_kernel_watches_over_a_connection(database_url: str) -> None:
    async def main() -> None:
        with Proxy(database_url) as proxy:
            connection = await open_connection(proxy.url, API)
            channel: socket.socket = connection._transport.get_extra_info("socket")
            assert channel.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert channel.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 5
            assert 0 < channel.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 10_000, "0 is none"
            connection.terminate()

    asyncio.run(main())


def test_flows_that_freeze_are_left_after_one_wait(database_url: str) -> None:
    async def verb(db: Database, proxy: Proxy) -> None:
        await _fill(db)
        assert proxy.freeze() == 4
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            await db.fetchval("SELECT 1")
        for _ in range(6):  # the other three are as dead, and nobody waits for them
            assert await db.fetchval("SELECT 1") == 1
        assert time.monotonic() - began < QUICK.command_seconds + 1.5

    through_proxy(database_url, verb)


def test_a_transaction_on_a_frozen_flow_waits_once(database_url: str) -> None:
    async def verb(db: Database, proxy: Proxy) -> None:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with db.transaction() as connection:
                await connection.execute("SELECT 1")
                proxy.freeze()
                began = time.monotonic()
                await connection.execute("SELECT 1")
        assert time.monotonic() - began < QUICK.command_seconds + 1.5, "not once more for the rollback"
        assert await db.fetchval("SELECT 1") == 1

    through_proxy(database_url, verb)


def test_whoever_goes_away_does_not_wait_for_a_frozen_flow(database_url: str) -> None:
    async def verb(db: Database, proxy: Proxy) -> None:
        await _fill(db)
        proxy.freeze()
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await db.fetchval("SELECT 1")
        assert time.monotonic() - began < 0.2 + database.RELEASE_SECONDS + 1
        assert await db.fetchval("SELECT 1") == 1
        assert time.monotonic() - began < 0.2 + database.RELEASE_SECONDS + 1.5

    through_proxy(database_url, verb, API)


def test_it_says_in_time_whether_it_is_there(database_url: str) -> None:
    async def verb(db: Database, proxy: Proxy) -> None:
        assert await db.answers(2)
        await _fill(db)
        proxy.freeze()
        began = time.monotonic()
        found = await asyncio.gather(*(db.answers(0.5) for _ in range(50)))
        assert not any(found)
        assert time.monotonic() - began < 1.5
        while not await db.answers(0.5):
            assert time.monotonic() - began < 5
        proxy.shut()
        began = time.monotonic()
        assert not await db.answers(0.5)
        assert time.monotonic() - began < 1.5
        proxy.open()
        while not await db.answers(0.5):
            assert time.monotonic() - began < 15

    through_proxy(database_url, verb, API)


def test_a_frozen_database_is_unavailable_within_seconds_and_comes_back(database_url: str) -> None:
    async def verb(db: Database, proxy: Proxy) -> None:
        await _fill(db)
        proxy.shut()

        async def ask() -> float:
            began = time.monotonic()
            with pytest.raises(UNREACHABLE):  # a 503, see below
                await db.fetchval("SELECT 1")
            return time.monotonic() - began

        times = await asyncio.gather(*(ask() for _ in range(12)))  # more than there are connections
        assert max(times) < QUICK.statement_seconds + QUICK.command_seconds + 2
        proxy.open()
        async with asyncio.timeout(10):
            while True:
                try:
                    assert await db.fetchval("SELECT 1") == 1
                    break
                except UNREACHABLE:
                    await asyncio.sleep(0.1)

    through_proxy(database_url, verb)


def test_a_server_that_drops_what_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seedance_api.foundation.session.CONNECT_SECONDS", 0.5)

    async def main() -> None:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen(0)
            filling = [socket.socket() for _ in range(4)]
            for one in filling:  # the kernel drops the next ones' SYN
                one.setblocking(False)
                one.connect_ex(server.getsockname())
            began = time.monotonic()
            with pytest.raises(UNREACHABLE):
                await open_connection(f"postgresql://x@127.0.0.1:{server.getsockname()[1]}/x", API)
            assert time.monotonic() - began < 3
            for one in filling:
                one.close()

    asyncio.run(main())


def test_what_takes_too_long_is_unavailable(database_url: str) -> None:
    async def main() -> None:
        db = await Database.connect(database_url, session=QUICK)
        began = time.monotonic()
        with pytest.raises(asyncpg.QueryCanceledError) as slow:
            await db.fetchval("SELECT pg_sleep(30)")
        assert time.monotonic() - began < QUICK.command_seconds
        async with db.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(1)")
            with pytest.raises(CONTENDED) as waiting:
                await db.execute("SELECT pg_advisory_xact_lock(1)")
        for error in (slow.value, waiting.value, TimeoutError()):
            refusal = as_app_error(error, "req")
            assert (refusal.status, refusal.code) == (503, "unavailable")
            assert refusal.headers["Retry-After"]
        await db.close()

    asyncio.run(main())


def test_a_frozen_owner_loses_its_lock(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seedance_api.foundation.session.IDLE_IN_TRANSACTION_SECONDS", 0.5)

    async def main() -> None:
        frozen = await open_connection(database_url, WORKER)
        db = await Database.connect(database_url, session=msgspec.structs.replace(WORKER, lock_seconds=10))
        await frozen.execute(
            "BEGIN; SELECT pg_advisory_xact_lock(1)"
        )  # and then it does nothing, as if it were stopped
        began = time.monotonic()
        await db.execute("SELECT pg_advisory_xact_lock(1)")
        assert time.monotonic() - began < 5
        frozen.terminate()
        await db.close()

    asyncio.run(main())


def test_a_connection_that_was_ended_takes_no_other_with_it(database_url: str) -> None:
    async def verb(db: Database, _: Proxy) -> None:
        await _fill(db)
        pids = {row["pid"] for row in await asyncio.gather(*(db.fetchrow(_PID) for _ in range(4))) if row}
        with pytest.raises(UNREACHABLE):
            async with db.transaction() as connection:
                await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        after = {row["pid"] for row in await asyncio.gather(*(db.fetchrow(_PID) for _ in range(4))) if row}
        assert len(pids & after) == 3

    through_proxy(database_url, verb)


_PID = "SELECT pg_backend_pid() AS pid FROM pg_sleep(0.2)"
