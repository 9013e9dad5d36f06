"""One account takes all it can of what all share, and another's same request is served as if nobody else were there."""

import asyncio
import base64
import io
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from obstore.store import MemoryStore
from PIL import Image

from generations.kit import owner, with_database
from security.attack import address, picture, refused
from seedance_api.catalog.order import Kind
from seedance_api.delivery.count_boxes import MAX_BOXES
from seedance_api.foundation.confine import Confine
from seedance_api.foundation.db import Database
from seedance_api.foundation.disk import Disk
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.fair_queue import FairQueue
from seedance_api.foundation.intake import Intake
from seedance_api.foundation.outbound import Outbound
from seedance_api.foundation.scratch import Scratch
from seedance_api.references.admit import References
from seedance_api.references.fetch import fetch
from seedance_api.references.source import Source
from stage import Service, finished, until

_MINE = f"127.{64 + os.getpid() % 128}.{os.getpid() // 128 % 256}"
HUNG, GOOD = f"{_MINE}.3", f"{_MINE}.4"
"""Media are fetched from few ports only: addresses of its own keep each process of the suite from the others' way."""
FTYP = b"\0\0\0\x18ftypisom\0\0\2\0isommp41"
FREE = struct.pack(">I4s", 8, b"free")
STALL = {"prompt": "[sandbox:stall] x", "duration": 4, "resolution": "480p"}


def stranger(service: Service) -> httpx.Client:
    """A client of another account."""
    return service.client(service.new_key(email=service.new_account()["email"]))


def children(service: Service, module: str) -> int:
    """How many confined children of a kind are at work."""
    found = psutil.Process(service.process.pid).children(recursive=True)
    return sum(module in str(one.cmdline()) for one in found if one.is_running() and one.status() != "zombie")


def test_stalled_videos_of_one_account_stop_nobody_elses(start_service: Callable[..., Service]) -> None:
    service = start_service()
    with service.client() as mine, stranger(service) as theirs:
        for _ in range(12):
            assert mine.post("/v1/videos", json=STALL).status_code == 200
        until(lambda: statuses(mine).count("in_progress") == 6)
        video = theirs.post("/v1/videos", json=STALL | {"prompt": "a boat"}).json()
        assert finished(theirs, video["id"])["status"] == "completed"
        assert statuses(mine).count("in_progress") == 6


def statuses(client: httpx.Client) -> list[str]:
    return [one["status"] for one in client.get("/v1/videos", params={"limit": 100}).json()["data"]]


def test_pictures_that_take_long_hold_up_their_own_account_only(start_service: Callable[..., Service]) -> None:
    service = start_service()
    heavy = io.BytesIO()
    Image.new("RGB", (5990, 5990)).save(heavy, "PNG")  # nearly the most pixels that are taken
    url = "data:image/png;base64," + base64.b64encode(heavy.getvalue()).decode()

    def quote() -> int:
        with service.client() as mine:
            return mine.post("/v1/videos/quote", json=referring([url] * 9)).status_code

    with ThreadPoolExecutor(4) as pool, stranger(service) as theirs:
        quotes = [pool.submit(quote) for _ in range(4)]
        until(lambda: children(service, "references.decode") == 2)
        assert theirs.post("/v1/files", files={"file": ("a.png", picture())}).status_code == 200
        assert not any(one.done() for one in quotes)
        service.kill()


def referring(urls: list[str]) -> dict[str, Any]:
    """A body with these pictures."""
    return {"prompt": "x", "model": "seedance-2.0", "images": [{"url": one, "role": "reference"} for one in urls]}


@contextmanager
def hanging() -> Iterator[tuple[str, list[socket.socket]]]:
    """An address that takes every connection and says nothing; and who came."""
    came: list[socket.socket] = []
    with socket.create_server((HUNG, 8443), backlog=512) as server:
        over = threading.Event()

        def accept() -> None:
            while not over.is_set():
                came.append(server.accept()[0])

        taker = threading.Thread(target=accept)
        taker.start()
        try:
            yield f"http://{HUNG}:8443/a.png", came
        finally:
            over.set()
            socket.create_connection((HUNG, 8443)).close()
            taker.join()
            for one in came:
                one.close()


