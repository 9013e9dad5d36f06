"""F06 and F37: a webhook outlives a kill of its sender and three days of its receiver's absence, with one id."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from generations.kit import owner, with_database
from seedance_api.foundation.db import Database
from seedance_api.webhooks import send
from seedance_api.webhooks.schedule import deliver
from seedance_api.webhooks.sweep import sweep_deliveries
from stage import Service, free_port, until
from webhooks.kit import Came, age, deliverer, endpoint, happen, receiver, run_jobs, standing_receiver, status

_SHORT = {"model": "seedance-1.0-pro-fast", "duration": 2, "resolution": "480p", "prompt": "A pond", "ratio": "16:9"}


@pytest.mark.parametrize("point", ["deliver.sent"])  # test_kill_points.py has them all
def test_f06_killed_between_the_end_and_the_send_it_is_still_sent(
    start_service: Callable[..., Service], tmp_path: Path, point: str
) -> None:
    tmp_path.chmod(0o755)
    port = free_port("127.0.0.2")
    service = start_service(
        kill_points=str(tmp_path), lease_seconds="1", fetch_http="true", live_sandbox="true",
        fetch_allow_networks="127.0.0.2/32", webhook_ports=str(port),
    )  # fmt: skip
    service.credit("10")
    with standing_receiver(port) as there, service.client(service.new_key("live")) as client:
        (tmp_path / point).touch()
        made = client.post("/v1/videos", json=_SHORT | {"webhook_url": there.url}).json()
        until(lambda: not (tmp_path / point).exists(), 60)
        until(lambda: client.get("/v1/videos/" + made["id"]).json()["status"] == "completed", 60)
        until(lambda: len(there.came) >= (2 if point == "deliver.sent" else 1), 60)
        events = [one for one in client.get("/v1/events").json()["data"] if one["type"] == "video.completed"]
        assert len(events) == 1
        assert {came.headers["webhook-id"] for came in there.came} == {events[0]["id"]}
        assert len({came.body for came in there.came}) == 1
    assert service.doctor()


def test_f37_a_receiver_that_is_down_for_three_days_gets_everything_with_its_id(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        async with receiver() as there, deliverer(db, there) as told:
            there.answer = status(503)
            await endpoint(db, me, there.url)
            await happen(db, me, 10)
            await run_jobs(db, told)
            for _ in range(72):  # three days, hour by hour
                await age(db, 3600)
                await sweep_deliveries(told)
                await run_jobs(db, told)
            down = len(there.came)
            assert 30 < down < 150  # the circuit let single probes through, not ten tries of each at their times
            assert await db.fetchval("SELECT count(*) FROM delivery WHERE state = 'pending'") == 10
            there.answer = status(200)
            while len(there.came) == down:  # until the next is due, a day at most; then all of them go
                await age(db, 3600)
                await sweep_deliveries(told)
                await run_jobs(db, told)
            arrived = [came.headers["webhook-id"] for came in there.came[down:]]
            assert sorted(arrived) == [one["id"] for one in await db.fetch("SELECT id FROM event ORDER BY id")]
            attempts = await db.fetchval("SELECT attempts FROM delivery ORDER BY tries DESC LIMIT 1")
            assert [one["status"] for one in attempts][-2:] == [503, 200]
            assert [one["kind"] for one in await db.fetch("SELECT kind FROM notice")] == ["endpoint_failing"]

    with_database(database_url, verb)


def test_f37_sixty_that_hang_delay_nobody(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "TOTAL_SECONDS", 120.0)  # they hang longer than anybody waits here, on a slow machine too

    async def verb(db: Database) -> None:
        me = await owner(db)
        gone = asyncio.Event()

        async def hang(came: Came, writer: asyncio.StreamWriter) -> None:
            await gone.wait()

        async with receiver() as slow, receiver() as quick, deliverer(db, slow, quick, connections=600) as told:
            slow.answer = hang
            for _ in range(60):
                await endpoint(db, me, slow.url)
            mine = await endpoint(db, me, quick.url)
            await happen(db, me, 4)
            hanging = asyncio.create_task(run_jobs(db, told))
            deadline = time.monotonic() + 60
            while len(quick.came) < 4 or slow.under_way < 240:
                assert time.monotonic() < deadline, (len(quick.came), slow.under_way)
                await asyncio.sleep(0.02)
            await happen(db, me)
            deadline = time.monotonic() + 20
            assert slow.under_way == 240
            while len(quick.came) < 5:  # what delivers the four before may still have the endpoint
                assert time.monotonic() < deadline
                await deliver(mine, told)
            gone.set()
            await hanging

    with_database(database_url, verb)
