"""Paths, methods, queries and headers that try to slip past: refused in our shape, or answered for what they are."""

import socket
import uuid

import httpx
import pytest

from security.attack import address, ask, parsed, raw, refused
from stage import Service, until

pytestmark = pytest.mark.usefixtures("nothing_kept")

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "TRACE", "CONNECT", "PROPFIND", "get", "FOO"]


def routes(service: Service) -> dict[str, set[str]]:
    """Every documented path, with the documented methods."""
    found = httpx.get(service.url + "/openapi.json", trust_env=False).json()["paths"]
    return {path: {m.upper() for m in item if m != "parameters"} for path, item in found.items()}


def test_undocumented_methods_are_refused(service: Service) -> None:
    for path, methods in routes(service).items():
        video, file = "vid_" + "0" * 26, "file_" + "0" * 26
        target = path.replace("{video_id}", video).replace("{file_id}", file).replace("{model}", "x")
        for method in METHODS:
            if method not in methods:
                response = ask(service, method, target)
                assert response.headers["x-request-id"]
                if method == "HEAD":  # answered wherever GET is
                    assert response.status_code != 405 if "GET" in methods else response.status_code in (404, 405)
                    assert response.content == b""
                    continue
                refused(response, 404, 405)
                if response.status_code == 405:
                    assert set(response.headers["allow"].split(", ")) >= methods


NOWHERE = [
    "/v1",
    "/v1/",
    "/v2/videos",
    "/V1/videos",
    "/v1/videos/../../etc/passwd",
    "/v1/videos/..%2f..%2fmodels",
    "/v1/videos/%2e%2e/models",
    "/v1/./videos",
    "/v1/videos/%00",
    "/v1/videos/%ff",
    "/v1/videos/a%0d%0aX:y",
    "/v1/videos/x/content/..%2f..",
    "/v1/files/..%2f..%2fsecrets%2fpepper",
    "/v1/videos/😀",
    "/v1/models/%2e%2e",
    "/v1/models/" + "x" * 10_000,
    "/v1/videos/" + "x" * 20_000,
    "/v1/videos;a=b",
    "/v1/videos/x;/content",
    "/static/..%2f..%2fpyproject.toml",
    "/docs/..%2fapp.py",
    "/schema",
    "/metrics",
    "/admin",
    "/.env",
    "*",
    "/v1/videos/vid_" + "0" * 26,
    "/v1/files/file_" + "0" * 26,
    "/v1/videos/vid_" + "0" * 26 + "/nothing",
]


@pytest.mark.parametrize("target", NOWHERE, ids=lambda target: ascii(target[:40]))
def test_odd_paths_lead_nowhere(service: Service, target: str) -> None:
    response = parsed(
        raw(
            service,
            b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %b\r\n\r\n"
            % (target.encode(), service.key.encode()),
        )
    )
    if target == "*":  # not a path for a GET; the server below us says so
        assert response.status_code in (400, 404)
        return
    refused(response, 404)


@pytest.mark.parametrize(
    "target",
    ["//v1/videos", "///v1/models", "/%2fv1/videos", "//v1//videos", "/v1//videos", "/%76%31/videos", "/v1/videos//"],
)
def test_no_spelling_of_a_path_gets_past_the_key(service: Service, target: str) -> None:
    refused(ask(service, "GET", target, Authorization=""), 401, 404)
    refused(ask(service, "GET", target, Authorization="Bearer x"), 401, 404)
    answer = ask(service, "GET", target)
    if answer.status_code != 200:
        refused(answer, 404)


def test_a_trailing_slash_does_not_change_who_may(service: Service) -> None:
    for path in ("/v1/videos/", "/v1/models/", "/v1/videos/vid_x/", "/v1/videos/vid_x/content/"):
        refused(ask(service, "GET", path, Authorization=""), 401)


QUERIES = [
    "model=%00",
    "after=%00",
    "after=x",
    "limit=0",
    "limit=101",
    "limit=-1",
    "limit=x",
    "limit=1e400",
    "limit=" + "9" * 5000,
    "limit=%00",
    "order=up",
    "status=%00",
    "status=running",
    "created_after=-1",
    "created_after=" + "9" * 400,
    "created_before=nan",
    "created_after=8589934592",
    "%00=1",
    "nothing=1",
    "limit[]=1",
    "limit=1&limti=2",
]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query[:30])
def test_odd_queries_are_refused_or_find_nothing(service: Service, query: str) -> None:
    response = ask(service, "GET", f"/v1/videos?{query}")
    if response.status_code == 200:
        assert response.json()["data"] == []
    else:
        refused(response, 400)


@pytest.mark.parametrize("query", ["variant=x", "variant=%00", "x=1", "variant=video&x", "variant=" + "x" * 5000])
def test_odd_variants_are_refused(service: Service, query: str) -> None:
    refused(ask(service, "GET", f"/v1/videos/vid_{'0' * 26}/content?{query}"), 400)


