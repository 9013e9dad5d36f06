"""`Range` in every malformed way, over a real file."""

import httpx
import pytest

from security.attack import refused
from stage import Service

WRONG = [
    "bytes=0-," + "0-," * 10_000,
    "bytes=-0",
    "bytes=9e99-",
    "bytes=-",
    "bytes=",
    "bytes=--1",
    "bytes=-1-",
    "bytes=5-2",
    "bytes=99999999999-",
    "bytes=" + "9" * 400 + "-",
    "bytes=0x0-5",
    "bytes=0-0,1-1",
    "bytes= 0-5",
    "bytes=0-5 x",
    "bytes=1.5-2",
    "bytes=a-b",
    "bytes",
    "=",
    "bytes=\xb2-\xb3",
    "bytes=-" + "9" * 19,
]


@pytest.mark.parametrize("value", WRONG, ids=lambda value: ascii(value[:25]))
def test_a_malformed_range_is_refused(service: Service, video: dict, value: str) -> None:
    with service.client() as client:
        response = client.get(f"/v1/videos/{video['id']}/content", headers=[(b"Range", value.encode("latin-1"))])
    refused(response, 416, code="range_not_satisfiable")
    assert response.headers["content-range"].startswith("bytes */")


def test_a_negative_range_is_the_end_and_parts_make_the_whole(service: Service, video: dict) -> None:
    with service.client() as client:
        target = f"/v1/videos/{video['id']}/content"
        whole = client.get(target).content
        part = client.get(target, headers={"Range": "bytes=-10"})
        assert (part.status_code, part.content) == (206, whole[-10:])
        assert client.get(target, headers={"Range": f"bytes=-{len(whole) + 1}"}).content == whole
        middle = len(whole) // 2
        first = client.get(target, headers={"Range": f"bytes=0-{middle - 1}"})
        rest = client.get(target, headers={"Range": f"bytes={middle}-99999999999"})
        assert first.content + rest.content == whole
        assert first.headers["content-range"] == f"bytes 0-{middle - 1}/{len(whole)}"


def test_a_range_of_another_version_is_the_whole(service: Service, video: dict) -> None:
    with service.client() as client:
        target = f"/v1/videos/{video['id']}/content"
        etag = client.head(target).headers["etag"]
        assert client.get(target, headers={"Range": "bytes=0-1", "If-Range": etag}).status_code == 206
        assert client.get(target, headers={"Range": "bytes=0-1", "If-Range": '"x"'}).status_code == 200
        assert client.get(target, headers={"If-None-Match": etag}).status_code == 304
        assert client.get(target, headers={"If-None-Match": "x," * 50_000}).status_code in (200, 400, 431)


def test_a_head_has_the_headers_and_no_body(service: Service, video: dict) -> None:
    with service.client() as client:
        for variant in ("video", "thumbnail"):
            response = client.head(f"/v1/videos/{video['id']}/content", params={"variant": variant})
            assert (response.status_code, response.content) == (200, b"")
            assert int(response.headers["content-length"]) > 0
            assert response.headers["x-content-type-options"] == "nosniff"


def test_a_reader_that_leaves_disturbs_nobody(service: Service, video: dict) -> None:
    target = f"{service.url}/v1/videos/{video['id']}/content"
    headers = {"Authorization": f"Bearer {service.key}"}
    for _ in range(20):
        with httpx.stream("GET", target, headers=headers, trust_env=False) as response:
            next(response.iter_raw(100))
    with service.client() as client:
        assert client.get("/readyz").status_code == 200
