"""F40: the name server is silent, or knows no name: work waits, and whoever can do something about it is told."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.kit import SHORT, reaches
from faults.names import own_names
from faults.upstream import MAIN, Live, fast_fake, table
from foundation.names import Names
from security.attack import rows
from seedance_api.foundation.db import Database
from seedance_api.foundation.objects import open_store
from seedance_api.generations.alarm import alarm
from stage import Service, fresh_database, until
from webhooks.kit import standing_receiver

HERE = [["127.0.0.1"]]


@pytest.fixture
def names(tmp_path: Path) -> Iterator[tuple[Names, tuple[str, ...]]]:
    """A name server that knows no name yet, and what makes a service ask it."""
    with own_names(tmp_path) as found:
        yield found


@pytest.mark.timeout(400)  # each lookup of a silent server is waited for
@pytest.mark.parametrize("silent", [False, True], ids=["unknown", "silent"])
def test_f40_work_waits_for_an_upstream_whose_name_is_not_found(
    postgres: str, tmp_path: Path, names: tuple[Names, tuple[str, ...]], silent: bool
) -> None:
    server, launcher = names
    server.silent = silent
    with fresh_database(postgres) as url, fast_fake() as fake:
        tables = table("main", fake.url.replace("127.0.0.1", "localhost"), MAIN)
        live = Live(url, tmp_path, tables, fake, launcher=launcher)
        try:
            prompt = "fault of the names."
            video = live.create(prompt)

            def gate_is_closed() -> bool:
                live.hurry(video)
                return any(one["reason"] is not None and one["seconds"] for one in live.gates("main"))

            until(gate_is_closed, 90)
            assert live.rows_of([video])[0]["state"] in ("queued", "submitting")
            others = live.service.new_key("test")
            with live.service.client(others) as client:  # those who need no name are not kept waiting
                made = client.post("/v1/videos", json=SHORT | {"prompt": "A pond"}).json()["id"]
            live.reaches(made, "completed", seconds=60)

            def doctor_says_so() -> bool:  # each pause of the breaker ends, and begins again with the next try
                live.hurry(video)
                return "closed for now: main" in str(live.service.command("doctor"))

            until(doctor_says_so, 90)
            server.silent = False
            server.serve(localhost=HERE)
            live.reopen("main")
            live.completed(video, prompt, hurried=True)
        finally:
            live.stop()


@pytest.mark.timeout(400)
def test_f40_a_finished_file_waits_for_the_name_of_its_host_and_the_operator_hears_of_it(
    postgres: str, tmp_path: Path, names: tuple[Names, tuple[str, ...]]
) -> None:
    server, launcher = names
    with fresh_database(postgres) as url, fast_fake() as fake:
        live = Live(url, tmp_path, table("main", fake.url, MAIN), fake, launcher=launcher)
        try:
            prompt = live.fault("download", {"status": 503})
            video = live.create(prompt)
            live.reaches(video, "storing")
            task = live.task(prompt)
            with fake.client() as client:
                link = client.get(f"/contents/generations/tasks/{task}").json()["content"]["video_url"]
            fake.alter(task, set={"content.video_url": link.replace("127.0.0.1", "localhost")})

            def waits() -> bool:
                live.hurry(video)
                (row,) = live.rows_of([video])
                assert row["state"] == "storing", dict(row)
                return row["waiting_for"] is not None

            until(waits, 120)
            fake.clear_faults()  # not before: a download that has the first link already would succeed
            ((kind, reasons),) = told(url, tmp_path)
            assert kind == "outage"
            assert "localhost, where an upstream has put a finished file, cannot be reached from here" in reasons
            server.serve(localhost=HERE)
            live.completed(video, prompt, hurried=True)
            assert [kind for kind, _ in told(url, tmp_path)] == ["outage", "outage_over"]
        finally:
            live.stop()


def told(url: str, folder: Path) -> list[tuple[str, str]]:
    """What the operator has heard when the alarm has looked, and who is patient for no second."""

    async def run() -> None:
        db = await Database.connect(url, max_connections=1)
        try:
            await alarm(db, open_store(None, folder / "data" / "objects"), patience_seconds=0)
        finally:
            await db.close()

    asyncio.run(run())
    return [(one["kind"], one["detail"]) for one in rows(url, "SELECT kind, detail::text FROM notice ORDER BY id")]


@pytest.mark.parametrize("silent", [False, True], ids=["unknown", "silent"])
def test_f40_an_event_is_sent_again_when_its_name_is_found(
    start_service: Callable[..., Service], names: tuple[Names, tuple[str, ...]], silent: bool
) -> None:
    server, launcher = names
    server.silent = silent
    with standing_receiver(0) as there:
        service = start_service(
            launcher=launcher, fetch_http="true", fetch_allow_networks="127.0.0.2/32", webhook_ports=str(there.port)
        )
        with service.client() as client:
            hook = f"http://hooks.test:{there.port}/"
            video = client.post("/v1/videos", json=SHORT | {"prompt": "A pond", "webhook_url": hook}).json()["id"]
        reaches(service, video, "completed")
        tried = "SELECT attempts, due_at > now() AS later FROM delivery WHERE tries > 0"
        until(lambda: rows(service.database_url, tried), 60)
        assert {one["state"] for one in rows(service.database_url, "SELECT state FROM delivery")} == {"pending"}
        server.silent = False
        server.serve(hooks_test=[["127.0.0.2"]])
        until(lambda: any(came.event["type"] == "video.completed" for came in there.came), 90)
        until(lambda: not rows(service.database_url, "SELECT FROM delivery WHERE state <> 'delivered'"), 60)
        attempts = rows(service.database_url, "SELECT attempts::text FROM delivery")
        assert any('"unreachable"' in one["attempts"] for one in attempts)
        assert len({came.headers["webhook-id"] for came in there.came}) == len(attempts)


@pytest.mark.parametrize("silent", [False, True], ids=["unknown", "silent"])
def test_f40_a_picture_whose_host_is_not_found_is_refused_by_the_hosts_name_and_soon(
    start_service: Callable[..., Service], names: tuple[Names, tuple[str, ...]], silent: bool
) -> None:
    server, launcher = names
    server.silent = silent
    service = start_service(launcher=launcher)
    hosts = [f"pictures{number}.test" for number in range(4)]
    order = {"model": MAIN, "duration": 4, "prompt": "A pond"}
    pictures = [{"url": f"https://{host}/pond.png?token=s3cret", "role": "reference"} for host in hosts]
    with service.client() as client:
        since = time.monotonic()
        answer = client.post("/v1/videos", json=order | {"images": pictures})
        assert time.monotonic() - since < 20
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_media"), answer.text
        assert all(f"could not be reached from here ({host})" in answer.text for host in hosts)
        assert "s3cret" not in answer.text
        assert client.post("/v1/videos", json=order).status_code == 200
