"""B1: connections to the database that freeze, one by one or all, while TCP still acknowledges: soon all is back."""

import time
from collections.abc import Iterator

import httpx
import pytest

from faults.kit import SHORT
from faults.proxy import Proxy
from security.attack import rows
from stage import Service, fresh_database, until

_BACK_SECONDS = 15.0
_UNAVAILABLE_SECONDS = 15.0
"""Nobody waits longer for a 503: for a connection, and then for the answer."""


@pytest.fixture(scope="module")
def frozen(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Proxy, str]]:
    """A service whose database is behind a proxy, and the database's own address."""
    with fresh_database(postgres) as url, Proxy(url) as proxy:
        service = Service(url, tmp_path_factory.mktemp("frozen"), started=False)
        service.account, service.key = service.new_account(), ""
        service.key = service.new_key()
        service.environment |= {"SEEDANCE_DATABASE_URL": proxy.url}
        service.start()
        try:
            yield service, proxy, url
        finally:
            service.stop()


def _status(service: Service, method: str, path: str, **options: object) -> int:
    with service.client() as client:
        try:
            return client.request(method, path, **options).status_code  # pyright: ignore[reportArgumentType]
        except httpx.TransportError:
            return 0


def _ran_since(url: str, moment: object) -> bool:
    sql = "SELECT count(*) AS n FROM pgqueuer_schedules WHERE entrypoint IN ('sweep', 'purge') AND last_run > $1"
    return rows(url, sql, moment)[0]["n"] == 2


def test_flows_that_freeze_are_replaced(frozen: tuple[Service, Proxy, str]) -> None:
    service, proxy, url = frozen
    until(lambda: _ran_since(url, rows(url, "SELECT now() - interval '1 hour' AS t")[0]["t"]), 60)
    assert _status(service, "POST", "/v1/videos", json=SHORT | {"prompt": "before"}) == 200
    # a schedule that was under way in that moment would keep its place for 30 s
    rows(
        url, "UPDATE pgqueuer_schedules SET status = 'picked', heartbeat = now() WHERE entrypoint = 'purge' RETURNING 1"
    )
    (moment,) = rows(url, "SELECT clock_timestamp() AS t")
    assert proxy.freeze() > 6
    began = time.monotonic()
    back: dict[str, float] = {}
    while len(back) < 3:
        for what, works in (
            ("reads", lambda: _status(service, "GET", "/v1/videos") == 200),
            ("creates", lambda: _status(service, "POST", "/v1/videos", json=SHORT | {"prompt": "after"}) == 200),
            ("schedules", lambda: _ran_since(url, moment["t"])),
        ):
            if what not in back and works():
                back[what] = time.monotonic() - began
        asked = time.monotonic()
        assert _status(service, "GET", "/readyz") in (200, 503)
        assert time.monotonic() - asked < 4, "two seconds, on a machine that is busy"
        assert time.monotonic() - began < 60
        time.sleep(0.1)
    assert max(back.values()) < _BACK_SECONDS, back


def test_a_database_that_freezes_is_unavailable_and_comes_back(frozen: tuple[Service, Proxy, str]) -> None:
    service, proxy, url = frozen
    until(lambda: _status(service, "GET", "/readyz") == 200, 60)
    proxy.shut()
    for method, path, options in (
        ("GET", "/v1/videos", {}),
        ("POST", "/v1/videos", {"json": SHORT | {"prompt": "frozen"}}),
        ("GET", "/readyz", {}),
    ):
        began = time.monotonic()
        assert _status(service, method, path, **options) == 503
        assert time.monotonic() - began < (4 if path == "/readyz" else _UNAVAILABLE_SECONDS)
    proxy.open()
    until(lambda: _status(service, "GET", "/readyz") == 200, 30)
    until(lambda: _status(service, "POST", "/v1/videos", json=SHORT | {"prompt": "thawed"}) == 200, 30)
    (moment,) = rows(url, "SELECT clock_timestamp() AS t")
    until(lambda: _ran_since(url, moment["t"]), 60)
