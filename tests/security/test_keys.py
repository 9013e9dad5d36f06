"""Who may what: mistyped, foreign, live, test and revoked keys."""

import asyncio
import json
import re
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import httpx
import pytest

from security.attack import ask, picture, refused
from seedance_api.accounts.authenticate import Authenticator
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.ids import new_id
from stage import PEPPER, Service

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def other_key(service: Service) -> str:
    """A key of another account."""
    account = service.command("account", "create", f"{uuid.uuid4().hex[:8]}@example.org")
    return service.new_key(email=account["email"])


@pytest.fixture(scope="module")
def live_key(service: Service) -> str:
    """A live key of the service's own account."""
    return service.new_key("live")


WRONG = [
    "",
    "Bearer",
    "Bearer ",
    "Basic {key}",
    "{key}",
    "Bearer  {key}",
    "Bearer {key} ",
    "Bearer {key}x",
    "Bearer {key},{key}",
    "Bearer sda_test_",
    "Bearer sda_prod_" + "a" * 46,
    "Bearer " + "x" * 20_000,
    "Bearer \xff\xfe",
    "Token {key}",
]


@pytest.mark.parametrize("header", WRONG, ids=lambda header: ascii(header[:30]))
@pytest.mark.parametrize("path", ["/v1/videos", "/v1/videos/vid_x", "/v1/models", "/v1/nothing"])
def test_without_a_good_key_nothing_is_answered(service: Service, path: str, header: str) -> None:
    value = header.format(key=service.key)
    response = ask(service, "GET", path, Authorization=value)
    if value.rstrip() == f"Bearer {service.key}":  # HTTP ignores blanks around a value
        assert response.status_code in (200, 404)
        return
    refused(response, 401)
    assert response.headers["www-authenticate"] == "Bearer"


def test_a_key_with_one_wrong_letter_costs_no_query(service: Service) -> None:
    """Against a database that is closed, a mistyped key is refused as ever; only a well-formed one asks for it."""

    async def story() -> None:
        db = await Database.connect(service.database_url, max_connections=2)
        await db.close()
        authenticate = Authenticator(db=db, pepper=bytes.fromhex(PEPPER))
        for at in range(len("sda_test_"), len(service.key)):
            letter = BASE62[(BASE62.index(service.key[at]) + 1 + at) % 62]
            with pytest.raises(AppError) as refusal:
                await authenticate(f"Bearer {service.key[:at]}{letter}{service.key[at + 1 :]}")
            assert refusal.value.status == 401
        with pytest.raises(asyncpg.InterfaceError):
            await authenticate(f"Bearer {service.key}")

    asyncio.run(story())


def test_a_test_key_that_says_it_is_live_is_refused(service: Service, live_key: str) -> None:
    refused(ask(service, "GET", "/v1/videos", key=live_key.replace("live", "test")), 401)
    refused(ask(service, "GET", "/v1/videos", key=service.key.replace("test", "live")), 401)


def test_a_live_key_without_an_upstream_makes_nothing(service: Service, live_key: str) -> None:
    with service.client(live_key) as client:
        refused(client.post("/v1/videos", json={"prompt": "x"}), 403, code="live_unavailable")
        refused(client.post("/v1/videos/quote", json={"prompt": "x"}), 403, code="live_unavailable")
        refused(client.post("/v1/videos", data={"prompt": "x"}, files={"input_reference": picture()}), 403)
        assert client.get("/v1/videos").json()["data"] == []


def same_refusal(real: httpx.Response, invented: httpx.Response) -> None:
    """Two refusals that nobody can tell apart."""
    changing = ("x-request-id", "server-timing", "date")
    one, two = [{k: v for k, v in r.headers.items() if k not in changing} for r in (real, invented)]
    assert (real.status_code, one) == (invented.status_code, two)
    if real.content:
        errors = [json.dumps(r.json()["error"] | {"request_id": ""}) for r in (real, invented)]
        one, two = (re.sub(r"(vid|file)_[0-9a-z]{26}", "", error) for error in errors)  # the id that was asked for
        assert one == two


def test_ids_of_others_are_as_if_they_were_not_there(
    service: Service, video: dict, other_key: str, live_key: str
) -> None:
    """Every documented route with an id, with another account's key and with the account's own live key."""
    with service.client() as owner:
        file = owner.post("/v1/files", files={"file": ("a.png", picture())}).json()
        document = owner.get("/openapi.json").json()["paths"]
    real = {"{video_id}": video["id"], "{file_id}": file["id"]}
    invented = {"{video_id}": new_id("vid"), "{file_id}": new_id("file")}
    count = 0
    for path, item in document.items():
        place = next((name for name in real if name in path), None)
        if place is None:
            continue
        for method in (m for m in item if m != "parameters"):
            for key in (other_key, live_key):
                asked = [
                    ask(service, method.upper(), path.replace(place, ids[place]), key=key) for ids in (real, invented)
                ]
                assert asked[0].status_code == 404
                same_refusal(*asked)
                count += 1
    assert count >= 16
    with service.client() as owner:
        assert owner.get(f"/v1/videos/{video['id']}").json()["status"] == "completed"
        assert owner.delete(f"/v1/files/{file['id']}").status_code == 200


def test_ids_of_others_cannot_be_used_in_a_body(service: Service, video: dict, other_key: str) -> None:
    with service.client() as owner:
        file = owner.post("/v1/files", files={"file": ("a.png", picture())}).json()
    with service.client(other_key) as client:
        for make in (
            lambda i: {"images": [i]},
            lambda i: {"images": [{"file_id": i}]},
            lambda i: {"input_reference": i},
        ):
            real, invented = (
                client.post("/v1/videos", json={"prompt": "x"} | make(i)) for i in (file["id"], new_id("file"))
            )
            refused(real, 400)
            same_refusal(real, invented)
        real, invented = (client.post("/v1/videos", json={"draft_id": i}) for i in (video["id"], new_id("vid")))
        refused(real, 400)
        same_refusal(real, invented)
        after = client.get("/v1/videos", params={"after": video["id"]}).json()
        assert after["data"] == []
    with service.client() as owner:
        owner.delete(f"/v1/files/{file['id']}")


def test_a_revoked_key_is_refused_at_once_by_every_process(start_service: Callable[..., Service]) -> None:
    service = start_service(workers="2")
    key = service.command("key", "create", "--account", service.account["email"])
    revoked = threading.Event()
    polling = threading.Barrier(13)

    def poll() -> float:
        """Seconds from the revocation to the first refusal, polling over one connection."""
        with service.client(key["key"]) as client:
            assert client.get("/v1/videos").status_code == 200
            polling.wait(30)
            while client.get("/v1/videos").status_code == 200:
                assert not revoked.is_set() or time.monotonic() < since + 5
                time.sleep(0.01)
            refused_at = time.monotonic()
            for _ in range(20):
                refused(client.get("/v1/videos"), 401, code="invalid_key")
            return refused_at

    since = float("inf")
    with ThreadPoolExecutor(12) as pool:
        polls = [pool.submit(poll) for _ in range(12)]
        polling.wait(30)
        service.command("key", "revoke", key["id"])
        since = time.monotonic()
        revoked.set()
        assert max(one.result() for one in polls) < since + 1
    with service.client() as client:
        assert client.get("/v1/videos").status_code == 200
