"""Answers that are given before the body was read arrive, whoever sends it: 0 of 200 are lost, with retries off."""

import asyncio
import json
import re
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import cycle, islice

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI

import npm
from security.attack import address
from stage import Service

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning")
MIB = 1 << 20
FORM = "multipart/form-data; boundary=x"
CASES = {
    "401": ("POST", "/v1/videos", "sda_test_wrong", FORM),
    "401 of a file": ("POST", "/v1/files", "sda_test_wrong", FORM),
    "405 without a key": ("POST", "/v1/content/forged", "", FORM),
    "404": ("POST", "/v1/nothing", None, FORM),
    "405": ("PUT", "/v1/videos", None, FORM),
    "415": ("POST", "/v1/videos", None, "text/plain"),
    "a video that is not there": ("POST", "/v1/videos/vid_01jh0000000000000000000000/cancel", None, FORM),
    "a read with a body": ("GET", "/v1/models", None, FORM),
    "a form without a boundary": ("POST", "/v1/videos", None, "multipart/form-data"),
}
SIZES = (20, 2000, 100_000, 3 * MIB)


def said(connection: socket.socket) -> int:
    """The status of the next answer, read whole."""
    answer = b""
    while (found := re.search(rb"content-length: (\d+)(?s:.*?)\r\n\r\n", answer)) is None or len(
        answer
    ) < found.end() + int(found[1]):
        more = connection.recv(65536)
        assert more, answer
        answer += more
    return int(answer[9:12])


def send(service: Service, case: str, size: int, *, chunked: bool, pause: float) -> int:
    """A request whose body comes after its head, all of it, before the answer is looked at; returns the status."""
    method, path, key, kind = CASES[case]
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
    head += f"Authorization: Bearer {service.key if key is None else key}\r\n"
    head += "Transfer-Encoding: chunked\r\n\r\n" if chunked else f"Content-Length: {size}\r\n\r\n"
    body = b"a" * size
    with socket.create_connection(address(service), 30) as connection:
        connection.sendall(head.encode())
        time.sleep(pause)
        connection.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (size, body) if chunked else body)
        return said(connection)


def test_no_raw_socket_loses_one(service: Service) -> None:
    found: dict[str, Counter[int]] = {case: Counter() for case in CASES}
    for number, case in enumerate(islice(cycle(CASES), 200)):
        size = SIZES[number % len(SIZES)]
        status = send(service, case, size, chunked=number % 3 == 0, pause=0.01 * (number % 2))
        found[case][status] += 1
    assert sum(map(Counter.total, found.values())) == 200
    assert all(len(statuses) == 1 for statuses in found.values()), found
    assert {case: next(iter(statuses)) for case, statuses in found.items()} == {
        "401": 401, "401 of a file": 401, "405 without a key": 405, "404": 404, "405": 405, "415": 415,
        "a video that is not there": 404, "a read with a body": 200, "a form without a boundary": 400,
    }  # fmt: skip


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_hears_it(service: Service, chunked: bool) -> None:
    """Whether it says so at once, or is found out on the way."""

    def pieces() -> object:
        for _ in range(70):
            yield b"a" * MIB

    headers = {"Content-Type": "application/json"} | ({} if chunked else {"Content-Length": str(70 * MIB)})
    with service.client() as client:
        answer = client.post("/v1/videos", content=pieces(), headers=headers)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")


async def lost(ask: Callable[[int], Awaitable[object]], expected: type[Exception]) -> Counter[str]:
    """Of 200 requests, ten at a time: what was raised."""
    found: Counter[str] = Counter()
    turn = asyncio.Semaphore(10)

    async def one(number: int) -> None:
        async with turn:
            try:
                await ask(number)
            except expected:
                found["heard"] += 1
            except Exception as error:  # noqa: BLE001 whatever it is, the answer is lost
                found[repr(error)] += 1

    await asyncio.gather(*map(one, range(200)))
    return found


def test_async_openai_loses_none(service: Service) -> None:
    async def run() -> Counter[str]:
        async with AsyncOpenAI(
            api_key="sda_test_wrong", base_url=f"{service.url}/v1", max_retries=0, timeout=60
        ) as client:

            async def ask(number: int) -> None:
                size = (0, 300, 500_000, 3 * MIB)[number % 4]
                file = {"input_reference": ("a.png", b"x" * size, "image/png")} if size else {}
                await client.videos.create(prompt="A field", **file)  # type: ignore[arg-type]

            return await lost(ask, openai.AuthenticationError)

    assert asyncio.run(run()) == {"heard": 200}


