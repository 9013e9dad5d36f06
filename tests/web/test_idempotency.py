"""Every POST happens once: by its key, or by the client's word that it tries again."""

import uuid
from collections.abc import Iterator

import httpx
import pytest

from faults.kit import SHORT
from security.attack import picture, refused, rows
from stage import Service, finished

BODY = SHORT | {"prompt": "x", "ratio": "16:9"}


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    email = service.command("account", "create", f"{uuid.uuid4().hex[:12]}@example.org")["email"]
    with service.client(service.new_key("test", email)) as client:
        yield client


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def replayed(answer: httpx.Response) -> bool:
    assert answer.status_code == 200, answer.text
    return answer.headers.get("idempotent-replayed") == "true"


def test_field_order_and_form_do_not_matter_and_one_character_does(client: httpx.Client) -> None:
    first = client.post("/v1/videos", json=BODY, headers=keyed("k"))
    assert not replayed(first)
    turned = dict(reversed(BODY.items()))
    form = {name: str(value) for name, value in BODY.items()}
    quoted = {"Idempotency-Key": '"k"'}
    for again in (
        client.post("/v1/videos", json=turned, headers=quoted),
        client.post("/v1/videos", files={name: (None, value) for name, value in form.items()}, headers=keyed("k")),
        client.post("/v1/videos", json=BODY | {"seed": 3, "metadata": None}, headers=keyed("k")),
    ):
        assert replayed(again)
        assert again.json()["id"] == first.json()["id"]
    for other in (BODY | {"prompt": "y"}, BODY | {"prompt": "x "}, BODY | {"seed": 4}, BODY | {"max_cost": "5"}):
        refused(client.post("/v1/videos", json=other, headers=keyed("k")), 422, code="idempotency_mismatch")
    client.post(f"/v1/videos/{first.json()['id']}/cancel")


def test_a_key_of_another_account_is_another_key(service: Service, client: httpx.Client) -> None:
    one = client.post("/v1/videos", json=BODY, headers=keyed("shared"))
    with service.client() as other:
        two = other.post("/v1/videos", json=BODY, headers=keyed("shared"))
        assert not replayed(two)
        assert two.json()["id"] != one.json()["id"]
        other.post(f"/v1/videos/{two.json()['id']}/cancel")


def test_a_quote_is_answered_again_as_it_was(client: httpx.Client) -> None:
    first = client.post("/v1/videos/quote", json=BODY, headers=keyed("q"))
    again = client.post("/v1/videos/quote", json=BODY, headers=keyed("q"))
    assert (replayed(first), replayed(again)) == (False, True)
    assert first.json() == again.json()
    other = client.post("/v1/videos/quote", json=BODY | {"duration": 3}, headers=keyed("q"))
    refused(other, 422, code="idempotency_mismatch")
    assert not replayed(client.post("/v1/videos", json=BODY, headers=keyed("q")))  # another address


def test_an_upload_is_kept_once(client: httpx.Client) -> None:
    image = picture()
    first = client.post("/v1/files", files={"file": ("a.png", image)}, headers=keyed("f"))
    again = client.post("/v1/files", files={"file": ("b.png", image)}, headers=keyed("f"))
    assert (replayed(first), replayed(again)) == (False, True)
    assert first.json() == again.json()
    other = client.post("/v1/files", files={"file": ("a.png", picture()[:-4] + b"else")}, headers=keyed("f"))
    refused(other, 422, code="idempotency_mismatch")
    client.delete(f"/v1/files/{first.json()['id']}")
    gone = client.post("/v1/files", files={"file": ("a.png", image)}, headers=keyed("f"))
    refused(gone, 422, code="idempotency_mismatch")


def test_a_cancel_that_is_repeated_after_the_end_is_no_conflict(client: httpx.Client) -> None:
    video = client.post("/v1/videos", json=BODY | {"prompt": "[sandbox:stall]"}).json()["id"]
    path = f"/v1/videos/{video}/cancel"
    assert not replayed(client.post(path, headers=keyed("c")))
    assert finished(client, video)["status"] == "canceled"
    again = client.post(path, headers=keyed("c"))
    assert replayed(again)
    assert again.json()["status"] == "canceled"
    refused(client.post(path), 409, code="not_cancelable")
    other = client.post("/v1/videos", json=BODY | {"prompt": "[sandbox:stall]"}).json()["id"]
    refused(client.post(f"/v1/videos/{other}/cancel", headers=keyed("c")), 422, code="idempotency_mismatch")
    client.post(f"/v1/videos/{other}/cancel")


def test_a_marked_retry_without_a_key_is_the_same_video_and_two_unmarked_ones_are_two(client: httpx.Client) -> None:
    first = client.post("/v1/videos", json=BODY, headers={"x-stainless-retry-count": "0"})
    second = client.post("/v1/videos", json=BODY, headers={"x-stainless-retry-count": "0"})
    assert first.json()["id"] != second.json()["id"]
    for count in ("1", "2", "17"):
        retry = client.post("/v1/videos", json=BODY, headers={"x-stainless-retry-count": count})
        assert replayed(retry)
        assert retry.json()["id"] == second.json()["id"]
    other = client.post("/v1/videos", json=BODY | {"prompt": "y"}, headers={"x-stainless-retry-count": "1"})
    assert not replayed(other)
    for odd in ("-1", "x", "", "1e9", "9" * 400):
        assert client.post("/v1/videos", json=BODY, headers={"x-stainless-retry-count": odd}).status_code == 200
    for one in client.get("/v1/videos", params={"limit": 100}).json()["data"]:
        client.post(f"/v1/videos/{one['id']}/cancel")


def test_the_note_of_a_prompt_is_a_keyed_digest(service: Service, client: httpx.Client) -> None:
    made = client.post("/v1/videos", json=BODY | {"prompt": "a secret place"}, headers=keyed("digest"))
    (note,) = rows(service.database_url, "SELECT * FROM idempotency WHERE key = 'digest'")
    assert "secret" not in str(dict(note))
    assert len(note["fingerprint"]) == 32
    client.post(f"/v1/videos/{made.json()['id']}/cancel")
