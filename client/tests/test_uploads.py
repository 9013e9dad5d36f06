"""Uploads, alone and as part of a creation, for both clients."""

from __future__ import annotations

import io

import pytest
from fake_service import Fault

from seedance import ServerError

PICTURE = b"\x89PNG" + bytes(700_000)


@pytest.mark.parametrize("kind", ["path", "file", "bytes", "stream"])
def test_upload(client, service, tmp_path, kind):
    path = tmp_path / 'a "b".png'
    path.write_bytes(PICTURE)
    told = []
    with path.open("rb") as opened:
        source = {"path": path, "file": opened, "bytes": PICTURE, "stream": Stream(PICTURE)}[kind]
        file = client.files.upload(source, on_progress=lambda *numbers: told.append(numbers))
    assert service.files == {file.id: PICTURE}
    assert told[-1] == (len(PICTURE), None if kind == "stream" else len(PICTURE))
    [request] = service.seen("POST", "/v1/files")
    assert request.headers["Content-Type"].startswith("multipart/form-data")
    if kind in {"path", "file"}:
        assert b'filename="a %22b%22.png"\r\nContent-Type: image/png' in request.body
    assert client.files.retrieve(file).id == file.id
    assert client.files.delete(file.id).deleted is True


def test_an_upload_is_repeated_whole_from_where_the_file_stood(client, service):
    file = io.BytesIO(b"skipped" + PICTURE)
    file.seek(7)
    service.fail("POST", "/v1/files", Fault(status=503), Fault(drop="after"))
    client.files.upload(file)
    assert service.files == {"file_1": PICTURE}
    assert len({r.body for r in service.seen("POST", "/v1/files")}) == 1


def test_a_stream_that_cannot_be_read_again_is_not_sent_again(client, service):
    service.fail("POST", "/v1/files", Fault(status=503))
    with pytest.raises(ServerError):
        client.files.upload(Stream(PICTURE))
    assert len(service.seen("POST", "/v1/files")) == 1


def test_local_references_are_uploaded_first(client, service, tmp_path):
    path = tmp_path / "first.png"
    path.write_bytes(b"1")
    uploads = []
    with path.open("rb") as opened:
        client.videos.create(
            "x",
            images=["https://x/y.png", "file_9", path, {"file": path, "role": "last_frame"}, opened],
            on_upload=lambda *news: uploads.append(news),
        )
    assert service.seen("POST", "/v1/videos")[0].json["images"] == [
        "https://x/y.png", "file_9", "file_1", {"role": "last_frame", "file_id": "file_2"}, "file_3",
    ]  # fmt: skip
    assert uploads[0] == ("first.png", 1, 1)


def test_a_repeat_under_the_same_key_uploads_nothing_new(client, service, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"1")
    first = client.videos.create("x", images=[path], idempotency_key="mine")
    again = client.videos.create("x", images=[path], idempotency_key="mine")
    assert first.id == again.id
    assert len(service.files) == 1
    one, two = service.seen("POST", "/v1/files")
    assert one.body == two.body


@pytest.mark.parametrize("images", ["https://x/y.png", {"url": "https://x/y.png"}])
def test_a_single_reference_instead_of_a_list_is_a_mistake(client, images):
    with pytest.raises(TypeError, match="list"):
        client.videos.create("x", images=images)


def test_a_text_file_is_a_mistake(client, tmp_path):
    path = tmp_path / "a"
    path.touch()
    with path.open() as opened, pytest.raises(TypeError, match="binary"):
        client.files.upload(opened)


class Stream(io.RawIOBase):
    """Readable once, like a pipe."""

    def __init__(self, content: bytes) -> None:
        self._inner = io.BytesIO(content)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._inner.readinto(buffer)
