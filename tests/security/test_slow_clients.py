"""Slow clients by the hundred, as slowhttptest makes them: whoever is not slow is served meanwhile."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from documents.proxies import needs, running
from seedance_api.foundation.process import allow_open_files
from stage import Service, until

SECONDS = 6
CONNECTIONS = 300
WITHIN = 10.0
"""Seconds within which each answer to the one who is not slow arrives, on a loaded machine, too."""
MODES = {
    "slow heads": ["-H", "-i", "2", "-x", "24", "-u", "/v1/models"],
    "slow bodies": ["-B", "-i", "2", "-s", "60000", "-x", "10", "-t", "POST", "-u", "/v1/videos"],
    "slow reads": ["-X", "-n", "2", "-w", "1", "-y", "16", "-z", "4", "-k", "3", "-u", "/openapi.json"],
    "many ranges": ["-R", "-a", "5", "-b", "2000", "-t", "GET", "-u", "/v1/models"],
}
MODE = pytest.mark.parametrize("mode", MODES)
pytestmark = needs("slowhttptest")


@contextmanager
def slowhttptest(mode: str, url: str, folder: Path) -> Iterator[None]:
    """Some hundred slow clients for some seconds, which must have come, and are gone at the end."""
    *arguments, path = MODES[mode]
    command = ["slowhttptest", "-c", str(CONNECTIONS), "-r", str(CONNECTIONS), "-l", str(SECONDS), "-p", "5"]
    with (folder / "slowhttptest").open("wb") as output:
        process = subprocess.Popen([*command, *arguments, url + path], stdout=output, stderr=output, cwd=folder)
    try:
        until(lambda: process.poll() is not None or connections(process) >= CONNECTIONS / 4, 15)
        yield
    finally:
        process.terminate()
        process.wait(15)


def connections(process: subprocess.Popen[bytes]) -> int:
    """How many it has; none when it has just ended."""
    with suppress(psutil.Error):
        return len(psutil.Process(process.pid).net_connections("tcp"))
    return 0


def serve_meanwhile(mode: str, url: str, attacked: str, key: str, folder: Path) -> None:
    """Somebody of another address asks again and again while the slow ones are there. All is answered, in time."""
    headers = {"Authorization": f"Bearer {key}"}
    answers: list[int] = []
    slowest = 0.0
    over = threading.Event()
    timer = threading.Timer(SECONDS - 1, over.set)
    with slowhttptest(mode, attacked, folder):
        timer.start()
        while not over.wait(0.05):  # it stays below the proxy's limit of requests
            transport = httpx.HTTPTransport(local_address="127.0.0.2", verify=False)
            with httpx.Client(base_url=url, transport=transport, headers=headers, timeout=WITHIN) as client:
                for path in ("/healthz", "/v1/models", "/v1/videos"):
                    began = time.monotonic()
                    answers.append(client.get(path).status_code)
                    slowest = max(slowest, time.monotonic() - began)
                answers.append(client.post("/v1/videos/quote", json={"prompt": "x"}).status_code)
    assert len(answers) >= 4
    assert set(answers) == {200}
    assert slowest < WITHIN


@pytest.fixture(autouse=True)
def files() -> None:
    allow_open_files()


@needs("nginx")
@MODE
def test_slow_clients_of_the_shipped_nginx_delay_nobody(mode: str, service: Service, tmp_path: Path) -> None:
    with running("nginx", tmp_path, service.url.removeprefix("http://")) as (proxy, _):
        url = str(proxy.base_url).rstrip("/")
        serve_meanwhile(mode, url, url, service.key, tmp_path)


@MODE
def test_slow_clients_of_our_own_port_delay_nobody(mode: str, service: Service, tmp_path: Path) -> None:
    serve_meanwhile(mode, service.url, service.url, service.key, tmp_path)