@pytest.mark.parametrize("form", ["{}", "a={}", "api_key={}&x=1"])
@pytest.mark.parametrize("path", ["/v1/videos", "/v1/videos/vid_x", "/v1/videos/vid_x/content", "//v1/videos"])
def test_a_key_in_the_query_is_refused_and_not_logged(service: Service, path: str, form: str) -> None:
    query = form.format(service.key)
    refused(ask(service, "GET", f"{path}?{query}", Authorization=""), 400, code="key_in_query")
    refused(ask(service, "GET", f"{path}?{query}"), 400, code="key_in_query")
    assert service.key.split("_")[2] not in service.errors.read_text(errors="replace")


@pytest.mark.parametrize("spelt", ["%73da_", "s%64a_", "sda%5f"])
def test_a_key_in_the_query_is_not_echoed_however_it_is_spelt(service: Service, spelt: str) -> None:
    for path in ("/v1/videos", "/v1/videos/vid_x/content"):
        response = ask(service, "GET", f"{path}?{service.key.replace('sda_', spelt)}=1")
        refused(response, 400)
        assert service.key not in response.text


def test_a_key_is_not_echoed_from_a_body(service: Service) -> None:
    with service.client() as client:
        for body in (
            {service.key: 1},
            {"prompt": "x", "resolution": service.key},
            {"prompt": "x", "size": service.key},
        ):
            assert service.key not in client.post("/v1/videos", json=body).text


HEADERS = {
    "huge header": b"X-A: " + b"x" * 1_000_000 + b"\r\n",
    "100,000 headers": b"X-A: b\r\n" * 100_000,
    "NUL in a value": b"X-A: a\0b\r\n",
    "NUL in a name": b"X\0A: b\r\n",
    "folded": b"X-A: a\r\n b\r\n",
    "space before the colon": b"X-A : b\r\n",
    "no colon": b"nonsense\r\n",
    "both lengths": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n",
    "list of lengths": b"Content-Length: 5, 6\r\n",
    "negative length": b"Content-Length: -5\r\n",
    "hexadecimal length": b"Content-Length: 0x5\r\n",
    "signed length": b"Content-Length: +5\r\n",
    "odd transfer coding": b"Transfer-Encoding: \x0bchunked\r\n",
    "unknown transfer coding": b"Transfer-Encoding: cow\r\n",
    "chunked twice": b"Transfer-Encoding: chunked, identity\r\n",
}


@pytest.mark.parametrize("lines", HEADERS.values(), ids=HEADERS.keys())
def test_a_broken_head_gets_one_answer_at_most(service: Service, lines: bytes) -> None:
    """What the server below us refuses never reaches us, so its shape is its own; a second answer would be smuggled."""
    smuggled = b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n" % service.key.encode()
    head = b"POST /v1/videos/quote HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer "
    answer = raw(service, head + service.key.encode() + b"\r\n" + lines + b"\r\n0\r\n\r\n" + smuggled, seconds=1.5)
    assert answer.count(b'"object":"list"') <= (1 if b"Content-Length" not in lines or b"Transfer" in lines else 0)
    if answer:
        assert 400 <= parsed(answer).status_code < 500


@pytest.mark.parametrize(
    "body",
    [b"zz\r\n{}\r\n", b"-1\r\n", b"5;" + b"x" * 1_000_000 + b"\r\n", b"f" * 17 + b"\r\n", b"2\r\n{}0\r\n\r\n"],
    ids=["not hexadecimal", "negative", "enormous extension", "overflow", "no line end"],
)
def test_broken_chunks_make_no_5xx(service: Service, body: bytes) -> None:
    head = (
        f"POST /v1/videos HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.key}\r\nContent-Type: application/json"
    )
    answer = raw(service, f"{head}\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + body, seconds=2)
    if answer:
        assert 400 <= parsed(answer).status_code < 500, answer[:300]


@pytest.mark.parametrize("host", ["", "a" * 5000, 'x"y', "evil.example", "x/y?z", "[::1]:99999", "x\xff"], ids=ascii)
def test_any_host_header_is_borne(service: Service, host: str) -> None:
    response = ask(service, "GET", "/v1/videos", Host=host)
    assert response.status_code in (200, 400)
    assert "evil.example" not in response.headers.get("location", "")


def test_a_client_that_leaves_in_the_middle_leaves_nothing_and_is_no_fault_of_ours(service: Service) -> None:
    start = len(service.errors.read_text(errors="replace"))
    for body in (
        b'{"prompt":"' + b"x" * 5000,
        b'--edge\r\nContent-Disposition: form-data; name="images[]"; filename="a"\r\n\r\n' + b"x" * 5000,
    ):
        kind = b"application/json" if body[:1] == b"{" else b"multipart/form-data; boundary=edge"
        with socket.create_connection(address(service)) as connection:
            connection.sendall(
                b"POST /v1/videos HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nContent-Type: %b\r\n"
                b"Content-Length: 100000\r\n\r\n" % (service.key.encode(), kind) + body
            )
    until(lambda: len(list((service.folder / "data" / "scratch").glob("*/tmp*"))) == 0, 10)
    assert "request.failed" not in service.errors.read_text(errors="replace")[start:]


def test_a_request_id_is_ours_and_new_each_time(service: Service) -> None:
    mine = uuid.uuid4().hex
    ids = {ask(service, "GET", "/v1/models", X_Request_ID=mine).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert mine not in ids
