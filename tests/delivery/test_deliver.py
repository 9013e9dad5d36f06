"""P20: what counts as delivered, what the grace makes of it, and what never counts."""

import base64
import hashlib
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import httpx
import pytest

from security.attack import address, refused, rows
from seedance_api.delivery.link import link_key, sign
from stage import PEPPER, Service, finished, until

SMALL = {"prompt": "A quiet lake", "duration": 4, "resolution": "480p"}
KEY = link_key(bytes.fromhex(PEPPER))


@pytest.fixture
def made(service: Service) -> Iterator[tuple[httpx.Client, dict[str, Any]]]:
    """A client and a completed video of its own."""
    with service.client() as client:
        yield client, finished(client, client.post("/v1/videos", json=SMALL).json()["id"])


def content_of(service: Service, video: str) -> dict[str, Any]:
    (row,) = rows(service.database_url, "SELECT * FROM content WHERE generation_id = $1", video)
    return dict(row)


def delivered(client: httpx.Client, video: str) -> int | None:
    return client.get(f"/v1/videos/{video}").json()["delivered_at"]


def test_a_whole_download_is_delivery_and_starts_the_grace(service: Service, made: tuple) -> None:
    client, video = made
    assert video["delivered_at"] is None
    assert client.get(video["urls"]["content"]).status_code == 200
    until(lambda: delivered(client, video["id"]), 10)
    row = content_of(service, video["id"])
    assert (row["state"], row["delivered_by"]) == ("delivered", "served")
    assert (row["purge_at"] - row["delivered_at"]).total_seconds() == row["grace_seconds"] == 3600
    assert client.get(video["urls"]["content"]).status_code == 200  # the grace is for those who lost it
    assert content_of(service, video["id"])["purge_at"] == row["purge_at"]


def test_two_halves_are_the_whole_and_99_percent_is_not(service: Service, made: tuple) -> None:
    client, video = made
    place = video["urls"]["content"]
    size = int(client.head(place).headers["content-length"])
    most = size * 99 // 100
    for wanted in (f"bytes=0-{most - 1}", "bytes=0-1", f"bytes=5-{most - 9}"):
        assert client.get(place, headers={"Range": wanted}).status_code == 206
    for variant in ("thumbnail",):
        assert client.get(place, params={"variant": variant}).status_code == 200
    etag = client.head(place).headers["etag"]
    assert client.get(place, headers={"If-None-Match": etag}).status_code == 304
    served = until(lambda: served_of(service, video["id"], most), 60)
    assert served == [(0, most)]
    assert content_of(service, video["id"])["state"] == "stored"
    token = client.post(f"/v1/videos/{video['id']}/links").json()["url"]
    assert httpx.get(token, headers={"Range": f"bytes={most}-"}, trust_env=False).status_code == 206
    until(lambda: content_of(service, video["id"])["state"] == "delivered", 60)


def served_of(service: Service, video: str, end: int) -> list[tuple[int, int]] | None:
    sql = "SELECT lower(r) AS a, upper(r) AS b FROM asset, unnest(served) r WHERE generation_id = $1"
    found = [(row["a"], row["b"]) for row in rows(service.database_url, sql, video)]
    return found if found and found[-1][1] >= end else None


@pytest.mark.parametrize(("size", "taken"), [(0, 1), (0, 20_000), (64_000_000, 1), (64_000_000, 30_000_000)])
def test_a_download_that_is_broken_off_is_no_delivery(service: Service, made: tuple, size: int, taken: int) -> None:
    """Nor is it one if the whole file lies in the buffers of the system by then, as a small one does."""
    client, video = made
    if size:
        grow(service, video["id"], size)
    whole = int(client.head(video["urls"]["content"]).headers["content-length"])
    request = f"GET /v1/videos/{video['id']}/content HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.key}\r\n\r\n"
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
    with connection:
        connection.connect(address(service))
        connection.sendall(request.encode())
        got = 0
        while got < taken:
            got += len(connection.recv(min(taken - got, 1 << 16)))
    served = until(lambda: served_of(service, video["id"], taken - 1000), 10)
    assert isinstance(served, list)
    assert served[0][1] < min(whole, taken + 8_000_000)
    assert content_of(service, video["id"])["state"] == "stored"
    assert len(client.get(video["urls"]["content"]).content) == whole
    until(lambda: content_of(service, video["id"])["state"] == "delivered", 60)


