"""The shipped proxies load as they stand, pass the service through, and write no link into a log."""

import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from documents.blocks import ROOT
from documents.proxies import EACH, PROXIES, running
from security.attack import picture, rows
from seedance_api.generations.follow import MAX_WAIT_SECONDS
from seedance_api.serve import HEAD_SECONDS
from seedance_api.settings import read
from seedance_api.web.body import MAX_FILE_BYTES, MAX_JSON_BYTES
from stage import Service, finished, free_port, until

MIB = 1 << 20
TOKEN = "c4n4ry7e57"
"""What stands in for a signed link's token where the request does not get as far as the service."""
LOGGED = {"nginx": "/v1/content/-", "haproxy": "/v1/-"}
"""What stands in a log in the place of a link."""
STRANGER = "198.51.100.7"


@EACH
def test_the_sample_loads(name: str, tmp_path: Path) -> None:
    make, check = PROXIES[name]
    command, _ = make(tmp_path, 443, "127.0.0.1:8000")
    done = subprocess.run([*command, *check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not re.search(r"\b(warn|WARNING|ALERT)", done.stderr), done.stderr


@EACH
def test_no_link_is_logged(name: str, service: Service, tmp_path: Path) -> None:
    with (
        service.client() as client,
        running(name, tmp_path, service.url.removeprefix("http://"), rate=5) as (proxy, logged),
    ):
        body = {"prompt": "x", "duration": 4, "resolution": "480p", "seed": 3}
        video = finished(client, client.post("/v1/videos", json=body).json()["id"])
        link = client.post(f"/v1/videos/{video['id']}/links", json={}).json()["url"]
        path = link.removeprefix(service.url)
        token = path.removeprefix("/v1/content/")
        assert len(token) > 20
        # the same link in other spellings, whether or not it leads anywhere
        spellings = [path, path.replace("content", "%63ontent"), path.replace("/v1/", "/v1//"), path.upper()]
        assert proxy.get(path).status_code == 200
        for one in (*spellings, f"/v1/media/{TOKEN}", f"/v1/callbacks/att_1/{TOKEN}", f"{path}?{TOKEN}"):
            proxy.get(one)
        proxy.get("/v1/models/last")
        until(lambda: "/v1/models/last" in logged())
        assert not any(secret.lower() in logged().lower() for secret in (token, TOKEN)), logged()
        assert LOGGED[name] in logged()
        until(lambda: {429, 503} & refused(proxy, f"/v1/content/{TOKEN}"))
        assert TOKEN not in logged()


def refused(proxy: httpx.Client, path: str) -> set[int]:
    """What comes of more requests at once than the sample allows one address; a POST is refused without a delay."""
    with ThreadPoolExecutor(8) as pool:
        return set(pool.map(lambda _: proxy.post(path).status_code, range(300)))


@EACH
def test_no_link_is_logged_in_trouble(name: str, tmp_path: Path) -> None:
    with running(name, tmp_path, f"127.0.0.1:{free_port('127.0.0.1')}") as (proxy, logged):
        assert proxy.get(f"/v1/content/{TOKEN}").status_code in (502, 503), "nobody listens behind it"
        until(lambda: LOGGED[name] in logged())
        assert TOKEN not in logged()


@EACH
def test_all_that_takes_long_passes_through(name: str, service: Service, tmp_path: Path) -> None:
    """A poll that waits, events as they happen, an upload, a download in parts."""
    with running(name, tmp_path, upstream_of(service)) as (proxy, _):
        proxy.headers["Authorization"] = f"Bearer {service.key}"
        stalled = proxy.post("/v1/videos", json={"prompt": "[sandbox:stall] x", "duration": 4, "resolution": "480p"})
        path = f"/v1/videos/{stalled.json()['id']}"
        until(lambda: proxy.get(path).json()["status"] == "in_progress")
        until(lambda: proxy.get(f"{path}?wait=2").elapsed.total_seconds() >= 1.9)  # once nothing changes any more
        with proxy.stream("GET", f"{path}/events") as stream:
            assert next(stream.iter_lines()), "an event, though the stream is not over"
        proxy.post(f"{path}/cancel")
        assert proxy.post("/v1/files", files={"file": ("a.png", picture(1500, 1000))}).status_code == 200
        body = {"prompt": "x", "duration": 4, "resolution": "480p", "seed": 3}
        video = finished(proxy, proxy.post("/v1/videos", json=body).json()["id"])
        whole = proxy.get(f"/v1/videos/{video['id']}/content")
        part = proxy.get(f"/v1/videos/{video['id']}/content", headers={"Range": "bytes=5-9"})
        assert (part.status_code, part.content) == (206, whole.content[5:10])


@EACH
def test_a_client_cannot_write_its_own_address(name: str, service: Service, tmp_path: Path) -> None:
    with running(name, tmp_path, upstream_of(service)) as (proxy, _):
        spoofed = {"X-Forwarded-For": STRANGER, "Forwarded": f"for={STRANGER}", "X-Real-IP": STRANGER}
        ids = [
            proxy.get("/v1/models", headers={name: value}).headers["x-request-id"] for name, value in spoofed.items()
        ]
    sql = "SELECT host(address) AS address FROM request_log WHERE id = ANY ($1)"
    logged = until(lambda: len(found := rows(service.database_url, sql, ids)) == len(ids) and found)
    assert isinstance(logged, list)
    assert {row["address"] for row in logged} == {"127.0.0.1"}


@EACH
def test_a_body_may_be_as_large_as_the_service_takes_it_and_no_larger(name: str, tmp_path: Path) -> None:
    verified = (read({}).verify_megabytes + 1) * MIB
    with closing() as (port, _), running(name, tmp_path, f"127.0.0.1:{port}") as (proxy, _logged):
        for path, size in (("/v1/videos", MAX_JSON_BYTES), ("/v1/files", MAX_FILE_BYTES), ("/v1/verify", verified)):
            assert declared(proxy, path, size + 1) == 413, path
            assert declared(proxy, path, size) != 413, path


@EACH
def test_a_post_is_sent_once(name: str, tmp_path: Path) -> None:
    """The service breaks off after it has read the request: whether it did what was asked nobody knows."""
    with closing() as (port, heads), running(name, tmp_path, f"127.0.0.1:{port}") as (proxy, _):
        heads.clear()
        with suppress(httpx.RemoteProtocolError):  # HAProxy breaks off, too, where the connection was kept
            assert proxy.post("/v1/videos", json={"prompt": "x"}).status_code == 502
        assert len([head for head in heads if head.startswith(b"POST ")]) == 1


@pytest.mark.parametrize("name", PROXIES)
def test_what_waits_is_not_cut_and_kept_connections_close_before_ours(name: str) -> None:
    """Read from the configurations: nobody wants to wait for a minute here."""
    text = next((ROOT / "deploy" / name).iterdir()).read_text()
    seconds = {one: int(value) for one, value in re.findall(r"^\s*([a-z_ -]+?)\s+(\d+)s\b", text, re.MULTILINE)}
    waits = {"nginx": ("proxy_read_timeout", "send_timeout"), "haproxy": ("timeout server", "timeout client")}[name]
    assert all(seconds[one] > MAX_WAIT_SECONDS for one in waits), seconds
    kept = int(re.findall(r"(?:keepalive 64;\s+keepalive_timeout|pool-purge-delay) (\d+)s", text)[0])
    assert kept < HEAD_SECONDS


def upstream_of(service: Service) -> str:
    return service.url.removeprefix("http://")


def declared(proxy: httpx.Client, path: str, size: int) -> int:
    """The status of a POST that says how large its body is; 0 where the proxy breaks off, as its service does."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    where = (proxy.base_url.host, proxy.base_url.port or 443)
    with socket.create_connection(where, 20) as plain, context.wrap_socket(plain) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
        return int(connection.recv(65536)[9:12] or b"0")


@contextmanager
def closing() -> Iterator[tuple[int, list[bytes]]]:
    """A service that answers GETs, and breaks off after it has read anything else: its port, and what it has read."""
    heads: list[bytes] = []

    def serve(server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(5)
                heads.append(connection.recv(65536))
                if heads[-1].startswith(b"GET "):
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        yield server.getsockname()[1], heads
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)
