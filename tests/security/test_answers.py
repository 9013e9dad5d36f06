"""What holds for every answer: nothing private is kept on its way, and nothing in it comes from a hostile `Host`."""

import json
import re

import httpx
import pytest

from security.attack import ask, parsed, raw, refused
from stage import Service

PUBLIC = {"/docs", "/openapi.json", "/v1/verify/certificates"}
"""What may be kept: it is everybody's."""
EVIL = "evil.example"


def routes(service: Service) -> list[tuple[str, str]]:
    found = httpx.get(service.url + "/openapi.json", trust_env=False).json()["paths"]
    return [
        (method.upper(), re.sub(r"\{\w+\}", "x", path))
        for path, item in found.items()
        for method in item
        if method != "parameters"
    ]


def test_nothing_private_is_kept_by_anybody(service: Service, video: dict) -> None:
    """Every route, with a key, with a wrong one, with none; and the answers to what succeeds."""
    asked = [(*route, key) for route in routes(service) for key in (None, "sda_test_wrong", service.key)]
    here = f"/v1/videos/{video['id']}"
    asked += [
        ("GET", path, service.key) for path in (here, f"{here}/content", "/v1/videos", "/v1/balance", "/v1/files/x")
    ]
    asked += [
        ("GET", "/nothing", None),
        ("GET", "/docs?sda_test_x", None),
        ("PUT", "/docs", None),
        ("HEAD", here, service.key),
    ]
    for method, path, key in asked:
        response = ask(service, method, path, key=key) if key else ask(service, method, path, Authorization="")
        kept = response.headers["cache-control"]
        if path in PUBLIC and response.status_code == 200:
            assert kept.startswith("public, max-age="), path
        else:
            assert "no-store" in kept, (method, path, response.status_code, kept)
        assert response.headers.get_list("x-content-type-options") == ["nosniff"]


def test_a_streams_events_are_not_kept(service: Service, video: dict) -> None:
    with service.client() as client, client.stream("GET", f"/v1/videos/{video['id']}/events") as stream:
        assert stream.headers["cache-control"] == "no-store"


GOOD = ["a", "video.example.com", "127.0.0.1:8000", "[::1]", "[2001:db8::1]:443", "x_y-z.example:1"]
BAD = [
    b"",
    b"Host: \r\n",
    b"Host: a\r\nHost: a\r\n",
    b"Host: a\r\nhost: evil.example\r\n",
    b"Host: a, b\r\n",
    b"Host: user@a\r\n",
    b"Host: user:pass@a:80\r\n",
    b"Host: a b\r\n",
    b"Host: a/b\r\n",
    b"Host: a?b\r\n",
    b"Host: a#b\r\n",
    b"Host: http://a\r\n",
    b"Host: a:\r\n",
    b"Host: a:x\r\n",
    b"Host: a:99999\r\n",
    b"Host: a:1:2\r\n",
    b"Host: [::1\r\n",
    b"Host: ::1\r\n",
    b"Host: [a]\r\n",
    b'Host: a"b\r\n',
    b"Host: <a>\r\n",
    b"Host: a%00b\r\n",
    b"Host: \xff\r\n",
    b"Host: " + b"a" * 300 + b"\r\n",
]


@pytest.mark.parametrize("path", ["/v1/models", "/healthz", "/docs", "/v1/media/x"])
def test_a_request_has_one_host(service: Service, path: str) -> None:
    key = f"Authorization: Bearer {service.key}\r\nConnection: close\r\n\r\n".encode()
    for lines in BAD:
        answer = parsed(raw(service, b"GET %b HTTP/1.1\r\n%b%b" % (path.encode(), lines, key), seconds=5))
        refused(answer, 400, code="invalid_host")
    for host in GOOD:
        assert ask(service, "GET", path, Host=host).status_code in (200, 404)


def test_a_probe_of_http_1_0_needs_no_host(service: Service) -> None:
    for path, status in (("/healthz", 200), ("/readyz", 200), ("/v1/models", 400), ("/docs", 400)):
        assert raw(service, f"GET {path} HTTP/1.0\r\n\r\n".encode(), seconds=5).startswith(b"HTTP/1.0 %d " % status)
    answer = raw(service, b"GET /healthz HTTP/1.0\r\nHost: a b\r\n\r\n", seconds=5)
    assert answer.startswith(b"HTTP/1.0 400 ")


def test_links_never_lead_where_a_request_says(service: Service, video: dict) -> None:
    here = f"/v1/videos/{video['id']}"
    hostile = {
        "Host": EVIL,
        "X_Forwarded_Host": EVIL,
        "X_Forwarded_Proto": "gopher",
        "X_Forwarded_Prefix": f"//{EVIL}",
        "Forwarded": f"host={EVIL};proto=gopher",
        "X_Original_Url": f"//{EVIL}/",
        "Origin": f"https://{EVIL}",
    }
    paths = [here, "/v1/videos", f"{here}/receipt", "/docs", "/openapi.json", "/v1/events", "/v1/models", "/v1/nothing"]
    paths += ["/v1/videos/", f"{here}/", "/docs/", "//evil.example/v1/videos", f"{here}/events"]
    for path in paths:
        for target in (path, f"http://{EVIL}{path}"):
            answer = ask(service, "GET", target, **hostile)
            assert EVIL not in answer.text.replace(path, ""), target
            assert EVIL not in str(answer.headers), target
            assert not 300 <= answer.status_code < 400, target
    assert ask(service, "GET", here, **hostile).json()["urls"]["content"].startswith(service.url + "/v1/")
    with service.client() as client:
        link = client.post(f"{here}/links", json={}, headers={"Host": EVIL}).json()["url"]
        assert link.startswith(service.url + "/v1/content/")
        body = json.dumps({"prompt": "x", "duration": 4, "resolution": "480p"})
        headers = {"Host": EVIL, "Content-Type": "application/json"}
        made = client.post("/v1/videos", content=body, headers=headers)
        assert EVIL not in made.text + str(made.headers)
        client.delete(f"/v1/videos/{made.json()['id']}")
