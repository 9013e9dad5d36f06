"""The embedded PostgreSQL is killed under a running service: it is there again, and nothing is lost."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from faults.embedded import EmbeddedService, embedded_service
from seedance_api.foundation.postgres import Embedded
from stage import until

SHORT = {"prompt": "A pond", "resolution": "480p", "duration": 4}


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the database's own user can reach."""
    with tempfile.TemporaryDirectory(prefix="seedance-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def embedded(place: Path) -> Iterator[EmbeddedService]:
    """A service with a database of its own, in its data folder."""
    with embedded_service(place) as service:
        yield service


def created(client: httpx.Client) -> str | None:
    with suppress(httpx.HTTPError):
        answer = client.post("/v1/videos", json=SHORT)
        return answer.json()["id"] if answer.status_code == 200 else None
    return None


def is_completed(client: httpx.Client, video: str) -> bool:
    with suppress(httpx.HTTPError):
        answer = client.get(f"/v1/videos/{video}")
        return answer.status_code == 200 and answer.json()["status"] == "completed"
    return False


def test_a_killed_postgresql_costs_seconds_and_nothing_else(embedded: EmbeddedService) -> None:
    with embedded.client() as client:
        before = client.post("/v1/videos", json=SHORT | {"prompt": "[sandbox:slow=3] one"}).json()["id"]
        (backend, *_) = [
            one for one in embedded.postmaster.children() if "postgres: postgres" in " ".join(one.cmdline())
        ]
        victims = [backend, embedded.postmaster]
        for victim in victims:  # a backend, which makes the server start anew by itself, and the server
            victim.send_signal(signal.SIGKILL)
            since = time.monotonic()
            after = until(lambda: created(client), 20)
            assert time.monotonic() - since < 15
        # backends outlive their server by a moment, so the last create may have been before the trouble
        for video in (before, str(after)):  # the worker is back as well
            until(lambda video=video: is_completed(client, video), 90)
        assert client.get("/readyz").status_code == 200
    server = embedded.postmaster
    assert embedded.stop() == 0
    until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE, 10)


def test_a_postgresql_that_cannot_start_is_told_with_its_reason(place: Path) -> None:
    with Embedded(place / "data/postgres"):
        pass
    with (place / "data/postgres/postgresql.auto.conf").open("a") as file:
        file.write("max_connections = 0\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEEDANCE_")}
    command = [sys.executable, "-m", "seedance_api", "serve", "--port", "0", "--data-dir", str(place / "data")]
    done = subprocess.run(command, capture_output=True, env=environment, text=True, check=False)
    assert done.returncode == 1
    assert "configuration file" in done.stderr
    assert "Traceback" not in done.stderr