def test_a_connection_that_is_reset_at_once_is_no_delivery(service: Service, made: tuple) -> None:
    """Its socket has no other end any more when it is looked for: that means that nothing arrived."""
    client, video = made
    request = f"GET /v1/videos/{video['id']}/content HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.key}\r\n\r\n"
    for _ in range(20):
        with socket.create_connection(address(service)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(request.encode())
    assert client.head(video["urls"]["content"]).status_code == 200
    time.sleep(0.5)  # what would be written wrongly, were it, is written by now
    assert content_of(service, video["id"])["state"] == "stored"
    assert client.get(video["urls"]["content"]).status_code == 200
    until(lambda: content_of(service, video["id"])["state"] == "delivered", 60)


@pytest.mark.parametrize("path", ["content", "delivered", "links", "receipt"])
def test_an_id_that_is_none_is_not_asked_for(service: Service, path: str) -> None:
    method = "POST" if path in ("delivered", "links") else "GET"
    for strange in ("a%00b", "vid_%ff", "vid_" + "0" * 26):
        with service.client() as client:
            refused(client.request(method, f"/v1/videos/{strange}/{path}"), 404, 400)


def grow(service: Service, video: str, size: int) -> None:
    """Make the stored file a large one, so that no system can hold the rest of it on its way."""
    (row,) = rows(
        service.database_url, "SELECT object_key FROM asset WHERE generation_id = $1 AND variant = 'video'", video
    )
    path = service.folder / "data" / "objects" / row["object_key"]
    with path.open("r+b") as file:
        file.truncate(size)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    sql = "UPDATE asset SET bytes = $2, sha256 = $3 WHERE generation_id = $1 AND variant = 'video' RETURNING 1"
    rows(service.database_url, sql, video, size, digest)


def test_many_small_pieces_are_bounded(service: Service, made: tuple) -> None:
    client, video = made
    place = video["urls"]["content"]
    for at in range(0, 1200, 4):
        client.get(place, headers={"Range": f"bytes={at}-{at}"})
    sql = "SELECT count(*) AS n FROM asset, unnest(served) r WHERE generation_id = $1"
    until(lambda: rows(service.database_url, sql, video["id"])[0]["n"] >= 256, 60)
    time.sleep(0.5)  # what would be one too many, were it, is written by now
    assert rows(service.database_url, sql, video["id"])[0]["n"] == 256
    assert client.get(place).status_code == 200
    until(lambda: delivered(client, video["id"]), 10)


def test_the_owner_says_that_he_has_it_once_or_often(service: Service, made: tuple) -> None:
    client, video = made
    place = f"/v1/videos/{video['id']}/delivered"
    first = client.post(place, headers={"Idempotency-Key": video["id"]})
    assert first.status_code == 200
    assert first.json()["delivered_at"]
    assert first.json()["expires_at"] == pytest.approx(first.json()["delivered_at"] + 3600, abs=1)
    again = client.post(place, headers={"Idempotency-Key": video["id"]})
    assert again.headers["idempotent-replayed"] == "true"
    assert client.post(place).json()["expires_at"] == first.json()["expires_at"]
    assert content_of(service, video["id"])["delivered_by"] == "confirmed"


def test_only_a_finished_video_of_ones_own_can_be_confirmed(service: Service) -> None:
    other = service.new_key(email=service.new_account()["email"])
    with service.client() as client, service.client(other) as stranger:
        waiting = client.post("/v1/videos", json=SMALL | {"prompt": "[sandbox:slow=20]"}).json()
        refused(client.post(f"/v1/videos/{waiting['id']}/delivered"), 404, code="not_ready")
        for place in ("delivered", "links"):
            refused(stranger.post(f"/v1/videos/{waiting['id']}/{place}"), 404, code="not_found")
        refused(stranger.get(f"/v1/videos/{waiting['id']}/receipt"), 404, code="not_found")
        client.post(f"/v1/videos/{waiting['id']}/cancel")


def test_a_link_leads_to_one_file_without_a_key(made: tuple) -> None:
    client, video = made
    made_link = client.post(f"/v1/videos/{video['id']}/links", json={"variant": "thumbnail", "expires_in": 60}).json()
    assert made_link["expires_at"] == pytest.approx(time.time() + 60, abs=3)
    with httpx.Client(trust_env=False) as bare:
        answer = bare.get(made_link["url"])
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
        assert answer.headers["content-disposition"] == f'attachment; filename="{video["id"]}-thumbnail.webp"'
        assert "no-store" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert bare.head(made_link["url"]).content == b""


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("generation", lambda t: t.replace(t[4:10], "000000", 1)),
        ("variant", lambda t: t.replace(".thumbnail.", ".video.")),
        ("end", lambda t: t.replace(t.split(".")[2], str(int(t.split(".")[2]) + 1))),
        ("mac", lambda t: t[:-2] + ("AA" if t[-2:] != "AA" else "BB")),
        ("spare bits", lambda t: t[:-1] + chr(ord(t[-1]) + 1)),
        ("more", lambda t: t + "A"),
        ("nothing", lambda _: "x"),
        ("zero", lambda t: t.replace(t.split(".")[2], "0" + t.split(".")[2])),
    ],
)
def test_a_link_that_was_changed_is_refused(made: tuple, place: str, change: Callable[[str], str]) -> None:
    client, video = made
    url = client.post(f"/v1/videos/{video['id']}/links", json={"variant": "thumbnail"}).json()["url"]
    head, token = url.rsplit("/", 1)
    refused(httpx.get(f"{head}/{change(token)}", trust_env=False), 403, code="link_invalid")


