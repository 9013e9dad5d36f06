"""More work than there is room for: reads go on, what is new waits or is refused with 503, and readiness says so."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import asyncpg
import httpx

from security.attack import rows
from stage import Service, until

BODY = {"prompt": "x", "duration": 4, "resolution": "480p"}
BLOCKED = """
    SELECT count(*) AS n FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'seedance-api api' AND wait_event_type = 'Lock'
"""


@contextmanager
def no_inserts(url: str) -> Iterator[None]:
    """While it lasts nothing can be inserted into the table of generations, and all can be read."""
    locked, over = threading.Event(), threading.Event()

    async def hold() -> None:
        connection = await asyncpg.connect(url)
        async with connection.transaction():
            await connection.execute("LOCK TABLE generation IN SHARE ROW EXCLUSIVE MODE")
            locked.set()
            await asyncio.to_thread(over.wait, 60)
        await connection.close()

    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    try:
        assert locked.wait(30)
        yield
    finally:
        over.set()
        thread.join()


def test_reads_are_served_while_creates_wait(start_service: Callable[..., Service]) -> None:
    """Creates of many accounts would take every connection of the pool: they have half of them."""
    service = start_service(database_connections="4")
    keys = [service.new_key(email=service.new_account()["email"]) for _ in range(12)]
    with service.client() as client, ThreadPoolExecutor(24) as pool:
        video = client.post("/v1/videos", json=BODY).json()["id"]

        def create(key: str) -> httpx.Response:
            with service.client(key) as one:
                return one.post("/v1/videos", json=BODY)

        blocked: list[int] = []
        with no_inserts(service.database_url):
            creates = [pool.submit(create, key) for key in keys * 2]
            until(lambda: rows(service.database_url, BLOCKED)[0]["n"], 20)
            while not all(one.done() for one in creates) and len(blocked) < 40:
                assert client.get(f"/v1/videos/{video}").status_code == 200
                assert client.get("/v1/videos").status_code == 200
                blocked.append(rows(service.database_url, BLOCKED)[0]["n"])
        answers = [one.result() for one in creates]
    assert 1 <= max(blocked) <= 2
    for answer in answers:
        assert answer.status_code in (200, 503), answer.text
        assert answer.status_code == 200 or int(answer.headers["retry-after"]) > 0


def test_readiness_ends_before_the_service_does(start_service: Callable[..., Service]) -> None:
    service = start_service(drain_notice_seconds="4")
    with service.client() as client:
        assert client.get("/readyz").status_code == 200
        service.process.send_signal(signal.SIGTERM)
        until(lambda: client.get("/readyz").status_code == 503, 4)
        assert client.get("/healthz").status_code == 200
        assert client.post("/v1/videos", json=BODY).status_code == 200, "requests are still answered"
    assert service.stop() == 0
