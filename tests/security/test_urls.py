"""Every field that takes an address, with addresses that libraries stumble over: 400, with the place and the reason."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from security.attack import refused
from stage import Service

pytestmark = pytest.mark.usefixtures("nothing_kept")

VIDEO = {"prompt": "x", "duration": 4, "resolution": "480p"}
FIELDS: dict[str, tuple[str, str, Callable[[str], dict[str, Any]]]] = {
    "images[0]": ("/v1/videos", "images[0]", lambda url: VIDEO | {"images": [url]}),
    "images[0].url": ("/v1/videos", "images[0]", lambda url: VIDEO | {"images": [{"url": url}]}),
    "images[0].image_url": ("/v1/videos", "images[0]", lambda url: VIDEO | {"images": [{"image_url": url}]}),
    "input_reference": ("/v1/videos", "input_reference", lambda url: VIDEO | {"input_reference": url}),
    "videos[0]": ("/v1/videos", "videos[0]", lambda url: VIDEO | {"videos": [url]}),
    "audios[0]": ("/v1/videos", "audios[0]", lambda url: VIDEO | {"videos": [url], "audios": [url]}),
    "webhook_url": ("/v1/videos", "webhook_url", lambda url: VIDEO | {"webhook_url": url}),
    "quote's images[0]": ("/v1/videos/quote", "images[0]", lambda url: VIDEO | {"images": [url]}),
    "endpoint's url": ("/v1/webhook_endpoints", "url", lambda url: {"url": url, "event_types": ["*"]}),
}
HOSTILE = [
    "https://xn--a.com/",
    "https://xn--/",
    "https://xn--ls8h.la/",
    "https://xn--a-.com/",
    "https://XN--0:8443/a",
    "https://xn--a.com:22/",
    "https://xn--é.com/",
    "https://é\u200d.com/",
    "https://１２７.0.0.1/",
    "https://[::1/",
    "https://[v1.a]/",
    "https://a:b@xn--a.com/",
    "https://@/",
    "https://example.com:４４３/",
    "https://example.com:99999/",
    "https://example.com:-1/",
    "https://example.com:" + "4" * 5000 + "/",
    "https://" + "a." * 1000 + "com/",
    "https://" + "a" * 9000 + ".com/",
    "https://example.com/\x00",
    "https://a..b/",
    "https:///",
    "//xn--a.com/",
    "data:image/png;base64,xn--a",
    "",
]  # fmt: skip


@pytest.fixture(scope="module")
def client(service: Service) -> Any:
    with service.client() as client:
        yield client


@pytest.mark.parametrize("field", FIELDS)
def test_a_hostile_address_is_the_callers_fault(client: httpx.Client, field: str) -> None:
    path, place, body = FIELDS[field]
    for url in HOSTILE:
        error = refused(client.post(path, json=body(url)), 400)
        assert any(problem["path"].startswith(place) and problem["message"] for problem in error["errors"]), (
            url,
            error,
        )


def test_an_endpoint_is_not_changed_to_a_hostile_address(service: Service, client: httpx.Client) -> None:
    good = f"http://127.0.0.2:{service.webhook_port}/"
    made = client.post("/v1/webhook_endpoints", json={"url": good, "event_types": ["*"]}).json()
    try:
        for url in HOSTILE:
            error = refused(client.post(f"/v1/webhook_endpoints/{made['id']}", json={"url": url}), 400)
            assert error["param"] == "url"
        assert client.get(f"/v1/webhook_endpoints/{made['id']}").json()["url"] == good
    finally:
        client.delete(f"/v1/webhook_endpoints/{made['id']}")
