"""Hostile reference media, sent inline and by address: refused, nothing kept, nothing internal is touched."""

import base64
import re
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import psutil
import pytest

from security.attack import bomb, chunked_png, file_part, form, noise, paths, picture, refused
from stage import Service

pytestmark = pytest.mark.usefixtures("nothing_kept")

PNG = b"\x89PNG\r\n\x1a\n"
BAD_FILES = {
    "nothing": b"",
    "70 MB": PNG + b"\0" * 70_000_000,
    "PNG bomb of 65,000²": bomb(),
    "PNG of 13,000²": bomb(13_000),
    "PNG with a profile of 100 MB": chunked_png(b"iCCP", b"p\0\0" + zlib.compress(bytes(100_000_000), 9)),
    "PNG with a text of 100 MB": chunked_png(b"zTXt", b"k\0\0" + zlib.compress(bytes(100_000_000), 9)),
    "truncated JPEG": picture(form="JPEG")[:2000],
    "JPEG of three bytes": b"\xff\xd8\xff",
    "PNG of eight bytes": PNG,
    "PNG without pixels": bomb(640).replace(b"IDAT", b"iDAT"),
    "cut PNG": noise(640, 400)[:-5000],
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "PDF": b"%PDF-1.7\n" + b"0" * 500,
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n",
    "ZIP": b"PK\x03\x04" + b"\0" * 500,
    "HTML": b"<html><script>alert(1)</script>",
    "text": b"hello",
    "MP4 of nothing": b"\0\0\0\x18ftypisom" + b"\0" * 500,
    "WAV of nothing": b"RIFF\xff\xff\xff\xffWAVE" + b"\0" * 500,
    "MP3 of noise": b"ID3\x04\0" + b"\xff" * 5000,
    "tiny": picture(20, 20),
    "thin": picture(3000, 300),
}


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


@pytest.mark.parametrize("data", BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_bad_file_is_refused(client: httpx.Client, data: bytes) -> None:
    body = form([file_part("file", "picture.png", data)])
    headers = {"Content-Type": "multipart/form-data; boundary=edge"}
    error = refused(client.post("/v1/files", content=body, headers=headers), 400, code="invalid_media")
    assert paths(error) == {"file"}


def test_every_bad_picture_of_a_create_is_named(client: httpx.Client) -> None:
    names = ["PNG bomb of 65,000²", "truncated JPEG", "SVG", "thin"]
    files = [("input_reference[]", (f"{name}.png", BAD_FILES[name])) for name in names]
    files += [("input_reference[]", ("good.png", picture()))]
    error = refused(client.post("/v1/videos", data={"prompt": "x", "model": "seedance-2.0"}, files=files), 400)
    assert paths(error) == {f"input_reference[{n}]" for n in range(len(names))}


def test_no_bad_file_costs_a_process_of_ours_much_memory(service: Service, client: httpx.Client) -> None:
    """Bombs go off in a child, if at all; files go through on disk."""
    ours = [psutil.Process(service.process.pid), *psutil.Process(service.process.pid).children(recursive=True)]
    before = {one.pid: one.memory_info().rss for one in ours}
    for pid in before:
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # proc(5): the peak counts from now on
    for name in ("70 MB", "PNG bomb of 65,000²", "PNG of 13,000²", "PNG with a profile of 100 MB", "cut PNG", "thin"):
        body = form([file_part("file", "picture.png", BAD_FILES[name])])
        headers = {"Content-Type": "multipart/form-data; boundary=edge"}
        refused(client.post("/v1/files", content=body, headers=headers), 400, code="invalid_media")
    for pid, rss in before.items():
        (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        assert int(peak) * 1024 - rss < 100_000_000


@pytest.mark.parametrize(
    "url",
    ["data:", "data:image/png;base64,", "data:image/png;base64,!!!!", "data:image/png;base64,AAA=AAAA",
     "data:image/png,AAAA", "data:text/html;base64,PGI+", "data:image/png;base64," + base64.b64encode(bomb()).decode(),
     "data:image/svg+xml;base64,PHN2Zy8+", "data:image/png;base64," + "A" * 41_000_000],
    ids=lambda url: url[:40],
)  # fmt: skip
def test_a_bad_data_url_is_refused(client: httpx.Client, url: str) -> None:
    assert paths(refused(client.post("/v1/videos", json={"prompt": "x", "images": [url]}), 400)) == {"images[0]"}


INTERNAL = [
    "http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:8443/", "http://127.1:8443/", "http://[::1]:8443/",
    "http://2130706433:8443/", "http://0x7f000001:8443/", "http://0177.0.0.1:8443/", "http://0:8443/",
    "http://[::ffff:127.0.0.1]:8443/", "http://[::127.0.0.1]:8443/", "http://[64:ff9b::7f00:1]:8443/",
    "http://[2002:7f00:1::1]:8443/", "http://[::1%25lo]:8443/", "http://localhost:8443/", "http://127.0.0.1.:8443/",
    "http://LOCALHOST:8443/", "http://１２７.0.0.1:8443/", "http://127。0。0。1:8443/", "http://168.63.129.16/",
    "http://100.100.100.200/", "http://192.0.0.192/", "http://10.0.0.1/", "http://0.0.0.0:8443/", "http://255.255.255.255/",
    "http://224.0.0.1/", "http://public.example@127.0.0.1:8443/", "http://127.0.0.1:8443#@public.example/",
    "http://127.0.0.1:8443\\@public.example/", "http://127.0.0.2:22/", "http://127.0.0.2:5432/", "file:///etc/passwd",
    "ftp://127.0.0.1/", "gopher://127.0.0.1:8443/_x", "http:///x", "http://", "//127.0.0.1:8443/", "http://a b/", "x",
]  # fmt: skip


@pytest.fixture
def tripwire() -> Iterator[list[str]]:
    """Listens where nobody may come, on 127.0.0.1 and ::1, port 8443; the list says who came."""
    came: list[str] = []
    with ExitStack() as stack:
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            listener = stack.enter_context(socket.socket(family))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, 8443))
            listener.listen()
            listener.settimeout(0.2)
            over = threading.Event()
            watcher = threading.Thread(target=watch, args=(listener, came, over))
            watcher.start()
            stack.callback(watcher.join)
            stack.callback(over.set)
        yield came


