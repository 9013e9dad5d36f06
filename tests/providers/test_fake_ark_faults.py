"""The fake misbehaves as its script says, and counts."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from fakes.ark.run import FakeArk
from providers.fake_ark_kit import TASKS, Listener, finished, look, post, text
from stage import until


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeArk]:
    with FakeArk(instant=True, enforce_budgets=False, ack_seconds=0.3, resend_seconds=0.01) as running:
        yield running


@pytest.fixture
def client(fake: FakeArk) -> Iterator[httpx.Client]:
    fake.reset()
    with fake.client() as client:
        yield client


def _video(client: httpx.Client, **fields: Any) -> str:
    """The link of a small film."""
    made = post(client, resolution="480p", duration=4, **fields).json()["id"]
    return finished(client, made)["content"]["video_url"]


@pytest.mark.parametrize("made", [True, False])
def test_reset_of_a_create(fake: FakeArk, client: httpx.Client, made: bool) -> None:
    fake.faults({"on": "create", "times": 1, "do": {"reset": True, "made": made}})
    with pytest.raises(httpx.ReadError):
        post(client)
    assert len(fake.tasks()) == int(made)
    assert post(client).status_code == 200


def test_answer_verbatim(fake: FakeArk, client: httpx.Client) -> None:
    fake.faults(
        {"on": "create", "times": 1, "do": {"status": 429, "headers": {"Retry-After": "7"}, "body": {"error": {}}}},
        {"on": "create", "times": 1, "do": {"status": 200, "headers": {"Content-Type": "text/html"}, "body": "<p>"}},
        {"on": "create", "times": 1, "do": {"status": 500, "made": True}},
    )
    first, second, third = (post(client) for _ in range(3))
    assert (first.status_code, first.headers["retry-after"], first.json()) == (429, "7", {"error": {}})
    assert (second.status_code, second.headers["content-type"], second.text) == (200, "text/html", "<p>")
    assert (third.status_code, third.content) == (500, b"")
    assert len(fake.tasks()) == 1


def test_drop_and_delay(fake: FakeArk, client: httpx.Client) -> None:
    fake.faults(
        {"on": "create", "times": 1, "do": {"drop": 60}},
        {"on": "create", "times": 1, "do": {"delay": 5}},
    )
    with pytest.raises(httpx.RemoteProtocolError):
        post(client)
    with pytest.raises(httpx.ReadTimeout):
        client.post(
            TASKS, json={"model": "ep-20260101000000-abcde", "content": [{"type": "text", "text": "x"}]}, timeout=0.1
        )
    assert len(fake.tasks()) == 2


def test_matches(fake: FakeArk, client: httpx.Client) -> None:
    fake.faults({"on": "create", "match": {"prompt": "dog", "model": "2-0", "nth": [2, 3]}, "do": {"status": 503}})
    prompts = ["dog", "cat", "dog", "dog", "dog"]
    assert [post(client, prompt).status_code for prompt in prompts] == [200, 200, 503, 503, 200]
    [rule] = fake.rules()
    assert (rule["seen"], rule["used"]) == (4, 2)


def test_fates(fake: FakeArk, client: httpx.Client) -> None:
    fake.faults(
        {"on": "create", "times": 1, "do": {"stuck": True}},
        {"on": "create", "times": 1, "do": {"vanish": 0.0}},
        {"on": "create", "times": 1, "do": {"backwards": True}},
        {"on": "create", "times": 1, "do": {"fail": "OutputAudioSensitiveContentDetected"}},
        {"on": "create", "times": 1, "do": {"set": {"content.video_url": "http://169.254.169.254/x"}}},
    )
    stuck, gone, back, failed, inner = (post(client).json()["id"] for _ in range(5))
    assert finished(client, inner)["content"]["video_url"] == "http://169.254.169.254/x"
    assert client.get(f"{TASKS}/{stuck}").json()["status"] == "running"
    assert client.get(f"{TASKS}/{gone}").status_code == 404
    assert finished(client, failed)["error"]["code"] == "OutputAudioSensitiveContentDetected"
    states = [client.get(f"{TASKS}/{back}").json()["status"] for _ in range(3)]
    assert states == ["succeeded", "running", "succeeded"]


def test_answers_that_are_edited(fake: FakeArk, client: httpx.Client) -> None:
    made = [post(client).json()["id"] for _ in range(3)]
    for one in made:
        finished(client, one)
    fake.faults(
        {"on": "get", "match": {"task_id": made[0]}, "do": {"unset": ["content"], "set": {"usage.total_tokens": -1}}},
        {"on": "list", "match": {"task_id": made[1]}, "do": {"hide": True}},
    )
    told = client.get(f"{TASKS}/{made[0]}").json()
    assert "content" not in told
    assert told["usage"]["total_tokens"] == -1
    listed = client.get(TASKS).json()["items"]
    assert [item["id"] for item in listed] == [made[2], made[0]]
    assert "content" in listed[1]


def test_a_typing_error_in_a_rule_is_refused(fake: FakeArk) -> None:
    with pytest.raises(ValueError, match="rest"):
        fake.faults({"on": "create", "do": {"rest": True}})


def test_download(fake: FakeArk, client: httpx.Client) -> None:
    link = _video(client)
    whole = client.get(link)
    assert look(whole.content)[:3] == (864, 496, 97)
    part = client.get(link, headers={"Range": "bytes=100-199", "If-Range": whole.headers["etag"]})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    assert client.get(link, headers={"Range": "bytes=-5"}).content == whole.content[-5:]
    assert client.get(link, headers={"Range": "bytes=99999999-"}).status_code == 416
    assert client.head(link).status_code == 403
    assert client.get(link.replace("X-Tos-Signature=", "X-Tos-Signature=0")).status_code == 403


def test_download_expires_and_is_used_up(fake: FakeArk, client: httpx.Client) -> None:
    link = _video(client)
    codes = [client.get(link, headers={"Range": "bytes=0-0"}).status_code for _ in range(101)]
    assert codes == [206] * 100 + [403]
    another = _video(client)
    fake.alter(lose_media=True)
    assert client.get(another).status_code == 403


def test_downloads_that_are_broken(fake: FakeArk, client: httpx.Client) -> None:
    link = _video(client)
    size = len(client.get(link).content)
    does = [
        {"status": 403, "body": "<Error>expired</Error>"},
        {"empty": True},
        {"junk": 1000},
        {"picture": [640, 640]},
        {"content_type": "text/html"},
    ]
    fake.faults(*({"on": "download", "times": 1, "do": do} for do in does))
    expired, empty, junk, square, html = (client.get(link) for _ in does)
    assert (expired.status_code, empty.content, len(junk.content)) == (403, b"", 1000)
    assert (look(square.content)[:2], html.headers["content-type"]) == ((640, 640), "text/html")

    fake.faults({"on": "download", "times": 1, "do": {"cut": 0.5}})
    fake.faults({"on": "download", "times": 1, "do": {"content_length": size + 10}})
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(link)


@pytest.mark.parametrize("do", [{"endless": True}, {"endless": True, "content_length": 10_000_000_000}])
def test_endless_download(fake: FakeArk, client: httpx.Client, do: dict[str, Any]) -> None:
    link = _video(client)
    fake.faults({"on": "download", "do": do})
    taken = 0
    with client.stream("GET", link) as response:
        assert response.headers.get("content-length") == (str(do["content_length"]) if "content_length" in do else None)
        for piece in response.iter_raw():
            taken += len(piece)
            if taken > 5_000_000:
                break
    assert fake.health()["ok"]


def test_dripping_download(fake: FakeArk, client: httpx.Client) -> None:
    link = _video(client)
    fake.faults({"on": "download", "do": {"drip": 1}})
    with client.stream("GET", link) as response:
        assert len(next(response.iter_raw())) < 100
    assert fake.health()["ok"]


def test_callbacks(fake: FakeArk, client: httpx.Client) -> None:
    with Listener() as listener:
        made = post(client, callback_url=listener.url).json()["id"]
        until(lambda: len(listener.states(made)) == 3, 5)
    assert sorted(listener.states(made)) == ["queued", "running", "succeeded"]
    last = next(body for body in listener.bodies if body["status"] == "succeeded")
    assert last == client.get(f"{TASKS}/{made}").json()


def test_callbacks_that_nobody_acknowledges(fake: FakeArk, client: httpx.Client) -> None:
    with Listener(503) as listener:
        made = post(client, callback_url=listener.url).json()["id"]
        until(lambda: len(listener.states(made)) == 12, 5)
    assert sorted(listener.states(made)) == ["queued"] * 4 + ["running"] * 4 + ["succeeded"] * 4


def test_callbacks_by_script(fake: FakeArk, client: httpx.Client) -> None:
    fake.faults(
        {"on": "callback", "match": {"status": "queued"}, "do": {"none": True}},
        {"on": "callback", "match": {"status": "running"}, "do": {"copies": 100}},
        {"on": "callback", "match": {"status": "succeeded"}, "do": {"body": {"id": "forged", "status": "failed"}}},
    )
    with Listener() as listener:
        made = post(client, callback_url=listener.url).json()["id"]
        until(lambda: len(listener.bodies) == 101, 10)
    assert listener.states(made) == ["running"] * 100
    assert listener.states("forged") == ["failed"]


def test_callback_before_the_answer(fake: FakeArk, client: httpx.Client) -> None:
    fake.faults({"on": "create", "do": {"before_answer": "succeeded"}})
    with Listener() as listener:
        made = post(client, callback_url=listener.url).json()["id"]
        assert "succeeded" in listener.states(made)


def test_tasks_by_hand(fake: FakeArk, client: httpx.Client) -> None:
    started = time.time()
    made = fake.make(1000, body={"content": [text("[ark:stuck]")]}, status="running", age=3600)
    task = client.get(f"{TASKS}/{made[0]}").json()
    assert task["status"] == "running"
    assert started - 3602 < task["created_at"] < time.time() - 3599
    fake.alter(made[0], status="succeeded", set={"usage.completion_tokens": "1"})
    assert client.get(f"{TASKS}/{made[0]}").json()["usage"]["completion_tokens"] == "1"
    fake.alter(made[1], vanish=True)
    listed = client.get(TASKS, params={"filter.task_ids": made[:500], "page_size": 500}).json()
    assert listed["total"] == 499


def test_records_live_a_week(fake: FakeArk, client: httpx.Client) -> None:
    day = 86_400
    [young] = fake.make(age=6.9 * day, status="succeeded")
    [old] = fake.make(age=7.1 * day, status="succeeded")
    assert [client.get(f"{TASKS}/{one}").status_code for one in (young, old)] == [200, 404]
    assert [item["id"] for item in client.get(TASKS).json()["items"]] == [young]


def test_stuck_tasks_expire() -> None:
    with FakeArk(speed=3600 * 50) as quick, quick.client() as client:
        made = post(client, "[ark:stuck]", execution_expires_after=3600).json()["id"]
        assert finished(client, made)["status"] == "expired"


def test_budgets() -> None:
    with FakeArk(individual=True, rpm=6) as strict, strict.client() as client:
        assert [client.get(TASKS).status_code for _ in range(3)] == [200, 429, 429]
        words = "[ark:stuck]"
        codes = [post(client, words).status_code for _ in range(3)]
        until(lambda: strict.health()["states"] == {"running": 3}, 5)
        codes += [post(client, words).status_code for _ in range(4)]
        assert codes == [200] * 6 + [429]
        answers = [client.get(f"{TASKS}/cgt-20260101000000-abcde").status_code for _ in range(21)]
        assert answers == [404] * 20 + [429]
        calls = strict.calls("list")
        assert (calls["most_in_a_second"]["list"], calls["over_budget"]) == (3, {"list": 2, "create": 1, "get": 1})


def test_quota() -> None:
    with FakeArk(concurrency=1, most_queued=2) as full, full.client() as client:
        full.make(body={"content": [text("[ark:stuck]")]}, status="running")
        answers = [post(client) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].json()["error"]["code"] == "QuotaExceeded"
        client.delete(f"{TASKS}/{answers[0].json()['id']}")
        assert post(client).status_code == 200


def test_stop_and_continue() -> None:
    with FakeArk() as paused, paused.client() as client, ThreadPoolExecutor(1) as pool:
        paused.pause()
        waiting = pool.submit(post, client)
        with pytest.raises(TimeoutError):
            waiting.result(0.2)
        paused.cont()
        assert waiting.result(5).status_code == 200
        paused.kill()
        with pytest.raises(httpx.TransportError):
            post(client)


def test_ends_with_its_parent() -> None:
    code = "from fakes.ark.run import FakeArk; import os; f = FakeArk(); print(f.process.pid, flush=True); os._exit(0)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, env=os.environ | {"PYTHONPATH": "tests"}
    )
    child = int(done.stdout)
    until(lambda: not _lives(child), 5)


def _lives(process_id: int) -> bool:
    try:
        os.kill(process_id, signal.SIG_DFL)
    except ProcessLookupError:
        return False
    return True


def test_raw_http(fake: FakeArk) -> None:
    """Chunks, `Expect`, pipelining, and what is no HTTP."""
    host, port = fake.url.removeprefix("http://").split("/")[0].split(":")
    body = json.dumps({"model": "ep-20260101000000-abcde", "content": [{"type": "text", "text": "x"}]}).encode()
    head = f"POST /api/v3/{TASKS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {fake.key}\r\n".encode()
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    patient = head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    with socket.create_connection((host, int(port)), timeout=5) as link:
        link.sendall(chunked + chunked + patient)
        answers = b""
        while b"100 Continue" not in answers:
            answers += link.recv(65536)
        assert answers.count(b"HTTP/1.1 200 OK") == 2
        link.sendall(body)
        assert link.recv(65536).startswith(b"HTTP/1.1 200 OK")
        link.sendall(b"nonsense\r\n\r\n")
        assert link.recv(65536).startswith(b"HTTP/1.1 400")
        assert link.recv(1) == b""
