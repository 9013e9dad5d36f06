"""What is at an address is told truthfully, by every method, and so is how a key is to be sent."""

import re
from collections import defaultdict
from collections.abc import Iterator

import httpx
import pytest

from security.attack import parsed, raw, refused
from seedance_api.api.routes import ROUTES
from stage import Service, finished

TAIL = "01jh0000000000000000000000"
VALUES = {
    "video_id": f"vid_{TAIL}", "file_id": f"file_{TAIL}", "endpoint_id": f"whe_{TAIL}", "event_id": f"evt_{TAIL}",
    "model": "seedance-2.0", "token": "t", "month": "2026-01", "attempt": "a",
}  # fmt: skip
READS_QUERY = {
    "/v1/videos", "/v1/usage", "/v1/requests", "/v1/events", "/v1/webhook_endpoints",
    "/v1/videos/{video_id:str}", "/v1/videos/{video_id:str}/content",
    "/v1/webhook_endpoints/{endpoint_id:str}/deliveries",
}  # fmt: skip
LINKS = {"/v1/content/{token:str}", "/v1/media/{token:str}", "/v1/callbacks/{attempt:str}/{token:str}"}
IDS = [name for name in VALUES if name.endswith("_id")]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")


def addresses() -> dict[str, set[str]]:
    """Every path with the methods that its handlers take."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for handler in ROUTES:
        for path in handler.paths:
            found[path] |= {str(method) for method in handler.http_methods}
    return dict(found)


def filled(path: str) -> str:
    return re.sub(r"{(\w+):str}", lambda match: VALUES[match[1]], path)


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


@pytest.mark.parametrize("path", addresses())
def test_an_address_says_all_that_it_takes(client: httpx.Client, path: str) -> None:
    taken = addresses()[path] | {"OPTIONS"} | ({"HEAD"} if "GET" in addresses()[path] else set())
    allow = ", ".join(sorted(taken))
    for method in METHODS:
        if method in taken - {"OPTIONS"}:
            continue
        answer = client.request(method, filled(path))
        assert answer.headers["allow"] == allow, method
        if method in ("OPTIONS", "HEAD"):
            assert (answer.status_code, answer.content) == (204 if method == "OPTIONS" else 405, b"")
        else:
            assert allow in refused(answer, 405, code="method_not_allowed")["message"]


@pytest.mark.parametrize("path", [path for path, methods in addresses().items() if "GET" in methods])
def test_head_goes_where_get_does(client: httpx.Client, path: str) -> None:
    got, headed = client.get(filled(path)), client.head(filled(path))
    assert (headed.status_code, headed.content) == (got.status_code, b"")
    for name in ("content-type", "content-length", "location", "etag"):
        assert headed.headers.get(name) == got.headers.get(name), name


def test_head_of_what_never_ends_and_of_a_video(client: httpx.Client, service: Service) -> None:
    video = client.post("/v1/videos", json={"prompt": "[sandbox:stall] x", "duration": 4, "resolution": "480p"}).json()
    streamed = client.head(f"/v1/videos/{video['id']}/events")
    assert streamed.headers["content-type"].startswith("text/event-stream")
    head = f"HEAD /v1/videos/{video['id']} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    answer = parsed(raw(service, f"{head}Authorization: Bearer {service.key}\r\n\r\n".encode()))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["openai-poll-after-ms"]
    client.post(f"/v1/videos/{video['id']}/cancel")
    assert "broken_off" not in service.errors.read_text()


@pytest.mark.parametrize("path", [path for path in addresses() if path.startswith("/v1/") and path not in LINKS])
def test_a_query_that_nobody_reads_is_refused(client: httpx.Client, path: str) -> None:
    for method in addresses()[path] | ({"HEAD"} if "GET" in addresses()[path] else set()):
        answer = client.request(method, filled(path) + "?max_cost=0.01&a%20secret")
        if path in READS_QUERY and method in ("GET", "HEAD"):
            assert answer.status_code in (400, 404)
        elif method == "HEAD":
            assert answer.status_code == 400
        else:
            error = refused(answer, 400, code="invalid_request")
            assert [problem["path"] for problem in error["errors"]] == ["max_cost", "a?secret"]
            assert error["errors"][0]["code"] == "unknown_field"
            assert "query" in error["message"]
            assert ("in the body" in error["message"]) is (method == "POST")


@pytest.mark.parametrize("path", [path for path in addresses() if not path.startswith("/v1/") or path in LINKS])
def test_links_and_pages_take_any_query(client: httpx.Client, path: str) -> None:
    for method in addresses()[path]:
        plain, asked = client.request(method, filled(path)), client.request(method, filled(path) + "?utm_source=mail")
        assert asked.status_code == plain.status_code


def test_a_query_hides_no_video_and_answers_no_options(client: httpx.Client) -> None:
    made = client.post("/v1/videos", json={"prompt": "x", "duration": 4, "resolution": "480p"}).json()
    at = f"/v1/videos/{made['id']}"
    assert client.get(at).status_code == client.get(f"{at}?").status_code == 200
    assert refused(client.get(f"{at}?variant=thumbnail"), 400, code="invalid_request")["param"] == "variant"
    assert client.options(f"{at}?x=1").status_code == 204
    refused(client.get("/v1/nothing?x=1"), 404, code="not_found")


@pytest.mark.parametrize("path", [path for path in addresses() if re.search(r"{\w+_id:str}", path)])
def test_what_is_no_id_is_a_404_that_says_what_an_id_is(client: httpx.Client, path: str) -> None:
    name = re.findall(r"{(\w+_id):str}", path)[0]
    prefix = VALUES[name].partition("_")[0]
    at = filled(path.replace(f"{{{name}:str}}", "other_01jh0000000000000000000000"))
    for method in METHODS[:-2]:
        answer = client.request(method, at)
        if method == "HEAD":
            assert answer.status_code == 404
        else:
            assert f"`{prefix}_`" in refused(answer, 404, code="not_found")["message"]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/v1/videos/models", "GET /v1/models"),
        ("/v1/videos/generations", "POST /v1/videos"),
        ("/v1/videos/edits", "edits are not served"),
        ("/v1/videos/extensions", "extensions are not served"),
        ("/v1/videos/characters", "characters are not served"),
        ("/v1/videos/characters/char_1", "characters are not served"),
        (f"/v1/videos/vid_{TAIL}/remix", "remixes are not served"),
        ("/v1/chat/completions", "/docs"),
        ("/videos", "did you mean /v1/videos?"),
        ("/v1/v1/videos", "did you mean /v1/videos?"),
        ("/v1/v1/videos/quote/", "did you mean /v1/videos/quote?"),
        (f"/api/v1/videos/vid_{TAIL}/content", "did you mean /v1/videos/{video_id}/content?"),
        ("/v1", "/docs"),
        ("/favicon.ico", "/docs"),
    ],
)
def test_where_nothing_is_it_says_so(client: httpx.Client, path: str, says: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        answer = client.request(method, path)
        assert says in refused(answer, 404, code="not_found")["message"]
        assert "allow" not in answer.headers


def test_the_root_leads_to_the_documentation(client: httpx.Client) -> None:
    answer = client.get("/", follow_redirects=True, headers={"Authorization": ""})
    assert (answer.url.path, answer.status_code) == ("/docs", 200)


@pytest.mark.parametrize(
    ("name", "value", "code", "says"),
    [
        ("Authorization", "", "missing_key", "No API key was sent."),
        ("Authorization", "Token KEY", "missing_key", "`Authorization: Token …`"),
        ("Authorization", "Key KEY", "missing_key", "`Authorization: Key …`"),
        ("Authorization", "Basic KEY", "missing_key", "`Authorization: Basic …`"),
        ("Authorization", "KEY", "missing_key", "without `Bearer`"),
        ("Authorization", "Bearer", "missing_key", "without an API key"),
        ("Authorization", "a-secret", "missing_key", "not as `Bearer`"),
        ("x-api-key", "KEY", "missing_key", "`x-api-key`"),
        ("X-Goog-Api-Key", "KEY", "missing_key", "`x-goog-api-key`"),
        ("Authorization", "Bearer sk-proj-abc", "invalid_key", "sda_test_ or sda_live_"),
        ("Authorization", "Bearer  KEY", "invalid_key", "spaces around it"),
        ("Authorization", "Bearer KEYx", "invalid_key", "mistyped or incomplete"),
        ("Authorization", 'Bearer "KEY"', "invalid_key", "in quotes"),
        ("Authorization", "Bearer <KEY>", "invalid_key", "in angle brackets"),
        ("Authorization", "Bearer Bearer KEY", "invalid_key", "`Bearer` twice"),
        ("Authorization", "Bearer $SEEDANCE_API_KEY", "invalid_key", "the name of a variable"),
        ("Authorization", "Bearer SDA_TEST_0", "invalid_key", "in another case"),
    ],
)
def test_a_key_that_was_sent_otherwise_is_told_how(
    service: Service, name: str, value: str, code: str, says: str
) -> None:
    sent = value.replace("KEY", service.key)
    error = refused(httpx.get(f"{service.url}/v1/models", headers={name: sent}), 401, code=code)
    assert says in error["message"]
    assert "mistyped" in says or "Authorization: Bearer sda_…" in error["message"]
    assert all(secret not in error["message"] for secret in (service.key, "a-secret", "sk-proj-abc"))


def test_two_keys_in_one_request_are_refused(service: Service) -> None:
    line = f"Authorization: Bearer {service.key}\r\n"
    for path in ("/v1/models", f"/v1/videos/vid_{TAIL}"):
        for lines in (line * 2, f"{line}Authorization: Bearer x\r\n"):
            answer = parsed(
                raw(service, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n".encode())
            )
            error = refused(answer, 401, code="invalid_key")
            assert "2 `Authorization` headers" in error["message"]
            assert service.key not in error["message"]


# Links may be used by pages of any origin, and nothing else may


@pytest.fixture(scope="module")
def video(client: httpx.Client) -> str:
    """A finished one."""
    made = client.post("/v1/videos", json={"prompt": "A boat", "duration": 4, "resolution": "480p"}).json()
    finished(client, made["id"])
    return made["id"]


@pytest.mark.parametrize("variant", ["video", "thumbnail"])
def test_a_page_of_any_origin_may_use_a_link(client: httpx.Client, video: str, variant: str) -> None:
    made = client.post(f"/v1/videos/{video}/links", json={"variant": variant}).json()
    page = {"Origin": "https://shop.example", "Authorization": ""}
    asks = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range,if-range"}
    preflight = client.options(made["url"], headers=page | asks)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-methods"] == "GET, HEAD"
    assert {"Range", "If-Range"} <= set(preflight.headers["access-control-allow-headers"].split(", "))
    answers = [
        preflight,
        client.get(made["url"], headers=page),
        client.head(made["url"], headers=page),
        client.get(made["url"], headers=page | {"Range": "bytes=0-9"}),
        client.get(made["url"], headers=page | {"Range": "bytes=999999999-"}),
        client.get(made["url"][:-1] + "~", headers=page),
    ]
    assert [one.status_code for one in answers] == [204, 200, 200, 206, 416, 403]
    for one in answers:
        assert one.headers["access-control-allow-origin"] == "*"
        assert one.headers["cross-origin-resource-policy"] == "cross-origin"
        exposed = set(one.headers["access-control-expose-headers"].split(", "))
        assert {"Accept-Ranges", "Content-Length", "Content-Range", "ETag"} <= exposed
        assert "access-control-allow-credentials" not in one.headers


def test_no_page_may_use_the_api(client: httpx.Client, video: str) -> None:
    """A key in a page is everybody's: a browser keeps what needs one from every page."""
    page = {"Origin": "https://shop.example"}
    asks = page | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    no_key = {"Authorization": ""}
    answers = [
        client.options("/v1/videos", headers=asks | no_key),
        client.options("/v1/videos", headers=asks),
        client.get(f"/v1/videos/{video}", headers=page),
        client.get(f"/v1/videos/{video}/content", headers=page),
        client.get("/docs", headers=page),
        client.get("/v1/media/t", headers=page),
    ]
    assert [one.status_code for one in answers] == [401, 204, 200, 200, 200, 404]
    for one in answers:
        assert not [name for name in one.headers if name.startswith("access-control-")]
        assert one.headers["cross-origin-resource-policy"] == "same-origin"
