"""kill −9 at every step of a generation: what was accepted completes, once, and nothing is left (F03–F05, F07)."""

import base64
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import httpx
import pytest

from faults.kit import (
    SHORT,
    check_rows,
    completes,
    consistent,
    create,
    do,
    family,
    gate,
    gone,
    listed,
    reaches,
    worker_of,
)
from sample import Sample
from security.attack import picture, rows
from stage import Service, until

# in this order: a paused `watch` and a paused `dispatch` hold up everything behind them
POINTS = [
    "generation storing>completed",
    "attempt planned>sent",
    "generation submitting>running",
    "generation running>storing",
    "generation queued>submitting",
]


@pytest.mark.parametrize("who", ["worker", "serve"])
def test_a_kill_at_every_step_loses_nothing(start_service: Callable[..., Service], who: str) -> None:
    service = start_service()
    with gate(service) as held:
        videos = []
        for number, point in enumerate(POINTS, 1):
            videos.append(create(service, return_last_frame=number == 1, metadata={"pause": point}))
            held.wait_for(number)
        everybody = family(service)
        if who == "worker":
            worker_of(service).kill()
        else:
            service.kill()
            gone(everybody)
        held.open()
    if who == "serve":
        service.start()
    completes(service, videos)
    consistent(service, collect_first=True)


def test_a_killed_serve_takes_all_its_children_along(start_service: Callable[..., Service]) -> None:
    service = start_service(workers="2")
    video = create(service, "[sandbox:slow=30]")
    reaches(service, video, "running")
    until(lambda: any("render" in " ".join(one.cmdline()) for one in family(service)), 30)
    everybody = family(service)
    assert len(everybody) >= 5
    service.kill()
    gone(everybody)


def test_many_videos_survive_a_worker_that_is_killed_again_and_again(
    start_service: Callable[..., Service], sample: Sample
) -> None:
    service = start_service()
    videos = [create(service, f"A pond {number}") for number in range(sample.rounds(40, 10))]
    for _ in range(sample.rounds(30, 5)):
        worker_of(service).kill()
        time.sleep(1 + sample.chance.random())
    completes(service, videos, 120)
    consistent(service, collect_first=True)


def test_a_killed_api_process_is_replaced(start_service: Callable[..., Service]) -> None:
    service = start_service(workers="2")
    worker = worker_of(service)
    api = [one for one in family(service)[1:] if one.pid != worker.pid and one.ppid() == service.process.pid]
    for one in api:
        one.kill()

    def answers() -> bool:
        try:
            with service.client() as client:
                return client.get("/v1/videos").status_code == 200
        except OSError:
            return False
        except Exception as error:
            if type(error).__module__.startswith("httpx"):
                return False
            raise

    until(answers, 30)


def test_a_create_that_was_killed_before_its_commit_leaves_nothing(start_service: Callable[..., Service]) -> None:
    """F02: the picture is in the store, the row is not; after a restart the repeat makes one, and no orphan stays."""
    service = start_service()
    with gate(service):
        do(
            service.database_url,
            "CREATE FUNCTION stop_here() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_advisory_xact_lock_shared(4242); RETURN NEW; END $$",
        )
        do(
            service.database_url,
            "CREATE TRIGGER stop BEFORE INSERT ON generation FOR EACH ROW EXECUTE FUNCTION stop_here()",
        )
        address = service.url.removeprefix("http://").split(":")
        body = b'{"prompt":"x","images":["data:image/png;base64,%b"]}' % base64.b64encode(picture())
        with socket.create_connection((address[0], int(address[1]))) as connection:
            connection.sendall(
                b"POST /v1/videos HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nContent-Type: application/json\r\n"
                b"Idempotency-Key: once\r\nContent-Length: %d\r\n\r\n" % (service.key.encode(), len(body)) + body
            )
            store = service.folder / "data" / "objects"
            until(lambda: [name for name in listed(store) if name.startswith("files/")], 20)
            time.sleep(0.2)
            service.kill()
    do(service.database_url, "DROP TRIGGER stop ON generation")
    assert rows(service.database_url, "SELECT count(*) AS n FROM generation")[0]["n"] == 0
    service.start()
    with service.client() as client:
        for _ in range(2):
            # the dead process has claimed the key, for as long as a claim lasts that nobody keeps
            answer = until(lambda: _when_free(client, "once"), 20)
            assert isinstance(answer, httpx.Response)
            assert answer.status_code == 200, answer.text
    assert rows(service.database_url, "SELECT count(*) AS n FROM generation")[0]["n"] == 1
    consistent(service, collect_first=True)


def _when_free(client: httpx.Client, key: str) -> httpx.Response | None:
    answer = client.post("/v1/videos", json=SHORT | {"prompt": "x"}, headers={"Idempotency-Key": key})
    return None if answer.status_code == 409 else answer


def test_sigterm_drains_and_the_next_start_goes_on(start_service: Callable[..., Service]) -> None:
    """F36: with something in every state and a reader of events, it ends in time with 0 and nothing is lost."""
    service = start_service(sandbox_slots="3", sandbox_renderers="1")
    videos = [create(service, f"[sandbox:slow=4] {number}") for number in range(5)]
    reaches(service, videos[0], "running")
    everybody = family(service)
    with service.client() as client, client.stream("GET", f"/v1/videos/{videos[0]}/events") as events:
        next(events.iter_lines())
        started = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - started < 5 + 4  # its drain time and what ending processes takes
    gone(everybody)
    check_rows(service)
    service.start()
    completes(service, videos)
    consistent(service)


def test_a_second_worker_takes_over_from_a_frozen_one(start_service: Callable[..., Service]) -> None:
    """F34: frozen while it stores, longer than its lease; thawed, it must not write."""
    service = start_service()
    video = create(service, return_last_frame=True)
    frozen = worker_of(service)
    sql = "SELECT state, claimed_until IS NOT NULL AS claimed FROM generation WHERE id = $1"
    until(lambda: tuple(rows(service.database_url, sql, video)[0]) == ("storing", True), 60)
    frozen.suspend()
    other = subprocess.Popen(
        [sys.executable, "-m", "seedance_api", "worker"], env=service.environment, stderr=subprocess.DEVNULL
    )
    try:
        assert reaches(service, video, "storing", "completed") == "storing", "it was too quick to freeze"
        completes(service, [video])
        frozen.resume()
        later = create(service)
        completes(service, [later])
        consistent(service)
    finally:
        other.send_signal(signal.SIGTERM)
        assert other.wait(20) == 0