def test_a_link_ends_and_nothing_is_asked_for_that_is_not_there(service: Service, made: tuple) -> None:
    client, video = made
    (row,) = rows(
        service.database_url, "SELECT sha256 FROM asset WHERE generation_id = $1 AND variant = 'video'", video["id"]
    )
    over = sign(KEY, video["id"], "video", row["sha256"], int(time.time()) - 1)
    refused(httpx.get(f"{service.url}/v1/content/{over}", trust_env=False), 410, code="link_expired")
    links = f"/v1/videos/{video['id']}/links"
    error = refused(client.post(links, json={"variant": "x", "expires_in": 5, "y": 1}), 400)
    assert {one["path"] for one in error["errors"]} == {"variant", "expires_in", "y"}
    refused(client.post(links, json={"variant": "last_frame"}), 404, code="not_found")
    refused(client.post(links, content=b"{", headers={"Content-Type": "application/json"}), 400, code="invalid_json")
    refused(client.post(links, content=b"x" * 70_000, headers={"Content-Type": "application/json"}), 413)


def test_the_digest_of_the_file_is_told(made: tuple) -> None:
    client, video = made
    answer = client.get(video["urls"]["content"])
    told = answer.headers["repr-digest"].removeprefix("sha-256=:").removesuffix(":")
    assert base64.b64decode(told) == hashlib.sha256(answer.content).digest()
    assert answer.headers["x-accel-buffering"] == "no"


@pytest.mark.parametrize("end", ["NULL", "now() + interval '168 hours 1 second'"])
def test_P19_nothing_has_no_end_or_a_later_one(database_url: str, end: str) -> None:  # noqa: N802 a promise's name
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=r"purge_at|content_goes_within_a_week"):
        rows(database_url, f"INSERT INTO content (generation_id, purge_at) VALUES ('vid_x', {end}) RETURNING 1")


def test_an_accounts_own_times_and_a_requests(service: Service) -> None:
    email = service.new_account()["email"]
    service.command("account", "retention", email, "--keep", "7200", "--grace", "0")
    assert service.command("account", "retention", email)["grace_seconds"] == 0
    with service.client(service.new_key(email=email)) as client:
        ids = [
            client.post("/v1/videos", json=SMALL | changes).json()["id"] for changes in ({}, {"expires_after": 4000})
        ]
        kept = [finished(client, one) for one in ids]
        spans = [one["expires_at"] - one["completed_at"] for one in kept]
        assert spans == [pytest.approx(7200, abs=2), pytest.approx(4000, abs=2)]
        assert client.get(kept[0]["urls"]["content"]).status_code == 200
        until(lambda: client.get(kept[0]["urls"]["content"]).status_code == 410, 10)  # a grace of nothing
        receipt = until(lambda: complete(client, ids[0]), 30)
        assert {one["what"]: one["reason"] for one in receipt["deleted"]}["video"] == "delivered"  # type: ignore[index]


def complete(client: httpx.Client, video: str) -> dict[str, Any] | None:
    found = client.get(f"/v1/videos/{video}/receipt").json()
    return found if not [one for one in found["kept"] if one["what"] != "prompt"] else None
