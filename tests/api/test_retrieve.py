"""`GET /v1/videos/{id}`: its ETag, and 304 for those who have the answer."""

from collections.abc import Iterator

import httpx
import pytest

from stage import Service, finished

SMALL = {"prompt": "A quiet lake", "resolution": "480p", "duration": 4}


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as one:
        yield one


@pytest.fixture(scope="module")
def path(client: httpx.Client) -> str:
    """Of a video that is finished, so that it does not change."""
    return f"/v1/videos/{finished(client, client.post('/v1/videos', json=SMALL).json()['id'])['id']}"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("others", [{}, {"Prefer": "return=minimal"}], ids=["direct", "by the framework"])
@pytest.mark.parametrize(
    ("header", "status"),
    [("{tag}", 304), ("W/{tag}", 304), ('"x", {tag}', 304), ("*", 304), ('"x"', 200), ("x", 200), ("", 200)],
)
def test_304_for_those_who_have_it(
    client: httpx.Client, path: str, method: str, others: dict[str, str], header: str, status: int
) -> None:
    first = client.request(method, path, headers=others)
    asked = {"If-None-Match": header.format(tag=first.headers["etag"])}
    answer = client.request(method, path, headers=others | asked)
    assert (first.status_code, answer.status_code) == (200, status)
    assert answer.headers["etag"] == first.headers["etag"]
    assert answer.headers["cache-control"] == first.headers["cache-control"] == "no-store"
    assert answer.content == (first.content if status == 200 else b"")
    assert answer.headers["x-request-id"]
    assert ("content-type" in answer.headers) is (status == 200)


def test_a_list_in_several_lines_is_one_list(client: httpx.Client, path: str) -> None:
    tag = client.get(path).headers["etag"]
    for lines in ([tag, '"x"'], ['"x"', tag]):
        assert client.get(path, headers=[("If-None-Match", line) for line in lines]).status_code == 304


def test_the_connection_serves_on_after_a_304(client: httpx.Client, path: str) -> None:
    tag = client.get(path).headers["etag"]
    for _ in range(3):
        assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
        assert client.get(path).json()["status"] == "completed"


def test_another_state_has_another_etag(client: httpx.Client) -> None:
    made = client.post("/v1/videos", json=SMALL | {"prompt": "[sandbox:stall] x"}).json()
    path = f"/v1/videos/{made['id']}"
    before = client.get(path).headers["etag"]
    client.post(f"{path}/cancel")
    finished(client, made["id"])
    after = client.get(path, headers={"If-None-Match": before})
    assert after.status_code == 200
    assert after.headers["etag"] != before
