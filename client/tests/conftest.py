from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from blocking import Blocking
from fake_service import KEY, FakeService
from terminal import SEEDANCE
from typer.testing import CliRunner

from seedance import AsyncSeedance, Seedance
from seedance.cli import app


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """A child takes Ctrl-C, also where these tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def service():
    with FakeService() as service:
        yield service


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    for name in ("SEEDANCE_BASE_URL", "SEEDANCE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(params=["sync", "async"])
def open_client(request):
    """A function that opens the client under test; both kinds are called the same, blocking way."""
    opened = []

    def open_(base_url, **options):
        options = {"api_key": KEY, "retry_delay": 0.01} | options
        kind = Seedance if request.param == "sync" else AsyncSeedance
        client = kind(base_url=base_url, **options)
        client = client if request.param == "sync" else Blocking(client)
        opened.append(client)
        return client

    yield open_
    for client in opened:
        client.close()


@pytest.fixture
def client(open_client, service):
    return open_client(service.url)


@pytest.fixture
def environment(service, tmp_path):
    return os.environ | {
        "SEEDANCE_BASE_URL": service.url,
        "SEEDANCE_API_KEY": KEY,
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "COLUMNS": "100",
    }


@pytest.fixture
def process(environment, tmp_path):
    """Runs the command as a process."""

    def run(*arguments, **changes):
        env = {name: value for name, value in (environment | changes).items() if value is not None}
        done = subprocess.run(
            [*SEEDANCE, *arguments],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert KEY not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def run(environment, monkeypatch, tmp_path):
    """Runs the command in this process."""
    for name in ("SEEDANCE_BASE_URL", "SEEDANCE_API_KEY"):
        monkeypatch.setenv(name, environment[name])
    monkeypatch.chdir(tmp_path)
    return lambda *arguments, **options: CliRunner().invoke(app, arguments, **options)
