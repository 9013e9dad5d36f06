"""Signed links to reference media: what they give, and everything else that they must not."""

import time
from collections.abc import Iterator

import httpx
import pytest

from security.attack import ask, log, picture, refused, rows
from seedance_api.references.link import Linked, link, link_key, sign
from stage import PEPPER, Service

KEY = link_key(bytes.fromhex(PEPPER))


@pytest.fixture(scope="module")
def medium(service: Service) -> tuple[str, str]:
    """An uploaded picture: its id and its object."""
    with service.client() as client:
        made = client.post("/v1/files", files={"file": ("a.png", picture())}).json()
    (row,) = rows(service.database_url, "SELECT object_key FROM file WHERE id = $1", made["id"])
    return made["id"], row["object_key"]


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    """One without a key."""
    with httpx.Client(base_url=service.url, trust_env=False) as one:
        yield one


def token_for(object_key: str, *, seconds: float = 60, media_type: str = "image/png") -> str:
    """A token as the worker signs it."""
    return sign(KEY, Linked(object_key, media_type, int(time.time() + seconds)))


def test_a_link_needs_no_key_and_gives_the_object(service: Service, client: httpx.Client, medium: tuple) -> None:
    address = link(service.url, KEY, medium[1], "image/png", 60, now=time.time())
    answer = client.get(address)
    assert answer.status_code == 200
    stored = service.folder / "data" / "objects" / medium[1]
    assert answer.content == stored.read_bytes()
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"] == 'attachment; filename="media.png"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "no-store" in answer.headers["cache-control"]
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "set-cookie" not in answer.headers


def test_a_head_has_the_headers_and_no_body(client: httpx.Client, medium: tuple) -> None:
    place = f"/v1/media/{token_for(medium[1])}"
    whole, head = client.get(place), client.head(place)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "accept-ranges"):
        assert head.headers[name] == whole.headers[name]


def test_parts_make_the_whole(client: httpx.Client, medium: tuple) -> None:
    place = f"/v1/media/{token_for(medium[1])}"
    whole = client.get(place)
    parts = [client.get(place, headers={"Range": wanted}) for wanted in ("bytes=0-99", "bytes=100-")]
    assert [part.status_code for part in parts] == [206, 206]
    assert b"".join(part.content for part in parts) == whole.content
    assert parts[0].headers["content-range"] == f"bytes 0-99/{len(whole.content)}"
    assert client.get(place, headers={"Range": "bytes=-7"}).content == whole.content[-7:]
    assert client.get(place, headers={"Range": "bytes=0-9", "If-Range": '"other"'}).status_code == 200
    assert client.get(place, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304


@pytest.mark.parametrize(
    "wanted", ["bytes=0-1,2-3", "bytes=-0", "bytes=9-1", "bytes=999999999-", "bytes=-", "bytes=" + "9" * 400 + "-"]
)
def test_a_malformed_range_is_refused(client: httpx.Client, medium: tuple, wanted: str) -> None:
    answer = client.get(f"/v1/media/{token_for(medium[1])}", headers={"Range": wanted})
    refused(answer, 416, code="range_not_satisfiable")


def test_everything_that_is_wrong_looks_the_same(service: Service, client: httpx.Client, medium: tuple) -> None:
    good = token_for(medium[1])
    wrong = {
        "flipped": good[:50] + ("A" if good[50] != "A" else "B") + good[51:],
        "another object": good[:43] + token_for("files/obj_00000000000000000000000000")[43:],
        "over": token_for(medium[1], seconds=-1),
        "no object": token_for("files/obj_00000000000000000000000000"),
        "a folder": token_for("files"),
        "another ending": good.removesuffix("png") + "mp4",
        "another pepper": sign(link_key(b"x" * 32), Linked(medium[1], "image/png", int(time.time() + 60))),
        "endless": token_for(medium[1], seconds=30 * 86_400),
        "nothing": "x",
        "huge": "A" * 6000,
    }
    said: set[tuple[str, ...]] = set()
    for name, token in wrong.items():
        started = time.monotonic()
        answer = client.get(f"/v1/media/{token}")
        took = time.monotonic() - started
        error = refused(answer, 404, code="not_found")
        said.add((error["message"], str(error["param"]), str(sorted(set(answer.headers) - {"x-request-id"}))))
        assert took >= 0.1, name
        head = client.head(f"/v1/media/{token}")
        assert (head.status_code, head.content) == (404, b"")
    assert len(said) == 1
    assert client.get(f"/v1/media/{good}").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/v1/media/", "/v1/media", "/v1/media/../videos", "/v1/media/%2e%2e/videos", "/v1/media/..%2fvideos",
     "/v1/media//etc/passwd", "/v1/media/..%2f..%2fsecrets%2fpepper", "/v1/media/a/b", "/v1/media/a/../../videos",
     "/v1/media/%00", "/v1/media/.", "/v1/media/..", "/v1/media/?token=x", "/v1/media/x/../../../etc/passwd"],
)  # fmt: skip
def test_no_path_leads_anywhere_else(service: Service, path: str) -> None:
    answer = ask(service, "GET", path, key="none")
    refused(answer, 401, 404)
    assert b"root:" not in answer.content


def test_a_key_is_not_looked_at_and_another_method_is_refused(client: httpx.Client, medium: tuple) -> None:
    place = f"/v1/media/{token_for(medium[1])}"
    assert client.get(place, headers={"Authorization": "Bearer nonsense"}).status_code == 200
    for method in ("POST", "PUT", "DELETE"):
        refused(client.request(method, place), 405, code="method_not_allowed")


def test_a_link_dies_with_its_object_and_stands_in_no_log(service: Service, client: httpx.Client) -> None:
    with service.client() as owner:
        made = owner.post("/v1/files", files={"file": ("a.png", picture(641, 401))}).json()
        (row,) = rows(service.database_url, "SELECT object_key FROM file WHERE id = $1", made["id"])
        token = token_for(row["object_key"])
        assert client.get(f"/v1/media/{token}").status_code == 200
        owner.delete(f"/v1/files/{made['id']}")
    refused(client.get(f"/v1/media/{token}"), 404, code="not_found")
    assert token not in log(service)
    assert token[:40] not in log(service)
