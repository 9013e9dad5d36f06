"""Folders that are deleted or become read-only under a running service: made anew, or a 503 that a retry mends."""

import io
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from PIL import Image

from security.attack import rows
from stage import Service, finished, until

SMALL = {"prompt": "A pond", "resolution": "480p", "duration": 4}


def upload(client: httpx.Client, shade: int) -> httpx.Response:
    file = io.BytesIO()
    Image.new("RGB", (640, 400), (shade, 0, 0)).save(file, "PNG")
    return client.post("/v1/files", files={"file": ("a.png", file.getvalue())})


@contextmanager
def read_only(place: Path) -> Iterator[None]:
    """Whatever is open there stays open, as when the kernel finds a fault in a file system."""
    subprocess.run(["mount", "--bind", str(place), str(place)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(place)], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_deleted_and_read_only_folders(start_service: Callable[..., Service]) -> None:
    service = start_service()
    data = service.folder / "data"
    with service.client() as client:
        assert upload(client, 1).status_code == 200
        shutil.rmtree(data / "scratch")
        # the worker makes its folder anew by itself, the API when it needs it; one that starts meanwhile waits for that
        created = client.post("/v1/videos", json=SMALL).json()
        assert upload(client, 2).status_code == 200
        assert client.get("/readyz").status_code == 200
        assert finished(client, created["id"])["status"] == "completed"
        mine = [one for one in (data / "scratch").iterdir() if one.is_dir()]
        assert len(mine) == 2  # the API's and the worker's
        for folder in (data / "scratch", *mine):
            assert folder.stat().st_mode & 0o777 == 0o700, folder
        for name, shade in (("scratch", 3), ("objects", 4)):
            with read_only(data / name):
                refuses(client, shade)
            takes(client, shade)


def refuses(client: httpx.Client, shade: int) -> None:
    """Readiness is red, what needs a file is a 503 that says when to try again, and the rest works."""
    until(lambda: client.get("/readyz").status_code == 503, 10)
    refused = upload(client, shade)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "storage_unavailable")
    assert int(refused.headers["retry-after"]) > 0
    assert client.get("/v1/videos").status_code == 200


def takes(client: httpx.Client, shade: int) -> None:
    """By itself, without a restart."""
    until(lambda: client.get("/readyz").status_code == 200, 10)
    assert upload(client, shade).status_code == 200


@contextmanager
def mounted(source: Path, place: Path) -> Iterator[None]:
    """`source` at `place`, until the end or until somebody unmounts it."""
    subprocess.run(["mount", "--bind", str(source), str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False, capture_output=True)


@pytest.mark.parametrize("how", ["unmounted", "deleted", "another"])
def test_a_folder_of_objects_that_is_away_is_not_made_anew(start_service: Callable[..., Service], how: str) -> None:
    """What would be written below the mount point is hidden once it is mounted again."""
    service = start_service(grace_seconds="0")
    point, disk = service.folder / "data" / "objects", service.folder / "disk"
    with service.client() as client:
        done = client.post("/v1/videos", json=SMALL).json()["id"]
        assert finished(client, done)["status"] == "completed"
        file = upload(client, 1).json()["id"]
        shutil.move(point, disk)  # it stays what it was, at another place
        if how == "unmounted":
            point.mkdir(mode=0o700)
        elif how == "another":
            point.mkdir(mode=0o700)
            (point / "installation.json").write_text('{"id":"ins_another","about":""}')
        refuses(client, 2)
        begun = client.post("/v1/videos", json=SMALL | {"prompt": "[sandbox:slow=1] B"})
        content = client.get(f"/v1/videos/{done}/content")
        assert (content.status_code, content.json()["error"]["code"]) == (503, "storage_unavailable")
        deleted = client.delete(f"/v1/files/{file}")
        sql = "SELECT count(*) AS n FROM asset WHERE damaged_at IS NOT NULL"
        assert rows(service.database_url, sql)[0]["n"] == 0, "nothing is taken for lost"
        written = [one for one in point.rglob("*") if one.name != "installation.json"]
        assert written == [], "it would be hidden below the mount point"
        point.mkdir(mode=0o700, exist_ok=True)
        with mounted(disk, point):
            takes(client, 2)
            assert client.get(f"/v1/videos/{done}/content").status_code == 200
            if begun.status_code == 200:
                assert finished(client, begun.json()["id"])["status"] == "completed"
            assert deleted.status_code in (200, 204, 503)
            service.doctor()
            assert service.stop() == 0