def watch(listener: socket.socket, came: list[str], over: threading.Event) -> None:
    while not over.is_set():
        try:
            connection, where = listener.accept()
        except TimeoutError:
            continue
        connection.close()
        came.append(str(where))


def test_internal_addresses_are_never_connected_to(client: httpx.Client, tripwire: list[str]) -> None:
    for at in range(0, len(INTERNAL), 9):
        body = {
            "prompt": "x",
            "model": "seedance-2.0",
            "images": [{"url": u, "role": "reference"} for u in INTERNAL[at : at + 9]],
        }
        error = refused(client.post("/v1/videos", json=body), 400, code="invalid_media")
        assert paths(error) == {f"images[{n}]" for n in range(len(INTERNAL[at : at + 9]))}
        assert "root:" not in str(error)
    assert tripwire == []


def test_redirects_and_lies_of_a_public_server_lead_nowhere(client: httpx.Client, tripwire: list[str]) -> None:
    """127.0.0.2 plays the public internet."""

    class Liar(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/to/"):
                self.send_response(302)
                self.send_header("Location", targets[int(self.path.removeprefix("/to/"))])
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            if self.path == "/gzip":
                self.send_header("Content-Encoding", "gzip")
            if self.path == "/huge":
                self.send_header("Content-Length", str(10**12))
            self.end_headers()
            if self.path == "/endless":
                try:
                    for _ in range(64):
                        self.wfile.write(b"\0" * (1 << 20))
                except OSError:
                    pass

        def log_message(self, *_: object) -> None:
            pass

    targets = ["http://127.0.0.1:8443/", "http://[::1]:8443/", "file:///etc/passwd", "http://169.254.169.254/", "/to/4"]
    server = HTTPServer(("127.0.0.2", 8443), Liar)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        ways = [f"/to/{n}" for n in range(len(targets))] + ["/gzip", "/huge", "/endless", "/empty"]
        images = [{"url": f"http://127.0.0.2:8443{way}", "role": "reference"} for way in ways]
        body = {"prompt": "x", "model": "seedance-2.0", "images": images}
        error = refused(client.post("/v1/videos", json=body), 400, code="invalid_media")
        assert paths(error) == {f"images[{n}]" for n in range(len(ways))}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert tripwire == []
