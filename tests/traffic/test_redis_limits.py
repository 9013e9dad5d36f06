"""Rate limits in Redis, through the whole service: exact over its processes, and what goes on while Redis is gone."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

import forkserver
from stage import Service, free_port, until
from traffic.redis_server import redis_server

Start = Callable[..., Service]
ORDER = {"model": "seedance-1.0-pro-fast", "prompt": "a boat", "duration": 2, "resolution": "480p"}


def create(client: httpx.Client) -> httpx.Response:
    return client.post("/v1/videos", json=ORDER)


def test_the_limit_is_that_of_all_processes_together(start_service: Start) -> None:
    with redis_server() as server:
        service = start_service(redis_url=server.url, workers="2", reads_per_minute="60")

        async def ask() -> list[int]:
            headers = {"Authorization": f"Bearer {service.key}"}
            async with httpx.AsyncClient(base_url=service.url, headers=headers, trust_env=False, timeout=60) as client:
                answers = await asyncio.gather(*(client.get("/v1/models") for _ in range(200)))
            return [answer.status_code for answer in answers]

        began = time.monotonic()
        statuses = asyncio.run(ask())
        refilled = int(time.monotonic() - began) + 1
        assert set(statuses) == {200, 429}
        assert 60 <= statuses.count(200) <= 60 + refilled
        service.stop()
        assert "serve.limits_by_process" not in service.errors.read_text()


def test_while_redis_is_frozen_reads_go_on_and_creates_wait_until_it_is_back(start_service: Start) -> None:
    with redis_server() as server:
        service = start_service(redis_url=server.url)
        with service.client() as client:
            made = create(client)
            assert made.status_code == 200, made.text
            server.freeze()
            for _ in range(5):
                assert client.get(f"/v1/videos/{made.json()['id']}").status_code == 200
                assert client.get("/readyz").status_code == 200
                refused = create(client)
                assert (refused.status_code, refused.json()["error"]["code"]) == (503, "limits_unavailable")
                assert int(refused.headers["retry-after"]) >= 1
            assert client.delete(f"/v1/videos/{made.json()['id']}").status_code in (200, 204, 409)
            server.thaw()
            assert until(lambda: create(client).status_code == 200, 30)
        service.stop()
        said = service.errors.read_text()
        assert "redis.back" in said
        assert "there was no answer in time" in said
        assert server.url not in said


def test_serve_starts_without_its_redis_and_says_so_and_so_does_the_doctor(start_service: Start) -> None:
    service = start_service(redis_url=f"redis://u:hunter2@127.0.0.1:{free_port('127.0.0.1')}/0")
    said = service.errors.read_text()
    assert "redis.gone" in said
    assert "SEEDANCE_REDIS_URL: the connection is refused: nothing listens there" in said
    with service.client() as client:
        assert client.get("/v1/models").status_code == client.get("/readyz").status_code == 200
        assert create(client).status_code == 503
    done = forkserver.run(["doctor", "--json"], service.environment)
    (remark,) = [one for one in json.loads(done.stdout)["remarks"] if one["name"] == "limits"]
    assert (done.returncode, remark["status"]) == (1, "error")
    assert "nothing listens there" in remark["message"]
    assert "hunter2" not in f"{done.stdout}{done.stderr}{said}"


def test_several_processes_without_redis_are_said_to_count_for_themselves(start_service: Start) -> None:
    service = start_service(workers="2")
    assert "serve.limits_by_process" in service.errors.read_text()
    done = forkserver.run(["doctor", "--json"], service.environment)
    (remark,) = [one for one in json.loads(done.stdout)["remarks"] if one["name"] == "limits"]
    assert remark["status"] == "warning"
    assert "each of 2 API processes counts for itself" in remark["message"]


@pytest.mark.parametrize("url", ["localhost:6379", "redis://u:hunter2@host:port/0"])
def test_serve_does_not_start_with_an_address_that_is_none(url: str, tmp_path: Path) -> None:
    done = forkserver.run(["serve", "--data-dir", str(tmp_path)], os.environ | {"SEEDANCE_REDIS_URL": url})
    assert done.returncode == 2
    assert b"SEEDANCE_REDIS_URL: must be redis://" in done.stderr
    assert b"hunter2" not in done.stderr
