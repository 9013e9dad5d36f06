"""The request log over HTTP: one row for every request however it ended, with the policy's fields and nothing else."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from security.attack import rows
from stage import Service, fresh_database, until

COLUMNS = {"id", "at", "endpoint", "account_id", "key_id", "address", "status", "latency_us", "own_us"}
CLIP = {"prompt": "canary-prompt", "model": "seedance-1.0-pro-fast", "duration": 2, "resolution": "480p"}


@pytest.fixture(scope="module")
def logged(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of these tests alone, so that what is in its log is theirs."""
    with fresh_database(postgres) as url:
        running = Service(url, tmp_path_factory.mktemp("service"), proxy_networks="127.0.0.0/8")
        yield running
        running.stop()


def log_of(service: Service, request_id: str) -> dict[str, Any]:
    """The one row of a request."""
    found = until(lambda: rows(service.database_url, "SELECT * FROM request_log WHERE id = $1", request_id), 20)
    assert isinstance(found, list)
    assert len(found) == 1
    assert set(found[0].keys()) == COLUMNS
    return dict(found[0])


@pytest.mark.parametrize(
    ("method", "path", "options", "endpoint", "status"),
    [
        ("GET", "/v1/models", {}, "GET /v1/models", 200),
        ("HEAD", "/v1/models", {}, "HEAD /v1/models", 200),
        ("OPTIONS", "/v1/videos", {}, "OPTIONS /v1/videos", 204),
        ("DELETE", "/v1/models", {}, "DELETE /v1/models", 405),
        ("BREW", "/v1/models", {}, "OTHER /v1/models", 405),
        ("GET", "/v1/videos/canary-path", {}, "GET /v1/videos/{video_id}", 404),
        ("GET", "/v1/canary-path", {}, "GET (unknown)", 404),
        ("GET", "/canary-path?canary-query=1", {}, "GET (unknown)", 404),
        ("GET", "/v1/models?canary-query=1", {}, "GET /v1/models", 400),
        ("GET", "/v1/videos?limit=3", {}, "GET /v1/videos", 200),
        ("POST", "/v1/videos", {"json": {"canary-field": 1}}, "POST /v1/videos", 400),
        ("POST", "/v1/videos", {"content": b"x", "headers": {"content-length": "9999999999999"}}, None, 413),
        ("GET", "/v1/files", {"headers": {"authorization": "Bearer canary-key"}}, "GET /v1/files", 401),
        ("GET", "/docs", {}, "GET /docs", 200),
    ],
)
def test_every_answer_has_its_row(
    logged: Service, method: str, path: str, options: dict[str, Any], endpoint: str | None, status: int
) -> None:
    if endpoint is None:
        answer_id, answered = raw_post(logged, b"content-length: 9999999999999\r\n")
    else:
        with logged.client() as client:
            answer = client.request(method, path, **options)
            answer_id, answered = answer.headers["x-request-id"], answer.status_code
    row = log_of(logged, answer_id)
    assert (row["endpoint"], row["status"]) == (endpoint or "POST /v1/videos", status)
    assert answered == status
    assert str(row["address"]) == "127.0.0.1"
    assert (row["account_id"] is None) == (row["key_id"] is None) == (status == 401 or not path.startswith("/v1"))
    assert 0 <= row["own_us"] <= row["latency_us"]


def raw_post(service: Service, headers: bytes) -> tuple[str, int]:
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        head = f"POST /v1/videos HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {service.key}\r\n".encode()
        connection.sendall(head + b"content-type: application/json\r\n" + headers + b"\r\n")
        answer = connection.recv(65536).decode()
    return answer.lower().split("x-request-id: ")[1].split("\r\n")[0], int(answer.split()[1])


def test_the_address_is_that_behind_the_proxy(logged: Service) -> None:
    with logged.client() as client:
        answer = client.get("/v1/models", headers={"x-forwarded-for": "203.0.113.9, 192.0.2.44"})
    assert str(log_of(logged, answer.headers["x-request-id"])["address"]) == "192.0.2.44"