def test_httpx_loses_none_and_keeps_its_connection(service: Service) -> None:
    async def run() -> tuple[Counter[str], int]:
        made: set[int] = set()
        async with httpx.AsyncClient(base_url=service.url, trust_env=False, timeout=60) as client:

            async def ask(number: int) -> None:
                files = {"file": ("a.png", b"x" * (number % 5 * 200_000), "image/png")}
                answer = await client.post("/v1/files", files=files)
                made.add(answer.extensions["network_stream"].get_extra_info("client_addr")[1])
                answer.raise_for_status()

            return await lost(ask, httpx.HTTPStatusError), len(made)

    found, connections = asyncio.run(run())
    assert found == {"heard": 200}
    assert connections < 100, "what was read whole is used again"


def test_the_blocking_openai_client_loses_none(service: Service) -> None:
    with OpenAI(api_key="sda_test_wrong", base_url=f"{service.url}/v1", max_retries=0, timeout=60) as client:
        for size in (0, 300, 500_000, 3 * MIB) * 5:
            file = {"input_reference": ("a.png", b"x" * size, "image/png")} if size else {}
            with pytest.raises(openai.AuthenticationError):
                client.videos.create(prompt="A field", **file)  # type: ignore[arg-type]


_NODE = """
import OpenAI, { toFile } from "openai";
const [url] = process.argv.slice(1), found = {};
const note = (what) => { found[what] = (found[what] ?? 0) + 1; };
const client = new OpenAI({ apiKey: "sda_test_wrong", baseURL: url + "/v1", maxRetries: 0 });
const sizes = [300, 500000, 3 << 20];
for (let n = 0; n < 200; n++) {
  const bytes = new Uint8Array(sizes[n % 3]);
  try {
    if (n % 2) {
      const input_reference = await toFile(bytes, "a.png", { type: "image/png" });
      await client.videos.create({ prompt: "A field", input_reference });
    } else {
      const form = new FormData();
      form.append("file", new Blob([bytes]), "a.png");
      const answer = await fetch(url + "/v1/files", { method: "POST", body: form });
      await answer.text();
      note(answer.status);
    }
  } catch (error) { note(error.status ?? String(error.cause ?? error)); }
}
console.log(JSON.stringify(found));
"""


def test_node_loses_none(service: Service) -> None:
    assert json.loads(npm.run(npm.installed("openai", "6.49.0"), _NODE, service.url)) == {"401": 200}


def head(service: Service, length: int, *more: str) -> socket.socket:
    """A connection that has sent the head of a request which is refused."""
    connection = socket.create_connection(address(service), 60)
    lines = ["POST /v1/files HTTP/1.1", "Host: x", f"Content-Length: {length}", *more, "", ""]
    connection.sendall("\r\n".join(lines).encode())
    return connection


def test_who_waits_for_100_continue_hears_the_answer_at_once(service: Service) -> None:
    with head(service, 5 * MIB, "Expect: 100-continue") as connection:
        answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 401 "), "and no 100 before it"
        assert b"connection: close\r\n" in answer
    with head(service, 5 * MIB, "Expect: 100-continue") as connection:  # it sends it all the same
        connection.sendall(b"a" * 5 * MIB)
        assert said(connection) == 401


def test_whoever_trickles_or_is_silent_is_let_go(service: Service) -> None:
    with head(service, MIB) as silent, head(service, MIB) as trickling:
        trickling.setblocking(True)
        trickling.settimeout(0.1)
        end = time.monotonic() + 40
        heard = b""
        while True:
            assert time.monotonic() < end, "it may go on"
            try:
                trickling.sendall(b"a")
                if not (more := trickling.recv(65536)):
                    break
                heard += more
            except TimeoutError:
                continue
            except OSError:
                break
        assert heard.startswith(b"HTTP/1.1 401 ")
        silent.settimeout(40)
        assert silent.recv(65536).startswith(b"HTTP/1.1 401 ")
        assert silent.recv(65536) == b""


def test_what_is_dropped_is_bounded(service: Service) -> None:
    sent = 0
    with head(service, 1 << 40) as connection:
        piece = b"a" * MIB
        try:
            while sent < 1024:
                connection.sendall(piece)
                sent += 1
        except OSError:
            pass
    assert 402 <= sent < 600, "twice the largest upload, and what lies in the buffers"
