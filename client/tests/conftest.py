from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from blocking import Blocking
from fake_service import KEY, FakeService

from seedance import AsyncSeedance, Seedance


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
