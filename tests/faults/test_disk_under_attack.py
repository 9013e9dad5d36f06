"""One key's bodies that never end take neither the disk nor the database from the others."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from faults.disks import fill, small_file_system
from faults.embedded import embedded_service
from security.attack import address
from stage import Service, until

MIB = 1 << 20
SMALL = {"prompt": "A pond", "resolution": "480p", "duration": 4}


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 400 MB: database, scratch and objects share it."""
    with small_file_system("400m") as folder:
        yield folder


def pour(service: Service, declared: int, sent: int) -> socket.socket:
    """An upload that says how much it has, sends a part of it, and then nothing."""
    head = f"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.key}\r\n"
    head += f"Content-Type: multipart/form-data; boundary=edge\r\nContent-Length: {declared}\r\n\r\n"
    head += '--edge\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
    one = socket.create_connection(address(service), timeout=10)
    with suppress(OSError):  # it is refused and closed while we send
        one.sendall(head.encode() + bytes(sent))
    return one


def refusal(one: socket.socket) -> tuple[int, str] | None:
    """The answer that is there already, if one is."""
    one.settimeout(0.05)
    try:
        answer = one.recv(65536).decode()
    except OSError:
        return None
    head, _, body = answer.partition("\r\n\r\n")
    return (int(head.split()[1]), json.loads(body)["error"]["code"]) if body else None


def test_uploads_that_never_end_are_refused_and_the_database_lives(small_disk: Path) -> None:
    with embedded_service(
        small_disk, max_uploads="6", ballast_megabytes="32", disk_reserve_percent="10"
    ) as service, service.client() as client, ExitStack() as stack:  # fmt: skip
        video = client.post("/v1/videos", json=SMALL).json()["id"]
        until(lambda: client.get(f"/v1/videos/{video}").json()["status"] == "completed", 60)
        poured = [stack.enter_context(pour(service, 60 * MIB, 4 * MIB)) for _ in range(12)]
        codes: dict[int, tuple[int, str]] = {}

        def answered() -> bool:
            for number, one in enumerate(poured):
                if number not in codes and (found := refusal(one)):
                    codes[number] = found
            return len(codes) >= 6

        until(answered, 18)  # before the others are given up for sending nothing
        assert set(codes.values()) <= {(503, "storage_full"), (429, "too_many_uploads")}
        refused = client.post("/v1/files", files={"file": ("a.png", b"x" * 80 * MIB)})  # more than what was refused
        assert refused.status_code in (429, 503), refused.text
        assert int(refused.headers["retry-after"]) > 0
        assert client.get("/readyz").status_code == 200
        assert client.delete(f"/v1/videos/{video}").status_code == 200
        stack.close()
        until(lambda: client.post("/v1/videos", json=SMALL).status_code == 200, 20)


def test_a_disk_that_somebody_else_fills_costs_creates_only_until_there_is_room(small_disk: Path) -> None:
    with embedded_service(small_disk, ballast_megabytes="32") as service, service.client() as client:
        until((small_disk / "data/ballast").exists, 20)
        video = client.post("/v1/videos", json=SMALL).json()["id"]
        until(lambda: client.get(f"/v1/videos/{video}").json()["status"] == "completed", 60)
        filler = fill(small_disk)
        service.kill_postgres()

        def deleted() -> bool:
            with suppress(httpx.HTTPError):
                return client.delete(f"/v1/videos/{video}").status_code == 200
            return False

        until(deleted, 60)

        def code() -> str:
            refused = client.post("/v1/videos", json=SMALL)
            assert refused.status_code == 503, refused.text
            return refused.json()["error"]["code"]

        until(lambda: code() == "storage_full", 30)  # until then the database may be away once more
        filler.unlink()
        until(lambda: client.post("/v1/videos", json=SMALL).status_code == 200, 30)
        until((small_disk / "data/ballast").exists, 30)
