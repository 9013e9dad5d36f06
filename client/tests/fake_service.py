"""A small real HTTP server that keeps Seedance API's contract, and breaks it on demand."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from fake_answers import MODELS, error, file_view, listing, verification
from fake_delivery import content_link, receipt
from fake_money import STATEMENT, balance, cost, quote, usage
from fake_webhooks import FakeWebhooks

KEY = "sda_test_abcdefgh0123456789012345678901234567890123"
CONTENT = bytes(range(256)) * 2000


@dataclass
class Fault:
    """What happens to one request: another answer, a connection dropped before or after the work, or a cut."""

    status: int | None = None
    headers: dict = field(default_factory=dict)
    body: object = None
    drop: str | None = None
    cut_after: int | None = None
    damaged: bool = False
    silence_seconds: float = 0


@dataclass
class Seen:
    method: str
    path: str
    query: dict
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class FakeService:
    def __init__(self) -> None:
        self.requests: list[Seen] = []
        self.faults: dict[tuple[str, str], deque[Fault]] = {}
        self.videos: dict[str, dict] = {}
        self.steps: dict[str, deque[tuple[str, int]]] = {}
        self.files: dict[str, bytes] = {}
        self.replies: dict[str, dict] = {}
        self.content = CONTENT
        self.etag = '"v1"'
        self.digested = True
        self.redirects = False
        self.receipt: dict = {}
        self.webhooks = FakeWebhooks()
        self.timeline = [("queued", 0), ("in_progress", 0), ("in_progress", 40), ("completed", 100)]
        self.failure = {"code": "moderation", "message": "the prompt was refused"}
        self.livemode = False
        self.extra: dict = {}
        self.places: list[int | None] = []
        self.pace_seconds = 0.0
        self.lock = threading.RLock()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.service = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def fail(self, method: str, pattern: str, *faults: Fault) -> None:
        self.faults.setdefault((method, pattern), deque()).extend(faults)

    def fault_for(self, method: str, path: str) -> Fault | None:
        with self.lock:
            for (wanted, pattern), queue in self.faults.items():
                if wanted == method and queue and re.fullmatch(pattern, path):
                    return queue.popleft()
        return None

    def seen(self, method: str, pattern: str) -> list[Seen]:
        return [r for r in self.requests if r.method == method and re.fullmatch(pattern, r.path)]

    def create(self, body: dict) -> dict:
        with self.lock:
            video_id = f"vid_{len(self.videos) + 1:04d}"
            self.steps[video_id] = deque(self.timeline)
            self.videos[video_id] = {
                "id": video_id, "object": "video", "model": body.get("model", "seedance-2.0-mini"),
                "status": "queued", "progress": 0, "created_at": 1700000000, "started_at": None,
                "completed_at": None, "expires_at": None, "delivered_at": None, "prompt": body.get("prompt"),
                "size": "1280x720", "seconds": "5", "resolution": "720p", "ratio": "16:9", "duration": 5,
                "seed": body.get("seed"), "generate_audio": True, "draft": False, "usage": None,
                "cost": cost(self, "queued"),
                "urls": {"content": None, "last_frame": None, "thumbnail": None, "events": "…", "new": 1},
                "error": None, "metadata": body.get("metadata", {}), "livemode": self.livemode,
                "sandbox": True,
                "ai_generated": True, "something_new": {"a": 1},
            } | self.extra  # fmt: skip
            self.advance(video_id)
            return self.videos[video_id]

    def advance(self, video_id: str) -> bool:
        """Move a video one step on; False when it has arrived."""
        with self.lock:
            if not self.steps[video_id]:
                return False
            status, progress = self.steps[video_id].popleft()
            video = self.videos[video_id] | {"status": status, "progress": progress}
            video["error"] = self.failure if status == "failed" else None
            video["cost"] = cost(self, status)
            if self.places:
                video["queue_position"] = self.places.pop(0)
            self.videos[video_id] = video
            return True


class Server(ThreadingHTTPServer):
    daemon_threads = True
    service: FakeService

    def handle_error(self, request, client_address) -> None:
        """Broken connections are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Two small writes under Nagle's algorithm would cost 40 ms each.
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer()

    do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815 – the library's names

    def answer(self) -> None:
        self.service = self.server.service
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        body = self.read_body()
        self.service.requests.append(Seen(self.command, url.path, query, dict(self.headers.items()), body))
        fault = self.service.fault_for(self.command, url.path)
        if fault and fault.drop == "before":
            return self.hang_up()
        if url.path == "/store/content":
            return self.content(fault)
        if fault and fault.status:
            return self.json(fault.status, fault.body or error(fault.status), fault.headers)
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            return self.json(401, error(401, f"unknown key {self.headers.get('Authorization')}"))
        return self.route(url.path, query, body, fault)

    def route(self, path, query, body, fault):
        service, method = self.service, self.command
        if method == "POST" and path in {"/v1/videos", "/v1/files"}:
            return self.created(path, body, fault)
        if method == "POST" and path == "/v1/verify":
            return self.json(200, verification(body))
        if method == "POST" and path == "/v1/videos/quote":
            return self.json(200, quote(service))
        if path.startswith(("/v1/webhook_", "/v1/events")):
            answer = service.webhooks.answer(method, path, query, json.loads(body or b"{}"))
            return self.json(404, error(404)) if answer is None else self.json(200, answer)
        if path == "/v1/balance":
            return self.json(200, balance(service))
        if path == "/v1/usage":
            return self.json(200, usage(service, query))
        if path.startswith("/v1/statements/"):
            return self.statement(fault)
        if path == "/v1/models":
            return self.json(200, {"object": "list", "data": MODELS})
        if path == "/v1/videos":
            return self.json(200, listing(service, query))
        parts = path.split("/")[2:]
        if parts[0] == "models":
            found = next((m for m in MODELS if m["id"] == parts[1]), None)
            return self.json(200, found) if found else self.json(404, error(404))
        known = service.videos if parts[0] == "videos" else service.files
        if parts[1] not in known:
            return self.json(404, error(404, "no such thing"))
        if method == "DELETE":
            del known[parts[1]]
            return self.json(200, {"id": parts[1], "object": f"{parts[0][:-1]}.deleted", "deleted": True})
        if parts[0] == "files":
            return self.json(200, file_view(parts[1], service.files[parts[1]]))
        return self.video(parts[1], parts[2] if len(parts) > 2 else "", body, fault)

    def video(self, video_id, action, body, fault):
        service, method = self.service, self.command
        if action == "cancel":
            service.videos[video_id] = service.videos[video_id] | {
                "status": "canceled", "cost": cost(service, "canceled"),
            }  # fmt: skip
            service.steps[video_id].clear()
        if action == "events":
            return self.events(video_id, fault)
        if action == "content" and service.redirects and method != "HEAD":
            return self.json(302, {}, {"Location": "/store/content"})
        if action == "content":
            return self.content(fault)
        if action == "delivered":
            service.videos[video_id] = service.videos[video_id] | {"delivered_at": 1795524043, "expires_at": 1795527643}
        if action == "links":
            return self.json(200, content_link(service, json.loads(body)))
        if action == "receipt":
            return self.json(200, service.receipt or receipt(video_id))
        if action == "":
            service.advance(video_id)
        return self.json(200, service.videos[video_id])

    def created(self, path, body, fault):
        service = self.service
        key = self.headers["Idempotency-Key"]
        with service.lock:
            replayed = key in service.replies
            if not replayed and path == "/v1/videos":
                service.replies[key] = service.create(json.loads(body))
            elif not replayed:
                content = body.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
                file_id = f"file_{len(service.files) + 1}"
                service.files[file_id] = content
                service.replies[key] = file_view(file_id, content)
        if fault and fault.drop == "after":
            return self.hang_up()
        return self.json(200, service.replies[key], {"Idempotent-Replayed": "true"} if replayed else {})

    def events(self, video_id, fault):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.flush()
        time.sleep(fault.silence_seconds if fault else 0)
        sent = 0
        while True:
            if fault and fault.cut_after is not None and sent >= fault.cut_after:
                return self.hang_up()
            video = self.service.videos[video_id]
            event = f"id: {sent}\nevent: video.{video['status']}\ndata: {json.dumps(video)}\n\n: keep-alive\n\n"
            self.wfile.write(event.encode())
            sent += 1
            time.sleep(self.service.pace_seconds)
            if not self.service.advance(video_id):
                break
        self.close_connection = True
        return None

    def content(self, fault):
        data, etag = self.service.content, self.service.etag
        start, status = 0, 200
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and self.headers.get("If-Range") in {None, etag}:
            start, status = int(wanted[1]), 206
        self.send_response(status)
        self.send_header("ETag", etag)
        if self.service.digested and not self.path.startswith("/store"):
            digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
            self.send_header("Repr-Digest", f"sha-512=:AAAA:, sha-256=:{digest}:")
        self.send_header("Content-Length", str(len(data) - start))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if self.command == "HEAD":
            return None
        if fault and fault.damaged:
            data = data[:-1] + b"?"
        if fault and fault.cut_after is not None:
            self.wfile.write(data[start : start + fault.cut_after])
            return self.hang_up()
        self.wfile.write(data[start:])
        return None

    def statement(self, fault):
        """Streamed, so without a length and without anything to resume it by."""
        self.send_response(200)
        self.send_header("Content-Type", "text/csv; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in STATEMENT.splitlines(keepends=True)[: fault.cut_after if fault else None]:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
        if fault and fault.cut_after is not None:
            return self.hang_up()
        self.wfile.write(b"0\r\n\r\n")
        return None

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def json(self, status, data, headers=None) -> None:
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Request-Id", f"req_{len(self.service.requests)}")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def hang_up(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    # To look at the CLI by hand.
    with FakeService() as by_hand:
        by_hand.pace_seconds = 0.4
        by_hand.livemode = "live" in sys.argv
        by_hand.timeline = [
            ("queued", 0),
            *[("in_progress", n) for n in range(0, 100, 8)],
            ("completed", 100),
        ]
        by_hand.content = CONTENT * 40
        sys.stdout.write(f"export SEEDANCE_BASE_URL={by_hand.url} SEEDANCE_API_KEY={KEY}\n")
        sys.stdout.flush()
        threading.Event().wait()
