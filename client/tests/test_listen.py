"""`seedance webhooks listen`: events reach a receiver on this machine, signed as the service's own webhooks are."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from fake_service import Fault
from fake_webhooks import SECRET, event
from terminal import SEEDANCE, wait_for

standardwebhooks = pytest.importorskip("standardwebhooks.webhooks")


class Receiver:
    """Somebody's own server: it keeps what came, and answers with the statuses that are in line, else 204."""

    def __init__(self, port: int = 0) -> None:
        self.came: list[tuple[bytes, dict[str, str]]] = []
        self.answers: list[int] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", port), handler(self))
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def ids(self):
        return [headers["webhook-id"] for _, headers in self.came]


def handler(receiver):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.came.append((body, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(receiver.answers.pop(0) if receiver.answers else 204)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    return Handler


@pytest.fixture
def listening(environment, tmp_path):
    """Starts the command; ends it with Ctrl-C and returns what it printed."""
    started = []

    def start(*arguments):
        files = [(tmp_path / name).open("w+") for name in ("out", "err")]
        child = subprocess.Popen(
            [*SEEDANCE, "webhooks", "listen", *arguments], cwd=tmp_path, stdin=subprocess.DEVNULL,
            env=environment | {"PYTHONUNBUFFERED": "1"}, stdout=files[0], stderr=files[1],
        )  # fmt: skip
        started.append((child, files))
        wait_for(lambda: "Signing secret" in (tmp_path / "err").read_text() or child.poll() is not None)
        return child

    def stop():
        child, files = started.pop()
        child.send_signal(signal.SIGINT)
        code = child.wait(30)
        for file in files:
            file.close()
        return code, (tmp_path / "out").read_text(), (tmp_path / "err").read_text()

    start.stop = stop
    start.lines = lambda: (tmp_path / "out").read_text().splitlines()
    yield start
    for child, files in started:
        child.kill()
        child.wait()
        for file in files:
            file.close()


def test_new_events_arrive_signed_by_the_secret_that_is_shown(listening, service):
    with Receiver() as receiver:
        listening("--forward-to", receiver.url)
        service.webhooks.events += [event(6), event(7)]
        wait_for(lambda: len(listening.lines()) == 2)  # a line follows the receiver's answer
        code, out, said = listening.stop()
    assert receiver.ids() == ["evt_6", "evt_7"], "and none of those before"
    secret = re.search(r"Signing secret: (whsec_\S+)", said)[1]
    for number, (body, headers) in zip((6, 7), receiver.came, strict=True):
        assert standardwebhooks.Webhook(secret).verify(body, headers) == event(number)
        assert body == json.dumps(event(number), separators=(",", ":")).encode(), "the bytes that the service signs"
        assert headers["content-type"] == "application/json"
    assert code == 0
    lines = out.splitlines()
    assert len(lines) == 2
    assert re.search(r"video\.queued +vid_6  evt_6  → 204 in \d+ ms$", lines[0])
    assert "seedance webhooks listen --forward-to " in said
    assert "--after evt_7" in said


def test_it_goes_on_after_a_cursor_with_ones_own_secret_and_some_types(listening, service, tmp_path):
    with Receiver() as receiver:
        listening("--forward-to", receiver.url, "--after", "evt_1", "--secret", SECRET, "--events", "video.completed",
                  "--print-json")  # fmt: skip
        wait_for(lambda: (tmp_path / "err").read_text().count("→ 204") == 2)
        _, out, said = listening.stop()
    assert receiver.ids() == ["evt_3", "evt_5"]
    for body, headers in receiver.came:
        standardwebhooks.Webhook(SECRET).verify(body, headers)
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["evt_3", "evt_5"]
    assert said.count("→ 204") == 2


def test_what_is_refused_is_tried_again_and_given_up_in_the_end(listening, tmp_path):
    with Receiver() as receiver:
        receiver.answers = [500, 204, 302, 302, 302, 302]
        listening("--forward-to", receiver.url, "--after", "evt_3")
        wait_for(lambda: "given up" in (tmp_path / "out").read_text())
        _, out, _ = listening.stop()
    assert receiver.ids() == ["evt_4", "evt_4", *["evt_5"] * 4]
    assert "→ 500" in out
    assert "trying again in 1 s" in out
    assert "given up" in out.splitlines()[-1]


def test_a_receiver_and_a_service_that_are_away_are_waited_for(listening, service, tmp_path):
    with Receiver() as receiver:
        port, url = receiver.port, receiver.url
    service.fail("GET", "/v1/events", *[Fault(drop="before")] * 6)
    listening("--forward-to", url, "--after", "evt_4")
    wait_for(lambda: "no answer" in (tmp_path / "out").read_text(), 60)
    with Receiver(port) as receiver:
        wait_for(lambda: receiver.ids() == ["evt_5"], 60)
        service.webhooks.events.append(event(6))
        service.fail("GET", "/v1/events", *[Fault(status=503)] * 5)
        wait_for(lambda: receiver.ids() == ["evt_5", "evt_6"], 60)
        code, _, said = listening.stop()
    assert code == 0
    assert "trying again" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--forward-to"),
        (["--forward-to", "ftp://x"], "is not an address"),
        (["--forward-to", "http://localhost:1/", "--secret", "§"], "not a signing secret"),
        (["--forward-to", "http://localhost:1/", "--secret", "abc"], "`whsec_` followed by base64"),
        (["--forward-to", "http://localhost:1/", "--secret", "whsec_§"], "`whsec_` followed by base64"),
        (["--forward-to", "http://localhost:1/", "--secret", "whsec_"], "`whsec_` followed by base64"),
        (["--forward-to", "http://localhost:1/", "--secret", "whpk_AAAA"], "`whsec_` followed by base64"),
        (["--forward-to", "http://localhost:1/", "--events", "video.done"], "video.queued"),
    ],
)
def test_wrong_usage_is_2(run, arguments, said):
    done = run("webhooks", "listen", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