def test_whoever_leaves_is_logged_as_499(logged: Service) -> None:
    with logged.client() as client:
        video = client.post("/v1/videos", json=CLIP | {"prompt": "[sandbox:stall] canary-prompt"}).json()["id"]
        with client.stream("GET", f"/v1/videos/{video}/events") as answer:
            next(answer.iter_lines())
            request_id = answer.headers["x-request-id"]
    row = log_of(logged, request_id)
    assert (row["endpoint"], row["status"]) == ("GET /v1/videos/{video_id}/events", 499)


def test_a_body_that_breaks_off_is_logged_as_499(logged: Service) -> None:
    before = rows(logged.database_url, "SELECT count(*) AS n FROM request_log WHERE status = 499")[0]["n"]
    host, port = logged.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        head = f"POST /v1/videos HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {logged.key}\r\n".encode()
        connection.sendall(head + b"content-type: application/json\r\ncontent-length: 500\r\n\r\n{")
        time.sleep(0.2)
    count = "SELECT count(*) AS n FROM request_log WHERE status = 499"
    until(lambda: rows(logged.database_url, count)[0]["n"] == before + 1, 20)


def test_time_and_latency_are_what_the_client_saw(logged: Service) -> None:
    with logged.client() as client:
        client.get("/v1/models")
        begun, since = time.time(), time.perf_counter()
        answer = client.get("/v1/models")
        seen = time.perf_counter() - since
    row = log_of(logged, answer.headers["x-request-id"])
    assert abs(row["at"].timestamp() - begun) < 2
    assert row["latency_us"] / 1e6 <= seen


def test_waiting_for_a_body_is_not_our_share(logged: Service) -> None:
    def slowly() -> Iterator[bytes]:
        yield b'{"prompt": '
        time.sleep(0.5)
        yield b'"canary-prompt", "canary-field": 1}'

    with logged.client() as client:
        answer = client.post("/v1/videos", content=slowly(), headers={"content-type": "application/json"})
    row = log_of(logged, answer.headers["x-request-id"])
    assert row["latency_us"] >= 400_000
    assert row["own_us"] < row["latency_us"] - 300_000


def test_nothing_that_a_client_writes_is_in_the_log(logged: Service) -> None:
    with logged.client() as client:
        canaries = {"user-agent": "canary-agent", "referer": "https://canary-referer/", "x-canary": "canary-header"}
        answer = client.post("/v1/videos", json=CLIP, headers=canaries | {"idempotency-key": "canary-idempotency"})
        client.get("/v1/videos/canary-path?canary-query=1", headers=canaries)
        last = client.get("/v1/models").headers["x-request-id"]
    assert answer.status_code == 200
    log_of(logged, last)
    tables = ("request_log", "request_hour")
    text = json.dumps(
        [[dict(one) for one in rows(logged.database_url, f"SELECT * FROM {name}")] for name in tables], default=str
    )
    assert "canary" not in text


def test_hours_are_counted_as_the_log_is_written(logged: Service) -> None:
    with logged.client() as client:
        for _ in range(7):
            last = client.get("/v1/quotes/none").headers["x-request-id"]
    log_of(logged, last)
    counted = """
        SELECT endpoint, account_id, status_class, sum(requests)::int AS requests, sum(own_us)::bigint AS own_us,
            sum((SELECT sum(cell) FROM unnest(own_histogram) AS cell))::int AS cells
        FROM request_hour GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    """
    logged_too = """
        SELECT endpoint, coalesce(account_id, '') AS account_id, status / 100 AS status_class,
            count(*)::int AS requests,
            sum(own_us)::bigint AS own_us, count(*)::int AS cells
        FROM request_log GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    """

    def agree() -> bool:
        return [dict(one) for one in rows(logged.database_url, counted)] == [
            dict(one) for one in rows(logged.database_url, logged_too)
        ]

    until(agree, 20)


def test_a_stopped_service_has_written_all(start_service: Callable[..., Service]) -> None:
    service = start_service()
    ids: list[str] = []
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        ids += [client.get("/v1/models").headers["x-request-id"] for _ in range(200)]
    service.stop()
    found = rows(service.database_url, "SELECT id FROM request_log WHERE id = ANY ($1)", ids)
    assert {one["id"] for one in found} == set(ids)
