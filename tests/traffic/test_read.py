"""Pages of the request log, over HTTP, by the command, and of many rows."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import new_id
from seedance_api.traffic.hours import count_hours
from seedance_api.traffic.queries import add_to_hours, copy_requests
from seedance_api.traffic.read import requests_page
from seedance_api.traffic.rows import Request, RequestFilter
from stage import Service, fresh_database, until

NOW = int(time.time()) // 3600 * 3600 - 3600.0
ENDPOINTS = ("GET /v1/videos/{video_id}", "POST /v1/videos", "GET (unknown)")


def made(count: int = 600) -> list[Request]:
    """Requests of two accounts over nine days, most of them in few hours, with rare failures."""
    found: list[Request] = []
    for number in range(count):
        at = NOW - (number * 7 if number % 5 else number * 1300)
        status = 503 if number % 97 == 0 else 404 if number % 11 == 0 else 200
        account = ("acc_a", "acc_b", None)[number % 3]
        key = f"key_{account[-1]}{number % 2}" if account else None
        found.append(
            Request(new_id("req", at=at), at, ENDPOINTS[number % 7 % 3], account, key, "192.0.2.1", status, 10, 5)
        )
    return found


FILTERS: list[dict[str, Any]] = [
    {},
    {"account_id": "acc_a"},
    {"account_id": "acc_a", "status_class": 5},
    {"account_id": "acc_b", "key_id": "key_b1", "status_class": 4},
    {"account_id": "acc_a", "endpoint": ENDPOINTS[1]},
    {"endpoint": ENDPOINTS[2], "status_class": 4},
    {"account_id": "acc_a", "since": datetime.fromtimestamp(NOW - 40_000.5, UTC)},
    {"account_id": "acc_a", "until": datetime.fromtimestamp(NOW - 1800.5, UTC)},
    {
        "since": datetime.fromtimestamp(NOW - 300_000, UTC),
        "until": datetime.fromtimestamp(NOW - 1000, UTC),
        "status_class": 4,
    },
    {"account_id": "acc_c"},
    {"until": datetime.fromtimestamp(NOW, UTC) + timedelta(days=3), "account_id": "acc_b"},
]


def test_pages_have_every_request_that_is_asked_for_once_and_newest_first(postgres: str) -> None:
    async def use(url: str) -> None:
        db = await Database.connect(url, max_connections=2)
        try:
            logged = made()
            async with db.transaction() as connection:
                await copy_requests(connection, logged)
                await add_to_hours(connection, count_hours(logged))
            for wanted in FILTERS:
                for limit in (1, 7, 100):
                    pages = await everything(db, RequestFilter(**wanted), limit, at_most=12)
                    expected = [
                        one.id for one in sorted(logged, key=lambda one: one.id, reverse=True) if fits(one, wanted)
                    ]
                    assert pages == expected[: len(pages)], (wanted, limit)
                    assert len(pages) == min(len(expected), 12 * limit), (wanted, limit)
        finally:
            await db.close()

    with fresh_database(postgres) as url:
        asyncio.run(use(url))


def fits(request: Request, wanted: dict[str, Any]) -> bool:
    at = datetime.fromtimestamp(int(request.at * 1000) / 1000, UTC)
    return (
        wanted.get("account_id") in (None, request.account_id)
        and wanted.get("key_id") in (None, request.key_id)
        and wanted.get("endpoint") in (None, request.endpoint)
        and wanted.get("status_class") in (None, request.status // 100)
        and (wanted.get("since") is None or at >= wanted["since"])
        and (wanted.get("until") is None or at < wanted["until"])
    )


async def everything(db: Database, wanted: RequestFilter, limit: int, *, at_most: int) -> list[str]:
    found: list[str] = []
    for _ in range(at_most):
        page = await requests_page(db, wanted, after=found[-1] if found else None, limit=limit)
        found += [one.id for one in page]
        if len(page) < limit:
            break
    return found


def test_an_account_reads_its_own_requests(service: Service) -> None:
    ours, others = (
        service.new_key("test", service.new_account()["email"]),
        service.new_key("test", service.new_account()["email"]),
    )
    with service.client(others) as client:
        client.get("/v1/models")
    with service.client(ours) as client:
        ids = [client.get("/v1/models").headers["x-request-id"] for _ in range(3)]
        ids.append(client.get("/v1/videos/none").headers["x-request-id"])

        def page() -> list[dict[str, Any]]:
            found = client.get("/v1/requests", params={"endpoint": "GET /v1/models"}).json()["data"]
            return found if len(found) == 3 else []

        data = until(page, 20)
        assert isinstance(data, list)
        assert [one["id"] for one in data] == ids[2::-1]
        assert set(data[0]) == {
            "id", "object", "created_at", "endpoint", "status", "latency_ms", "app_ms", "key_id", "address"
        }  # fmt: skip
        failed = client.get("/v1/requests?status=4xx").json()
        assert [one["id"] for one in failed["data"]] == ids[3:]
        first = client.get("/v1/requests", params={"limit": 1, "endpoint": "GET /v1/models"}).json()
        assert (first["has_more"], first["last_id"]) == (True, ids[2])
        behind = client.get("/v1/requests", params={"after": ids[2], "endpoint": "GET /v1/models"}).json()
        assert [one["id"] for one in behind["data"]] == ids[1::-1]
        key = data[0]["key_id"]
        assert client.get("/v1/requests", params={"key_id": key, "to": "2020-01-01T00:00:00Z"}).json()["data"] == []
        assert client.get("/v1/requests", params={"from": "2999-01-01"}).json()["data"] == []


@pytest.mark.parametrize(
    ("query", "params"),
    [
        ("status=404", ["status"]),
        ("from=yesterday&to=never&limit=0", ["from", "to", "limit"]),
        ("after=vid_1", ["after"]),
        ("key_id=key_1", ["key_id"]),
        ("colour=red", ["colour"]),
        ("from=99999999999999999999", ["from"]),
        ("from=946684799&to=8589934592", ["from", "to"]),
        ("from=%EF%BC%91%EF%BC%91%EF%BC%91%EF%BC%91%EF%BC%91%EF%BC%91%EF%BC%91%EF%BC%91%EF%BC%91%EF%BC%91", ["from"]),
        ("endpoint=%00", ["endpoint"]),
    ],
)
def test_a_wrong_query_is_refused_whole(service: Service, query: str, params: list[str]) -> None:
    with service.client() as client:
        answer = client.get(f"/v1/requests?{query}")
    assert answer.status_code == 400
    problems = answer.json()["error"].get("errors") or [answer.json()["error"]]
    assert [one.get("path") or one.get("param") for one in problems] == params
    assert "secret" not in answer.text


def test_no_page_is_read_by_a_plan_for_any_filter(postgres: str) -> None:
    """Such a plan uses no index; PostgreSQL takes it for cheaper from the sixth execution on."""

    async def use(url: str) -> None:
        db = await Database.connect(url, max_connections=1)
        try:
            logged = made()
            async with db.transaction() as connection:
                await copy_requests(connection, logged)
                await add_to_hours(connection, count_hours(logged))
            for _ in range(4):
                for wanted in FILTERS:
                    await requests_page(db, RequestFilter(**wanted), after=None, limit=20)
            plans = await db.fetch(
                "SELECT generic_plans, custom_plans FROM pg_prepared_statements"
                " WHERE statement ~ 'FROM request_(log|hour)'"
            )
            assert [record["generic_plans"] for record in plans] == [0, 0]
            assert min(record["custom_plans"] for record in plans) > 30
        finally:
            await db.close()

    with fresh_database(postgres) as url:
        asyncio.run(use(url))
