"""Endpoints over HTTP: made, changed, rotated, tried, replayed; idempotent, and no secret is kept."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import httpx
import pytest
from openai import OpenAI
from standardwebhooks.webhooks import Webhook as Standard
from svix.webhooks import Webhook as Svix

from security.attack import refused
from stage import Service, until
from webhooks.kit import Receiver, standing_receiver, status

KINDS = ["video.completed", "video.failed"]
SHORT = {"prompt": "x", "resolution": "480p", "duration": 4}


@pytest.fixture(scope="module")
def there(service: Service) -> Iterator[Receiver]:
    with standing_receiver(service.webhook_port) as made:
        yield made


@pytest.fixture
def key(service: Service) -> str:
    email = service.new_account(f"{uuid.uuid4().hex[:12]}@example.org")["email"]
    return service.new_key("test", email)


@pytest.fixture
def client(service: Service, key: str) -> Iterator[httpx.Client]:
    with service.client(key) as client:
        yield client


@pytest.fixture
def openai(service: Service, key: str) -> Iterator[OpenAI]:
    with OpenAI(api_key=key, base_url=f"{service.url}/v1") as made:
        yield made


def sql(service: Service, text: str, *values: Any) -> Any:
    async def run() -> Any:
        connection = await asyncpg.connect(service.database_url)
        try:
            return await connection.fetch(text, *values)
        finally:
            await connection.close()

    return asyncio.run(run())


def test_openai_s_client_makes_changes_rotates_tries_and_deletes(openai: OpenAI, there: Receiver) -> None:
    there.came.clear()
    there.answer = status(202)
    made = openai.webhooks.create(event_types=["video.completed", "video.failed"], name="mine", url=there.url)
    assert (made.object, made.name, made.url, made.event_types) == ("webhook_endpoint", "mine", there.url, KINDS)
    assert made.signing_secret.startswith("whsec_")
    assert made.signing_secret_hint is not None
    assert made.signing_secret_hint[-4:] in made.signing_secret
    assert made.created_at == made.updated_at
    seen = openai.webhooks.retrieve(made.id)
    assert not hasattr(seen, "signing_secret")
    changed = openai.webhooks.update(made.id, event_types=["video.failed"], name="other")
    assert (changed.event_types, changed.name, changed.url) == (["video.failed"], "other", there.url)
    tried = openai.webhooks.test(made.id, event_type="video.completed")  # type: ignore[arg-type]
    assert (tried.object, tried.status_code, tried.success) == ("webhook_endpoint.test", 202, True)
    assert (tried.event_type, tried.webhook_endpoint_id) == ("video.completed", made.id)
    came = there.came[-1]
    event = openai.webhooks.unwrap(came.body, came.headers, secret=made.signing_secret)
    assert (event.type, event.object) == ("video.completed", "event")
    Standard(made.signing_secret).verify(came.body, came.headers)
    Svix(made.signing_secret).verify(came.body, came.headers)

    turned = openai.webhooks.rotate_secret(made.id, keep_old_secret_active_for_24_hours=True)
    assert turned.signing_secret != made.signing_secret
    openai.webhooks.test(made.id, event_type="video.failed")  # type: ignore[arg-type]
    came = there.came[-1]
    assert len(came.headers["webhook-signature"].split(" ")) == 2
    for secret in (made.signing_secret, turned.signing_secret):  # both verify while it lasts
        openai.webhooks.unwrap(came.body, came.headers, secret=secret)
        Standard(secret).verify(came.body, came.headers)
        Svix(secret).verify(came.body, came.headers)
    at_once = openai.webhooks.rotate_secret(made.id)
    openai.webhooks.test(made.id, event_type="video.failed")  # type: ignore[arg-type]
    came = there.came[-1]
    Standard(at_once.signing_secret).verify(came.body, came.headers)
    with pytest.raises(Exception, match="signature"):
        Standard(turned.signing_secret).verify(came.body, came.headers)

    assert "video.completed" in openai.webhooks.event_types.list().data
    gone = openai.webhooks.delete(made.id)
    assert (gone.id, gone.deleted, gone.object) == (made.id, True, "webhook_endpoint.deleted")
    with pytest.raises(Exception, match="no such webhook endpoint"):
        openai.webhooks.retrieve(made.id)


def test_openai_s_client_walks_the_pages(openai: OpenAI, there: Receiver) -> None:
    made = [openai.webhooks.create(event_types=["video.failed"], name=str(n), url=there.url).id for n in range(23)]
    assert [one.id for one in openai.webhooks.list()] == made[::-1]


def test_everything_that_is_wrong_is_said_at_once(client: httpx.Client) -> None:
    answer = client.post(
        "/v1/webhook_endpoints",
        json={
            "url": "http://127.0.0.1/x", "event_types": ["video.completed", "batch.completed"], "name": "a" * 201,
            "signatures": ["v2"], "mode": "x",
        },
    )  # fmt: skip
    refused(answer, 400, code="invalid_request")
    assert {one["path"] for one in answer.json()["error"]["errors"]} == {
        "url", "event_types[1]", "name", "signatures[0]", "mode",
    }  # fmt: skip
    missing = client.post("/v1/webhook_endpoints", json={})
    assert {one["path"] for one in missing.json()["error"]["errors"]} == {"url", "event_types"}


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/", "https://169.254.169.254/", "https://u:p@example.org/", "ftp://example.org", "x", "https://[::1]/",
     "https://example.org/#a", "https://example.org:22/", "https://" + "a" * 2050],
)  # fmt: skip
def test_an_address_that_cannot_be_is_refused_when_it_is_given(client: httpx.Client, url: str) -> None:
    for body in ({"url": url, "event_types": ["*"]},):
        answer = client.post("/v1/webhook_endpoints", json=body)
        refused(answer, 400, code="invalid_request")
        assert [(one["path"], one["code"]) for one in answer.json()["error"]["errors"]] == [("url", "bad_url")]
    answer = client.post("/v1/videos", json=SHORT | {"webhook_url": url, "seed": -5})
    refused(answer, 400, code="invalid_request")
    assert {one["path"] for one in answer.json()["error"]["errors"]} == {"webhook_url", "seed"}


def test_a_repeat_makes_no_second_and_no_secret_is_kept(
    service: Service, client: httpx.Client, there: Receiver
) -> None:
    body = {"url": there.url, "event_types": ["*"], "signatures": ["v1", "v1a"]}
    first = client.post("/v1/webhook_endpoints", json=body, headers={"Idempotency-Key": "one"})
    again = client.post("/v1/webhook_endpoints", json=body, headers={"Idempotency-Key": "one"})
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert first.json()["public_key"].startswith("whpk_")
    refused(
        client.post("/v1/webhook_endpoints", json=body | {"name": "b"}, headers={"Idempotency-Key": "one"}),
        422, code="idempotency_mismatch",
    )  # fmt: skip
    place = f"/v1/webhook_endpoints/{first.json()['id']}"
    turned = [client.post(f"{place}/rotate_secret", json={}, headers={"Idempotency-Key": "r"}).json() for _ in range(2)]
    assert turned[0] == turned[1]
    assert turned[0]["signing_secret"] != first.json()["signing_secret"]
    assert len(client.get("/v1/webhook_endpoints").json()["data"]) == 1
    kept = json.dumps([[str(dict(one)) for one in sql(service, f"SELECT * FROM {table}")]
                       for table in ("idempotency", "webhook_secret", "webhook_endpoint", "pgqueuer")])  # fmt: skip
    for secret in (turned[0]["signing_secret"], first.json()["signing_secret"]):
        assert secret[6:] not in kept


def test_a_repeat_shows_the_secret_that_it_made_and_no_later_one(client: httpx.Client, there: Receiver) -> None:
    """Who repeats a request whose answer was lost must not be shown what another one has made since."""

    def post(place: str, key: str, **body: object) -> dict[str, Any]:
        answer = client.post(place, json=body, headers={"Idempotency-Key": key})
        assert answer.status_code == 200, answer.text
        return answer.json()

    made = post("/v1/webhook_endpoints", "superseded", url=there.url, event_types=["*"])
    for rotation in (f"/v1/webhook_endpoints/{made['id']}/rotate_secret", "/v1/webhook_secret/rotate"):
        first = post(rotation, "superseded 1")
        assert first["signing_secret_hint"][-4:] in first["signing_secret"]
        second = post(rotation, "superseded 2")
        again = post(rotation, "superseded 1")
        assert again["signing_secret"] == first["signing_secret"] != second["signing_secret"]
        assert again["signing_secret_hint"] == second["signing_secret_hint"], "what signs now is another one"
        assert post(rotation, "superseded 2") == second, "a repeat rotates nothing"
    again = post("/v1/webhook_endpoints", "superseded", url=there.url, event_types=["*"])
    assert again["signing_secret"] == made["signing_secret"]


def test_two_rotations_with_one_key_at_one_time_are_one(service: Service, key: str) -> None:
    def rotate(_: int) -> dict[str, Any]:
        with service.client(key) as mine:
            return mine.post("/v1/webhook_secret/rotate", json={}, headers={"Idempotency-Key": "at once"}).json()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(rotate, range(8)))
    assert len({one["signing_secret"] for one in answers}) == 1
    latest = sql(service, "SELECT version FROM webhook_secret ORDER BY rotated_at DESC LIMIT 1")[0]
    assert latest["version"] == 2, "the first one was never rotated before"


def test_another_account_and_mode_see_nothing_of_it(service: Service, client: httpx.Client, there: Receiver) -> None:
    made = client.post("/v1/webhook_endpoints", json={"url": there.url, "event_types": ["*"]}).json()["id"]
    place = f"/v1/webhook_endpoints/{made}"
    for other in (service.key, service.new_key("live")):
        with service.client(other) as them:
            for answer in (
                them.get(place), them.post(place, json={}), them.delete(place), them.get(f"{place}/deliveries"),
                them.post(f"{place}/rotate_secret", json={}), them.post(f"{place}/replay", json={"since": 1}),
                them.post(f"{place}/test", json={"event_type": "video.failed"}),
            ):  # fmt: skip
                refused(answer, 404, code="not_found")
            assert made not in them.get("/v1/webhook_endpoints").text


def test_a_hundred_are_enough(service: Service, client: httpx.Client, there: Receiver) -> None:
    body = {"url": there.url, "event_types": ["*"]}
    first = client.post("/v1/webhook_endpoints", json=body).json()
    sql(
        service,
        "INSERT INTO webhook_endpoint (id, account_id, livemode, url, event_types)"
        " SELECT id || n, account_id, livemode, url, event_types FROM webhook_endpoint, generate_series(1, 99) n"
        " WHERE id = $1",
        first["id"],
    )
    refused(client.post("/v1/webhook_endpoints", json=body), 409, code="too_many_endpoints")


def test_an_account_tries_its_endpoints_thirty_times_a_minute(
    service: Service, client: httpx.Client, there: Receiver
) -> None:
    made = client.post("/v1/webhook_endpoints", json={"url": there.url, "event_types": KINDS}).json()["id"]
    path, body = f"/v1/webhook_endpoints/{made}/test", {"event_type": KINDS[0]}
    answers = [client.post(path, json=body) for _ in range(40)]
    refused = [one for one in answers if one.status_code == 429]
    assert 8 <= len(refused) <= 10  # a moment's worth comes back while they are sent
    assert int(refused[0].headers["retry-after"]) >= 1
    assert refused[0].json()["error"]["code"] == "rate_limited"
    with service.client(service.new_key("test")) as other:  # its neighbours have their own
        theirs = other.post("/v1/webhook_endpoints", json={"url": there.url, "event_types": KINDS}).json()["id"]
        assert other.post(f"/v1/webhook_endpoints/{theirs}/test", json=body).status_code == 200


def test_a_video_s_webhook_url_hears_how_it_ended(service: Service, client: httpx.Client, there: Receiver) -> None:
    there.came.clear()
    there.answer = status(200)
    url = f"{there.url}&job=7"
    told = client.get("/v1/webhook_secret").json()
    assert "signing_secret" not in told
    assert told["rotated_at"] is None
    shown = client.post("/v1/webhook_secret/rotate", json={}, headers={"Idempotency-Key": "r"}).json()
    secret = shown["signing_secret"]
    assert secret.startswith("whsec_")
    assert shown["signing_secret_hint"] != told["signing_secret_hint"]
    lost = client.post("/v1/webhook_secret/rotate", json={}, headers={"Idempotency-Key": "r"})
    assert lost.headers["idempotent-replayed"] == "true"
    assert lost.json() == shown
    body = SHORT | {"webhook_url": url}
    first = client.post("/v1/videos", json=body, headers={"Idempotency-Key": "v"}).json()
    again = client.post("/v1/videos", files={name: (None, str(value)) for name, value in body.items()},
                        headers={"Idempotency-Key": "v"}).json()  # fmt: skip
    assert again["id"] == first["id"]
    other = client.post("/v1/videos", json=body | {"webhook_url": there.url}, headers={"Idempotency-Key": "v"})
    refused(other, 422, code="idempotency_mismatch")
    until(lambda: [came for came in there.came if came.path.endswith("job=7")])
    (came,) = there.came
    event = Standard(secret).verify(came.body, came.headers)
    assert event["type"] == "video.completed"
    assert event["data"]["id"] == first["id"]
    assert set(event["data"]) == {"id", "status", "expires_at"}
    assert client.get("/v1/webhook_endpoints").json()["data"] == []
    assert "s3cret" not in service.errors.read_text()
    turned = client.post("/v1/webhook_secret/rotate", json={"keep_old_secret_active_for_24_hours": True}).json()
    assert turned["signing_secret"] != secret
    assert turned["previous_secret_until"] is not None
    told = client.get("/v1/webhook_secret")
    assert told.headers["cache-control"] == "no-store"
    assert told.json() == {name: value for name, value in turned.items() if name != "signing_secret"}
    assert turned["signing_secret"] not in told.text

    kinds = [one["type"] for one in client.get("/v1/events").json()["data"]]
    assert kinds == ["video.queued", "video.in_progress", "video.completed"]
    assert service.doctor()


def test_deliveries_are_shown_and_replayed(client: httpx.Client, there: Receiver) -> None:
    there.came.clear()
    there.answer = status(500)
    made = client.post("/v1/webhook_endpoints", json={"url": there.url, "event_types": ["video.canceled"]}).json()
    place = f"/v1/webhook_endpoints/{made['id']}"
    video = client.post("/v1/videos", json=SHORT | {"prompt": "[sandbox:slow=20] x"}).json()
    client.post(f"/v1/videos/{video['id']}/cancel")
    (shown,) = until(lambda: [one for one in client.get(f"{place}/deliveries").json()["data"] if one["attempts"]])
    assert (shown["state"], shown["tries"], shown["type"]) == ("pending", 1, "video.canceled")
    assert shown["attempts"][0]["outcome"] == "status"
    assert shown["attempts"][0]["status"] == 500
    assert shown["next_attempt_at"] is not None
    off = client.post(place, json={"enabled": False}).json()
    assert (off["enabled"], off["disabled_reason"]) == (False, "owner")
    (shown,) = client.get(f"{place}/deliveries?state=dropped").json()["data"]
    assert client.get(f"{place}/deliveries?state=pending").json()["data"] == []
    refused(client.post(f"{place}/replay", json={"since": 0}), 409, code="endpoint_disabled")
    assert client.post(place, json={"enabled": True}).json()["enabled"] is True
    there.answer = status(200)
    again = client.post(f"{place}/replay", json={"since": 0, "only_failed": True}, headers={"Idempotency-Key": "p"})
    assert (again.json()["count"], again.json()["has_more"]) == (1, False)
    until(lambda: client.get(f"{place}/deliveries").json()["data"][0]["state"] == "delivered")
    repeated = client.post(f"{place}/replay", json={"since": 0, "only_failed": True}, headers={"Idempotency-Key": "p"})
    assert repeated.json() == again.json()
    assert client.post(f"{place}/replay", json={"since": 0, "only_failed": True}).json()["count"] == 0
    assert client.post(f"{place}/replay", json={"event_id": shown["event_id"]}).json()["count"] == 1
    until(lambda: len(there.came) >= 3)
    assert {came.headers["webhook-id"] for came in there.came} == {shown["event_id"]}
    event = client.get(f"/v1/events/{shown['event_id']}").json()
    assert event == there.came[-1].event
    answer = client.post(f"{place}/replay", json={"event_id": "x", "until": -1, "after": "y"})
    assert {one["path"] for one in answer.json()["error"]["errors"]} == {"event_id", "until", "after"}