class Pictures(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(picture())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def pictures() -> Iterator[str]:
    """An address with a picture."""
    server = ThreadingHTTPServer((GOOD, 8443), Pictures)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{GOOD}:8443/a.png"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_servers_that_hang_hold_up_their_own_account_only(start_service: Callable[..., Service]) -> None:
    service = start_service(fetch_http="true", fetch_allow_networks=f"{HUNG}/32,{GOOD}/32")

    def quote(client: httpx.Client, url: str) -> int:
        return client.post("/v1/videos/quote", json=referring([url] * 9), timeout=300).status_code

    with (
        hanging() as (hung, came),
        pictures() as good,
        stranger(service) as theirs,
        stranger(service) as second,
        ThreadPoolExecutor(40) as pool,
    ):
        for client in (service.client(), second):
            for _ in range(16):
                pool.submit(quote, client, hung)
        until(lambda: len(came) >= 2 * 25)
        assert quote(theirs, good) == 200
        assert len(came) == 2 * 25, "each has a quarter of the connections"
        service.kill()


def test_connections_that_are_all_taken_are_no_verdict_on_an_address(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        outbound = Outbound(allow_http=True, allow_networks=(f"{HUNG}/32", f"{GOOD}/32"))
        scratch = Scratch(tmp_path / "scratch")
        intake = Intake(scratch, Disk([scratch.path], reserve_percent=0), max_uploads=8, max_bytes=1 << 30)
        one, two = await owner(db), await owner(db, "two@example.org")
        with hanging() as (hung, came), pictures() as good:
            for queue in (FairQueue(1, max_seconds=0.1), FairQueue(1, max_waiting=0)):
                references = References(
                    db=db, store=MemoryStore(), confine=Confine(), outbound=outbound, fetching=queue
                )  # fmt: skip
                before = len(came)

                async def admit(account_id: str, url: str, using: References = references) -> None:
                    async with intake.folder(account_id) as folder:
                        await using.admit([Source(path="images[0]", kind=Kind.IMAGE, url=url)], folder)

                holding = asyncio.create_task(admit(one.account_id, hung))
                while len(came) == before:
                    await asyncio.sleep(0.01)
                with pytest.raises(AppError) as refused:
                    await admit(two.account_id, good)
                assert (refused.value.code, refused.value.status) == ("too_busy", 503)
                assert "Retry-After" in refused.value.headers
                holding.cancel()
                await asyncio.gather(holding, return_exceptions=True)
                await admit(two.account_id, good)
        await outbound.aclose()
        scratch.close()

    with_database(database_url, verb)


def test_a_client_without_a_free_connection_says_nothing_of_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seedance_api.foundation.outbound.READ_SECONDS", 0.1)

    asked = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        asked.set()
        try:
            with suppress(ConnectionError):
                while not writer.is_closing():
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.02)
        finally:
            writer.close()

    async def verb() -> None:
        outbound = Outbound(allow_http=True, allow_networks=(f"{GOOD}/32",), connections=1)

        async def get(name: str) -> None:
            await fetch(f"http://{GOOD}:8443/a.png", tmp_path / name, kind=Kind.IMAGE, outbound=outbound)

        async with await asyncio.start_server(drip, GOOD, 8443):
            first = asyncio.create_task(get("first"))
            await asked.wait()
            with pytest.raises(AppError) as refused:
                await get("second")
            assert refused.value.code == "too_busy"
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
        await outbound.aclose()

    asyncio.run(verb())


def test_files_of_countless_boxes_hold_up_nobody_who_verifies(start_service: Callable[..., Service]) -> None:
    service = start_service(proxy_networks="127.0.0.0/8")
    boxes = FTYP + FREE * 150_000  # C2PA's library would take minutes, by their square

    def verify(content: bytes, whose: str) -> httpx.Response:
        headers = {"X-Forwarded-For": whose}
        return httpx.post(f"{service.url}/v1/verify", content=content, headers=headers, timeout=120, trust_env=False)

    assert refused(verify(boxes, "192.0.2.1"), 400)["code"] == "unreadable_file"
    slow = FTYP + FREE * (MAX_BOXES - 1)
    with ThreadPoolExecutor(12) as pool:
        sent = [pool.submit(verify, slow, "192.0.2.1") for _ in range(12)]
        until(lambda: sum(one.done() for one in sent) >= 3)  # one is looked at, and eight wait
        assert verify(picture(), "192.0.2.2").status_code == 200
        early = [one.result() for one in sent if one.done()]
        assert len(early) < 9
        busy = [one for one in early if one.status_code == 503]
        assert len(busy) == 3
        assert all(one.json()["error"]["code"] == "too_busy" and "Retry-After" in one.headers for one in busy)
        service.kill()


def test_who_hangs_up_is_verified_no_more(start_service: Callable[..., Service]) -> None:
    service = start_service()
    slow = FTYP + FREE * (MAX_BOXES - 1)
    head = f"POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: {len(slow)}\r\n\r\n".encode()
    leaving = [socket.create_connection(address(service)) for _ in range(6)]
    for one in leaving:
        one.sendall(head + slow)
    until(lambda: children(service, "delivery.recognise"))
    for one in leaving:
        one.close()
    until(lambda: not children(service, "delivery.recognise"))
    with service.client() as client:
        assert client.post("/v1/verify", content=picture()).status_code == 200
