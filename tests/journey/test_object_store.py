"""The first video again, with everything in an S3 bucket: moto's server plays S3, over the real wire."""

import asyncio
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from moto.server import ThreadedMotoServer
from PIL import Image

from seedance_api.foundation import claim, objects
from seedance_api.foundation.put_object import put_bytes
from stage import Service, finished, until


class Bucket:
    """A bucket of an S3 server on loopback."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/seedance"
        assert httpx.put(self.url, trust_env=False).status_code == 200

    def objects(self) -> set[str]:
        """Every object but the mark of the installation."""
        return {key for key in self.listed() if not key.endswith(claim.KEY)}

    def listed(self) -> set[str]:
        """Every object."""
        text = httpx.get(self.url, params={"list-type": "2"}, trust_env=False).text
        return {part.partition("</Key>")[0] for part in text.split("<Key>")[1:]}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    yield Bucket(f"http://{host}:{port}")
    server.stop()


def picture() -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((640, 400)).convert("RGB").save(file, "PNG")
    return file.getvalue()


def test_a_video_from_a_picture_to_an_empty_bucket(bucket: Bucket, start_service: Callable[..., Service]) -> None:
    service = start_service(storage_url="s3://seedance/some/prefix")
    assert bucket.listed() == {f"some/prefix/{claim.KEY}"}
    with service.client() as client:
        upload = client.post("/v1/files", files={"file": ("a.png", picture(), "image/png")}).json()
        assert [key.split("/")[:3] for key in bucket.objects()] == [["some", "prefix", "files"]]
        form = {"prompt": "A harbour at dawn", "resolution": "480p", "duration": "4", "return_last_frame": "true"}
        made = client.post("/v1/videos", data=form, files={"input_reference": ("b.png", picture(), "image/png")})
        assert made.status_code == 200, made.text
        video = finished(client, made.json()["id"])
        assert video["status"] == "completed", video
        assert len([key for key in bucket.objects() if "/files/" in key]) == 1  # shared by both
        prefix = f"some/prefix/content/{video['id']}/"
        names = sorted(key.rpartition("/")[2] for key in bucket.objects() if key.startswith(prefix))
        assert names == ["last_frame", "thumbnail.webp", "video.mp4"]
        whole = downloads(client, f"/v1/videos/{video['id']}/content")
        assert whole[4:8] == b"ftyp"
        for variant in ("thumbnail", "last_frame"):
            downloads(client, f"/v1/videos/{video['id']}/content?variant={variant}")

        assert client.delete(f"/v1/videos/{video['id']}").status_code == 200
        assert client.get(f"/v1/videos/{video['id']}/content").status_code in (404, 410)
        until(lambda: [key.split("/")[2] for key in bucket.objects()] == ["files"], 30)
        assert client.get(f"/v1/files/{upload['id']}").status_code == 200  # the upload's object is still its own
        assert client.delete(f"/v1/files/{upload['id']}").status_code == 200
    assert bucket.objects() == set()
    assert not (service.folder / "data" / "objects").exists()
    service.doctor()


def downloads(client: httpx.Client, path: str) -> bytes:
    """The file, whole and by a range."""
    whole = client.get(path)
    assert whole.status_code == 200
    for wanted, part in (("bytes=0-9", whole.content[:10]), ("bytes=100-", whole.content[100:])):
        answer = client.get(path, headers={"Range": wanted})
        assert (answer.status_code, answer.content) == (206, part)
    return whole.content


def test_many_objects_go_in_few_requests(bucket: Bucket, tmp_path: Path) -> None:
    async def run() -> None:
        store = objects.open_store("s3://seedance/p", tmp_path / "nowhere")
        names = [f"files/{n}" for n in range(300)]
        await asyncio.gather(*(put_bytes(store, name, b"x") for name in names))
        assert len(bucket.objects()) == 300
        await objects.delete(store, [*names, "files/gone", "files/gone too"])
        await objects.delete(store, names[:3])

    asyncio.run(run())
    assert bucket.objects() == set()
