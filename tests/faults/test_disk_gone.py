"""Folders that are deleted or become read-only under a running service: made anew, or a 503 that a retry mends."""

import io
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from PIL import Image

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
        for name in ("scratch", "objects"):
            shutil.rmtree(data / name)
        # the worker makes its folder anew by itself, the API when it needs it; one that starts meanwhile waits for that
        created = client.post("/v1/videos", json=SMALL).json()
        assert upload(client, 2).status_code == 200
        assert client.get("/readyz").status_code == 200
        assert finished(client, created["id"])["status"] == "completed"
        mine = [one for one in (data / "scratch").iterdir() if one.is_dir()]
        assert len(mine) == 2  # the API's and the worker's
        for folder in (data / "scratch", data / "objects", *mine):
            assert folder.stat().st_mode & 0o777 == 0o700, folder
        for name, shade in (("scratch", 3), ("objects", 4)):
            with read_only(data / name):
                until(lambda: client.get("/readyz").status_code == 503, 10)
                refused = upload(client, shade)
                assert (refused.status_code, refused.json()["error"]["code"]) == (503, "storage_unavailable")
                assert int(refused.headers["retry-after"]) > 0
                assert client.get("/v1/videos").status_code == 200
            until(lambda: client.get("/readyz").status_code == 200, 10)
            assert upload(client, shade).status_code == 200
