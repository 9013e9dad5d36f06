"""F29: a PgBouncer before the database, in each mode and while it restarts; a pool of ours that is exhausted."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

import forkserver
from faults.bouncer import ABSENT, PROGRAM, bouncer
from faults.kit import SHORT, completes, create
from seedance_api.foundation.db import Database
from seedance_api.foundation.pooling import is_shared
from seedance_api.foundation.session import API
from stage import Service, until

needs_bouncer = pytest.mark.skipif(PROGRAM is None, reason=ABSENT)


@needs_bouncer
@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize(
    "command", [["serve", "--port", "0"], ["worker"], ["init"], ["migrate"], ["doctor"]], ids=" ".join
)
def test_a_pool_that_keeps_no_sessions_is_refused(
    database_url: str, tmp_path: Path, mode: str, command: list[str]
) -> None:
    if mode == "statement" and command != ["worker"]:
        pytest.skip("one command is enough for it")
    with bouncer(database_url, mode) as pool:
        service = Service(database_url, tmp_path, started=False)
        environment = service.environment | {"SEEDANCE_DATABASE_URL": pool.url}
        done = forkserver.run(command, environment, text=True, timeout=60)
    assert done.returncode == 1, done.stderr
    assert "pool_mode = session" in done.stderr or mode == "statement"
    assert "Traceback" not in done.stderr


@needs_bouncer
@pytest.mark.parametrize("settings", [{}, {"server_round_robin": 1}, {"default_pool_size": 1}], ids=str)
def test_a_pool_of_transactions_is_known(database_url: str, settings: dict[str, int]) -> None:
    with bouncer(database_url, "transaction", **settings) as pool:
        assert asyncio.run(is_shared(pool.url))


def test_the_server_itself_is_none(database_url: str) -> None:
    assert not asyncio.run(is_shared(database_url))


@needs_bouncer
def test_through_a_pool_of_sessions_all_works_also_when_it_restarts(database_url: str, tmp_path: Path) -> None:
    """Nothing has to be set in it: the bounds of our sessions are told when they are open."""
    with bouncer(database_url, "session", default_pool_size=60) as pool:
        assert not asyncio.run(is_shared(pool.url))
        asyncio.run(has_its_bounds(pool.url))
        service = Service(pool.url, tmp_path)
        first = create(service)
        completes(service, [first])
        with service.client() as client, client.stream("GET", f"/v1/videos/{first}/events") as events:
            assert "completed" in "".join(events.iter_lines()), "NOTIFY comes through"
        under_way = [create(service, f"[sandbox:slow=2] {number}") for number in range(3)]
        pool.stop()
        with service.client() as client:
            refused = client.get("/v1/videos")
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
            assert client.get("/readyz").status_code == 503
            assert client.get("/healthz").status_code == 200
        pool.start()
        until(lambda: httpx.get(service.url + "/readyz", trust_env=False).status_code == 200, 20)
        completes(service, [*under_way, create(service)])
        service.doctor()
        assert service.stop() == 0


async def has_its_bounds(url: str) -> None:
    db = await Database.connect(url, max_connections=1, session=API)
    assert await db.fetchval("SELECT current_setting('statement_timeout')") == "5s"
    assert await db.fetchval("SELECT current_setting('idle_in_transaction_session_timeout')") == "10s"
    await db.close()


@needs_bouncer
def test_a_pool_of_sessions_that_is_too_small_is_a_503_within_seconds(database_url: str) -> None:
    async def main(url: str) -> None:
        db = await Database.connect(url, max_connections=4, session=API)
        async with AsyncExitStack() as held:
            await held.enter_async_context(db.connection())
            await held.enter_async_context(db.connection())
            started = time.monotonic()
            assert not await db.answers(1.8)
            with pytest.raises(TimeoutError):
                await db.fetchval("SELECT 1")
            assert time.monotonic() - started < 20
        assert await db.fetchval("SELECT 1") == 1
        await db.close()

    with bouncer(database_url, "session", default_pool_size=2) as pool:
        asyncio.run(main(pool.url))


def test_an_exhausted_pool_of_ours_is_a_503_within_seconds_and_not_ready(start_service: Callable[..., Service]) -> None:
    """Every connection waits for a lock that somebody holds."""
    service = start_service(database_connections="2")
    with service.client() as client:
        assert client.get("/readyz").status_code == 200
        asyncio.run(hold(service, client))
        until(lambda: client.get("/readyz").status_code == 200, 20)
        assert client.get("/v1/videos").status_code == 200
        completes(service, [client.post("/v1/videos", json=SHORT | {"prompt": "x"}).json()["id"]])


async def hold(service: Service, client: httpx.Client) -> None:
    db = await Database.connect(service.database_url, max_connections=1)
    async with db.transaction() as connection:
        await connection.execute("LOCK TABLE generation IN ACCESS EXCLUSIVE MODE")
        asked = [asyncio.create_task(asyncio.to_thread(client.get, "/v1/videos")) for _ in range(6)]
        await asyncio.sleep(1)
        started = time.monotonic()
        assert (await asyncio.to_thread(client.get, "/readyz")).status_code == 503
        assert time.monotonic() - started < 10
        assert (await asyncio.to_thread(client.get, "/healthz")).status_code == 200
        answers = await asyncio.gather(*asked)
        assert time.monotonic() - started < 30
    await db.close()
    for answer in answers:
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0
