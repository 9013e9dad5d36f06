"""F31: the disk is full. Nothing new is taken in, deletions and reads go on, nothing corrupt is served; it recovers."""

import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from faults.disks import fill, small_file_system
from references.look import look_at
from security.attack import log, rows
from seedance_api.references.inspect import Inspected, Staged
from stage import Service, finished, until

SMALL = {"prompt": "A pond", "resolution": "480p", "duration": 4, "seed": 3}


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 24 MB."""
    with small_file_system("64m") as folder:
        yield folder


def picture() -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((640, 400)).convert("RGB").save(file, "PNG")
    return file.getvalue()


def content(client: httpx.Client, video_id: str) -> httpx.Response:
    return client.get(f"/v1/videos/{video_id}/content")


def is_refused_for_room(client: httpx.Client, disk: Path) -> bool:
    """Whether an upload finds a full disk full."""
    fill(disk)
    answer = client.post("/v1/files", files={"file": ("a.png", picture())})
    return answer.status_code == 503 and answer.json()["error"]["code"] == "storage_full"


def test_with_little_room_accept_stops_and_the_rest_goes_on(
    small_disk: Path, start_service: Callable[..., Service]
) -> None:
    service = start_service(storage_url=f"file://{small_disk}/objects")
    with service.client() as client:
        video = finished(client, client.post("/v1/videos", json=SMALL).json()["id"])
        before = content(client, str(video["id"])).content
        under_way = client.post("/v1/videos", json=SMALL | {"seed": 4}).json()["id"]
        filler = fill(small_disk, leave=6_000_000)  # less than the tenth, enough for what is under way
        until(lambda: client.post("/v1/videos", json=SMALL).status_code == 503, 5)
        for answer in (
            client.post("/v1/videos", json=SMALL),
            client.post("/v1/files", files={"file": ("a.png", picture())}),
        ):
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "storage_full"
            assert int(answer.headers["retry-after"]) > 0
            assert answer.headers["x-should-retry"] == "true"
        assert client.post("/v1/videos/quote", json=SMALL).status_code == 200
        assert content(client, str(video["id"])).content == before
        assert finished(client, under_way)["status"] == "completed"
        assert client.delete(f"/v1/videos/{video['id']}").status_code == 200
        assert not list((small_disk / "objects" / "content" / str(video["id"])).rglob("*"))
        filler.unlink()
        until(lambda: client.post("/v1/videos", json=SMALL).status_code == 200, 10)
        assert client.post("/v1/files", files={"file": ("a.png", picture())}).status_code == 200


def test_a_video_that_finds_no_room_is_stored_once_there_is_some(
    small_disk: Path, start_service: Callable[..., Service]
) -> None:
    service = start_service(storage_url=f"file://{small_disk}/objects", disk_reserve_percent="0", live_sandbox="true")
    service.credit("10")
    with service.client(service.new_key("live")) as client:
        finished(client, client.post("/v1/videos", json=SMALL).json()["id"])
        until(lambda: is_refused_for_room(client, small_disk), 10)  # work files of the first may go meanwhile
        second = client.post("/v1/videos", json=SMALL).json()["id"]
        until(lambda: "OSError" in log(service) or "sandbox_work_dropped" in log(service), 30)
        assert content(client, second).status_code == 404  # not ready, and nothing half-written
        (small_disk / "filler").unlink()
        assert finished(client, second)["status"] == "completed"
        (kept,) = rows(
            service.database_url, "SELECT sha256 FROM asset WHERE generation_id = $1 AND variant = 'video'", second
        )
        assert hashlib.sha256(content(client, second).content).hexdigest() == kept["sha256"]
    service.doctor()


def test_a_picture_is_not_called_damaged_for_want_of_our_room(small_disk: Path) -> None:
    path = small_disk / "picture"
    path.write_bytes(picture())
    fill(small_disk)
    with pytest.raises(OSError, match="our own disk is full"):
        look_at(Staged(path=path, bytes=path.stat().st_size))
    (small_disk / "filler").unlink()
    assert isinstance(look_at(Staged(path=path, bytes=path.stat().st_size))[0], Inspected)
