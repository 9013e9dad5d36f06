"""Downloads, for both clients."""

from __future__ import annotations

import io
import os

import pytest
from fake_service import CONTENT, Fault

from seedance import Conflict, DownloadFailed

CUT = len(CONTENT) * 6 // 10


@pytest.fixture
def video(client):
    return client.videos.create("x")


def content_requests(service):
    return service.seen("GET", r".*/content")


def test_a_path_gets_the_whole_file(client, service, video, tmp_path):
    told = []
    target = tmp_path / "out.mp4"
    target.write_bytes(b"an older one")
    done = client.videos.download(video, target, on_progress=lambda *numbers: told.append(numbers))
    assert target.read_bytes() == CONTENT
    assert (done.path, done.bytes) == (str(target), len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert list(tmp_path.iterdir()) == [target]
    assert content_requests(service)[0].headers["Accept-Encoding"] == "identity"


def test_the_file_has_ordinary_permissions(client, video, tmp_path):
    before = os.umask(0o022)
    try:
        client.videos.download(video, tmp_path / "out.mp4")
    finally:
        os.umask(before)
    assert (tmp_path / "out.mp4").stat().st_mode & 0o777 == 0o644


def test_a_variant_is_asked_for(client, service, video, tmp_path):
    client.videos.download(video.id, str(tmp_path / "a.png"), variant="last_frame")
    assert content_requests(service)[0].query == {"variant": "last_frame"}


def test_an_open_file_is_written_from_where_it_stands(client, service, video):
    service.fail("GET", r".*/content", Fault(cut_after=CUT))
    file = io.BytesIO(b"head")
    file.seek(4)
    assert client.videos.download(video, file).path is None
    assert file.getvalue() == b"head" + CONTENT


def test_a_cut_download_goes_on_where_it_stopped(client, service, video, tmp_path):
    service.fail("GET", r".*/content", Fault(cut_after=CUT))
    client.videos.download(video, tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == CONTENT
    first, second = content_requests(service)
    assert "Range" not in first.headers
    assert second.headers["Range"] == f"bytes={CUT}-"
    assert second.headers["If-Range"] == '"v1"'


def test_a_connection_that_drops_often_gets_there(client, service, video, tmp_path):
    service.fail("GET", r".*/content", *[Fault(cut_after=len(CONTENT) // 10)] * 9)
    client.videos.download(video, tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["path", "file"])
def test_content_that_changed_is_fetched_from_the_start(client, service, video, tmp_path, kind):
    service.fail("GET", r".*/content", Fault(cut_after=CUT))
    other = CONTENT[::-1][:-1000]

    def change(received, _total):
        if received == CUT:
            service.content, service.etag = other, '"v2"'

    target = tmp_path / "out.mp4" if kind == "path" else io.BytesIO()
    client.videos.download(video, target, on_progress=change)
    assert (target.read_bytes() if kind == "path" else target.getvalue()) == other


def test_without_an_etag_a_cut_download_starts_over(client, service, video, tmp_path):
    service.etag = 'W/"weak"'
    service.fail("GET", r".*/content", Fault(cut_after=CUT))
    client.videos.download(video, tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == CONTENT
    assert "Range" not in content_requests(service)[1].headers


@pytest.mark.parametrize("cut_after", [0, 1000])
def test_a_length_that_never_comes_is_an_error_and_leaves_no_file(open_client, service, tmp_path, cut_after):
    client = open_client(service.url, max_retries=2)
    video = client.videos.create("x")
    service.etag = 'W/"weak"'
    service.fail("GET", r".*/content", *[Fault(cut_after=cut_after)] * 50)
    with pytest.raises(DownloadFailed, match="broke off"):
        client.videos.download(video, tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []
    assert len(content_requests(service)) <= 5


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Range": "bytes 0-9/10", "ETag": '"v1"'},
        {"Content-Range": "nonsense", "ETag": '"v1"'},
        {"Content-Range": f"bytes {CUT}-{CUT}/{CUT + 1}", "ETag": '"v1"'},
        {"Content-Range": f"bytes {CUT}-{CUT}/{len(CONTENT)}", "ETag": '"v9"'},
    ],
)
def test_a_part_that_does_not_fit_is_not_used(client, service, video, tmp_path, headers):
    service.fail("GET", r".*/content", Fault(cut_after=CUT), Fault(status=206, headers=headers, body=b"junk"))
    client.videos.download(video, tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == CONTENT


def test_a_range_that_is_refused_starts_over(client, service, video, tmp_path):
    service.fail("GET", r".*/content", Fault(cut_after=CUT), Fault(status=416))
    client.videos.download(video, tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == CONTENT


def test_a_refused_download_leaves_no_file(client, service, video, tmp_path):
    service.fail("GET", r".*/content", Fault(status=409))
    with pytest.raises(Conflict):
        client.videos.download(video, tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_callback_that_stops_it_leaves_no_file(client, video, tmp_path):
    def stop(received, _total):
        raise KeyboardInterrupt if received else ValueError

    with pytest.raises(KeyboardInterrupt):
        client.videos.download(video, tmp_path / "out.mp4", on_progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_refused(client, service, video, tmp_path):
    with pytest.raises(IsADirectoryError):
        client.videos.download(video, tmp_path)
    assert content_requests(service) == []


def test_what_a_pipe_has_swallowed_is_not_taken_back(client, service, video):
    read_end, write_end = os.pipe()
    service.content = CONTENT[:1000]
    service.etag = 'W/"weak"'
    service.fail("GET", r".*/content", Fault(cut_after=500))
    with (
        os.fdopen(read_end, "rb"),
        os.fdopen(write_end, "wb") as pipe,
        pytest.raises(DownloadFailed, match="back"),
    ):
        client.videos.download(video, pipe)
