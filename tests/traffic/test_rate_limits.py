"""Rate limits over HTTP: exact, told in every answer, each account and address by itself, and cheap to refuse."""

import asyncio
import time
from collections.abc import Callable

import httpx
import pytest

from stage import Service

Start = Callable[..., Service]


def test_of_many_at_once_exactly_the_limit_is_admitted(start_service: Start) -> None:
    service = start_service(reads_per_minute="40")

    async def ask() -> list[int]:
        headers = {"Authorization": f"Bearer {service.key}"}
        async with httpx.AsyncClient(base_url=service.url, headers=headers, trust_env=False, timeout=60) as client:
            answers = await asyncio.gather(*(client.get("/v1/models") for _ in range(200)))
        return [answer.status_code for answer in answers]

    began = time.monotonic()
    statuses = asyncio.run(ask())
    refilled = int((time.monotonic() - began) / 1.5) + 1
    assert set(statuses) == {200, 429}
    assert 40 <= statuses.count(200) <= 40 + refilled
    with service.client(service.new_key("test", service.new_account()["email"])) as other:
        assert other.get("/v1/models").status_code == 200
    with service.client() as client:  # its writes have a limit of their own
        assert client.post("/v1/videos/none/cancel").status_code == 404


def test_whoever_waits_as_long_as_told_is_admitted_at_once(start_service: Start) -> None:
    service = start_service(creates_per_minute="60")
    with service.client() as client:
        for left in range(59, -1, -1):
            answer = client.post("/v1/videos", json={})
            assert (answer.status_code, answer.headers["ratelimit-policy"]) == (400, '"create";q=60;w=60')
            if int(answer.headers["x-ratelimit-remaining"]) == 0:
                break
            assert int(answer.headers["x-ratelimit-remaining"]) >= left
        refused = client.post("/v1/videos", json={})
        while refused.status_code != 429:
            refused = client.post("/v1/videos", json={})
        error = refused.json()["error"]
        assert (error["code"], error["type"]) == ("rate_limited", "rate_limit_error")
        assert "more than 60 requests within 60 seconds of the class `create` with this account" in error["message"]
        assert refused.headers["retry-after"] == "1"
        time.sleep(int(refused.headers["retry-after"]))
        assert client.post("/v1/videos", json={}).status_code == 400


def test_an_address_is_refused_before_its_key_is_looked_up(start_service: Start) -> None:
    service = start_service(address_per_minute="30")
    with service.client() as client:
        for number in range(40):
            key = f"sda_test_{number}"
            answer = client.get("/v1/models", headers={"Authorization": f"Bearer {key}"})
            if answer.status_code == 429:
                break
            assert answer.status_code == 401
        assert answer.status_code == 429
        assert "from this address" in answer.json()["error"]["message"]
        assert client.get("/v1/models").status_code == 429, "a good key from there, too"
        assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200, "probes are not counted"
        elsewhere = {"x-forwarded-for": "192.0.2.77"}
        assert client.get("/v1/models", headers=elsewhere).status_code == 200


@pytest.mark.parametrize("path", ["/v1/videos/none", "/v1/models"])
def test_every_answer_to_a_key_tells_how_its_limit_stands(service: Service, path: str) -> None:
    with service.client() as client:
        first, second = client.get(path), client.get(path)
    for name in ("ratelimit", "ratelimit-policy", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"):
        assert name in first.headers, name
    assert int(second.headers["x-ratelimit-remaining"]) <= int(first.headers["x-ratelimit-remaining"])


def test_an_address_that_a_client_writes_is_no_other_address(start_service: Start) -> None:
    """Another one in every request, from where nobody is a proxy, or before what the proxy has seen: one bucket."""
    direct = start_service(address_per_minute="30", proxy_networks="192.0.2.0/24")
    proxied = start_service(address_per_minute="30")
    for service, behind in ((direct, ""), (proxied, ", 198.51.100.7")):
        with service.client() as client:
            answers = [
                client.get(
                    "/v1/models",
                    headers={
                        "x-forwarded-for": f"203.0.113.{number}{behind}",
                        "forwarded": f"for=203.0.113.{number}",
                        "x-real-ip": f"203.0.113.{number}",
                    },
                ).status_code
                for number in range(100)
            ]
        assert set(answers) == {200, 429}
        assert answers[:30] == [200] * 30
        assert answers.count(429) >= 40, "some come back as time passes"
