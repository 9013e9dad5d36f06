"""Clients of other services that post to `/v1/videos` make nothing, and say what to use instead."""

from typing import Any

import httpx
import pytest
from openai import OpenAI

import npm
from security.attack import refused, rows
from stage import Service

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning")
BODY = {"model": "seedance-2.0", "prompt": "A boat", "duration": 4, "resolution": "480p"}
PYTHON = "speakeasy-sdk/python 1.3.84 2.914.0 1.0.0 openrouter"
TYPESCRIPT = "speakeasy-sdk/typescript 1.3.19 2.914.0 1.0.0 @openrouter/sdk"


def made(service: Service) -> int:
    return rows(service.database_url, "SELECT count(*) AS n FROM generation")[0]["n"]


@pytest.mark.parametrize("path", ["/v1/videos", "/v1/videos/quote"])
@pytest.mark.parametrize(
    "headers",
    [
        {"User-Agent": PYTHON},
        {"User-Agent": TYPESCRIPT},
        {"User-Agent": "ai-sdk/openrouter/2.1.0"},
        {"User-Agent": "python-requests/2.32", "X-OpenRouter-Title": "Shop"},
    ],
)
def test_openrouter_s_clients_are_told_what_to_use(service: Service, headers: dict[str, str], path: str) -> None:
    before = made(service)
    with service.client() as client:
        error = refused(client.post(path, json=BODY, headers=headers), 400, code="unsupported_client")
    assert f"{service.url}/openrouter/api/v1" in error["message"]
    assert f"{service.url}/v1." in error["message"]
    assert "nothing was made" in error["message"]
    assert made(service) == before


_SDK = """
import { OpenRouter } from "@openrouter/sdk";
const [serverURL, apiKey, body] = process.argv.slice(1);
const client = new OpenRouter({ apiKey, serverURL });
try {
  console.log(await client.videoGeneration.generate({ videoGenerationRequest: JSON.parse(body) }));
} catch (error) { console.log(error.message); }
"""


def test_openrouter_s_own_sdk_shows_it(service: Service) -> None:
    before = made(service)
    folder = npm.installed("@openrouter/sdk", "1.3.19")
    body = '{"model": "seedance-2.0", "prompt": "A boat", "duration": 4, "resolution": "480p"}'
    said = npm.run(folder, _SDK, f"{service.url}/v1", service.key, body)
    assert f"its base URL would be {service.url}/openrouter/api/v1" in said
    assert made(service) == before


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP-Referer": "https://shop.example", "X-Title": "Shop"},
        {"HTTP-Referer": "https://shop.example", "X-OpenRouter-Title": "Shop"},
    ],
)
def test_openai_s_client_with_openrouter_s_headers_is_served(service: Service, headers: dict[str, str]) -> None:
    small: dict[str, Any] = {"resolution": "480p"}
    with OpenAI(api_key=service.key, base_url=f"{service.url}/v1", default_headers=headers) as client:
        video = client.videos.create(prompt="[sandbox:stall] x", extra_body=small)
        client.post(f"/videos/{video.id}/cancel", cast_to=object)


@pytest.mark.parametrize("agent", ["litellm/1.110.2", "OpenAI/Python 3.54.0", "node", "ai/6.0.326 ai-sdk/fal/2.0.59"])
def test_other_clients_are_served(service: Service, agent: str) -> None:
    with service.client() as client:
        answer: httpx.Response = client.post("/v1/videos/quote", json=BODY, headers={"User-Agent": agent})
    assert answer.status_code == 200
