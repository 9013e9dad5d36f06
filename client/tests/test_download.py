"""Downloads, for both clients."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import stat
import tempfile
import threading
from pathlib import Path

import httpx
import pytest
from fake_service import CONTENT, Fault

from seedance import Conflict, DownloadFailed
from seedance.digest import repr_digest

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


def test_the_file_is_verified_and_then_confirmed(client, service, video, tmp_path):
    done = client.videos.download(video, tmp_path / "out.mp4")
    assert (done.verified, done.sha256) == (True, hashlib.sha256(CONTENT).hexdigest())
    assert (done.video.id, done.video.delivered_at) == (video.id, 1795524043)
    [confirmed] = service.seen("POST", f"/v1/videos/{video.id}/delivered")
    assert confirmed.headers["Idempotency-Key"]


def test_nothing_is_confirmed_that_was_not_to_be(client, service, video, tmp_path):
    assert client.videos.download(video, tmp_path / "a.mp4", confirm=False).video is None
    assert client.videos.download(video, tmp_path / "a.jpg", variant="thumbnail").verified
    assert client.billing.statement("2026-11", tmp_path / "a.csv").video is None
    assert service.seen("POST", ".*/delivered") == []


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(status=410), Fault(drop="before"), Fault(200, body=[1])])
def test_a_confirmation_that_fails_is_no_failure_of_the_download(open_client, service, tmp_path, fault):
    client = open_client(service.url, max_retries=1)
    service.fail("POST", ".*/delivered", *[fault] * 9)
    done = client.videos.download(client.videos.create("x"), tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == CONTENT
    assert (done.verified, done.video) == (True, None)


@pytest.mark.parametrize("kind", ["path", "file"])
def test_a_damaged_file_is_fetched_once_more(client, service, video, tmp_path, kind):
    service.fail("GET", r".*/content", Fault(cut_after=CUT), Fault(damaged=True))
    target = tmp_path / "out.mp4" if kind == "path" else io.BytesIO()
    done = client.videos.download(video, target)
    assert (target.read_bytes() if kind == "path" else target.getvalue()) == CONTENT
    assert (done.verified, done.bytes) == (True, len(CONTENT))
    assert [r.headers.get("Range") for r in content_requests(service)] == [None, f"bytes={CUT}-", None]


def test_a_resumed_file_is_verified_whole(client, service, video, tmp_path):
    """The first part is of another content under the same tag and of the same length."""
    service.fail("GET", r".*/content", Fault(cut_after=CUT), Fault(cut_after=CUT))

    def change(received, _total):
        if received == CUT:
            service.content = CONTENT if service.content != CONTENT else b"?" + CONTENT[1:]

    service.content = b"!" + CONTENT[1:]
    done = client.videos.download(video, tmp_path / "out.mp4", on_progress=change)
    assert hashlib.sha256((tmp_path / "out.mp4").read_bytes()).hexdigest() == done.sha256
    assert (tmp_path / "out.mp4").read_bytes() == service.content
    assert len(content_requests(service)) == 3


@pytest.mark.parametrize("kind", ["path", "file"])
def test_a_file_that_stays_damaged_is_an_error_and_left_nowhere(client, service, video, tmp_path, kind):
    service.fail("GET", r".*/content", *[Fault(damaged=True)] * 2)
    (tmp_path / "out.mp4").write_bytes(b"an older one")
    file = io.BytesIO(b"head")
    file.seek(4)
    with pytest.raises(DownloadFailed, match="damaged twice"):
        client.videos.download(video, tmp_path / "out.mp4" if kind == "path" else file)
    assert [one.name for one in tmp_path.iterdir()] == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"an older one"
    assert file.getvalue() == b"head"
    assert len(content_requests(service)) == 2
    assert service.seen("POST", ".*/delivered") == []


def test_without_a_digest_it_is_whole_but_neither_verified_nor_confirmed(client, service, video, tmp_path):
    service.digested = False
    done = client.videos.download(video, tmp_path / "out.mp4")
    assert (done.verified, done.video, done.bytes) == (False, None, len(CONTENT))
    assert [r.method for r in service.requests[1:]] == ["GET"]


def test_what_a_store_sends_is_verified_by_what_the_service_says(client, service, video, tmp_path):
    service.redirects = True
    service.fail("GET", "/store/content", Fault(damaged=True))
    done = client.videos.download(video, tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == CONTENT
    assert (done.verified, done.video.delivered_at) == (True, 1795524043)
    assert len(service.seen("GET", "/store/content")) == 2
    service.fail("HEAD", r".*/content", Fault(status=404))
    assert client.videos.download(video, tmp_path / "out.mp4").verified is False


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (f"sha-256=:{'QUJD' * 10}QUI=:", b"ABC" * 10 + b"AB"),
        (f"sha-512=:QQ==:, sha-256=:{'QUJD' * 10}QUI=:", b"ABC" * 10 + b"AB"),
        ("sha-256=:QUJD:", None),
        ("sha-256=:QUJDQ:", None),
        ("sha-256=QUJD", None),
        (f"x-sha-256=:{'QUJD' * 10}QUI=:", None),
        ("", None),
    ],
)
def test_a_digest_is_read_or_taken_for_none(said, read):
    assert repr_digest(httpx.Headers({"Repr-Digest": said})) == read


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


def read_all(path):
    """What comes through a pipe, read by a thread of its own."""
    pieces = []
    reader = threading.Thread(target=lambda: pieces.append(path.read_bytes()), daemon=True)
    reader.start()
    return reader, pieces


def kind_of(path):
    return stat.S_IFMT(path.lstat().st_mode)


def test_a_pipe_is_written_to_and_stays(client, video, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader, pieces = read_all(pipe)
    done = client.videos.download(video, pipe)
    reader.join(20)
    assert pieces == [CONTENT]
    assert (done.path, done.verified) == (str(pipe), True)
    assert kind_of(pipe) == stat.S_IFIFO
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_cut_download_into_a_pipe_goes_on(client, service, video, tmp_path):
    service.fail("GET", r".*/content", Fault(cut_after=CUT))
    os.mkfifo(tmp_path / "pipe")
    reader, pieces = read_all(tmp_path / "pipe")
    client.videos.download(video, tmp_path / "pipe")
    reader.join(20)
    assert pieces == [CONTENT]


def test_what_went_into_a_pipe_cannot_be_taken_back(client, service, video, tmp_path):
    service.fail("GET", r".*/content", Fault(damaged=True))
    os.mkfifo(tmp_path / "pipe")
    reader, _ = read_all(tmp_path / "pipe")
    with pytest.raises(DownloadFailed, match="cannot be taken back"):
        client.videos.download(video, tmp_path / "pipe")
    reader.join(20)
    assert kind_of(tmp_path / "pipe") == stat.S_IFIFO


def test_a_device_is_written_to_and_stays(client, video, tmp_path):
    device = tmp_path / "null"
    try:
        os.mknod(device, stat.S_IFCHR | 0o600, os.makedev(1, 3))  # one of our own, that takes everything
    except PermissionError:
        pytest.skip("only root makes devices")
    link = tmp_path / "link"
    link.symlink_to(device)
    try:
        for target in (device, link):
            done = client.videos.download(video, target)
            assert (done.path, done.bytes) == (str(target), len(CONTENT))
    except PermissionError:
        pytest.skip("devices do not work on this file system")
    assert (kind_of(device), kind_of(link)) == (stat.S_IFCHR, stat.S_IFLNK)
    assert {one.name for one in tmp_path.iterdir()} == {"null", "link"}


def test_a_device_that_is_full_is_an_error_and_stays(client, video, tmp_path):
    device = tmp_path / "full"
    try:
        os.mknod(device, stat.S_IFCHR | 0o600, os.makedev(1, 7))
    except PermissionError:
        pytest.skip("only root makes devices")
    with pytest.raises(OSError, match=r"No space left|not permitted|denied"):
        client.videos.download(video, device)
    assert kind_of(device) == stat.S_IFCHR


def test_a_terminal_is_written_to_and_stays(client, service, tmp_path):
    leader, follower = os.openpty()
    link = tmp_path / "terminal"
    link.symlink_to(os.ttyname(follower))
    reader = threading.Thread(target=lambda: os.read(leader, 1 << 20), daemon=True)
    reader.start()
    saved = client.billing.statement("2026-11", link)
    reader.join(20)
    assert (saved.path, kind_of(link)) == (str(link), stat.S_IFLNK)
    assert stat.S_ISCHR(link.stat().st_mode)
    os.close(follower)
    os.close(leader)


def test_a_link_stays_and_what_it_leads_to_is_replaced_whole(client, service, video, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    target, link, further = folder / "real.mp4", tmp_path / "link.mp4", tmp_path / "further.mp4"
    target.write_bytes(b"an older one")
    link.symlink_to("elsewhere/real.mp4")
    further.symlink_to("link.mp4")
    done = client.videos.download(video, further)
    assert done.path == str(further)
    assert (kind_of(link), kind_of(further)) == (stat.S_IFLNK, stat.S_IFLNK)
    assert target.read_bytes() == CONTENT
    service.fail("GET", r".*/content", *[Fault(damaged=True)] * 2)
    with pytest.raises(DownloadFailed):
        client.videos.download(video, link)
    assert target.read_bytes() == CONTENT
    assert list(folder.iterdir()) == [target]


def test_a_link_to_nothing_gets_its_file(client, video, tmp_path):
    (tmp_path / "link").symlink_to("new.mp4")
    client.videos.download(video, tmp_path / "link")
    assert kind_of(tmp_path / "link") == stat.S_IFLNK
    assert (tmp_path / "new.mp4").read_bytes() == CONTENT
    (tmp_path / "astray").symlink_to("no/such/new.mp4")
    with pytest.raises(FileNotFoundError, match="no/such does not exist"):
        client.videos.download(video, tmp_path / "astray")


def test_a_file_keeps_its_mode_and_nobody_else_reads_it_meanwhile(client, video, tmp_path):
    target = tmp_path / "out.mp4"
    target.write_bytes(b"secret")
    target.chmod(0o600)
    modes = []

    def look(*_):
        modes.extend(one.stat().st_mode & 0o777 for one in tmp_path.glob(".*.part"))

    client.videos.download(video, target, on_progress=look)
    assert set(modes) == {0o600}
    assert target.stat().st_mode & 0o777 == 0o600
    target.chmod(0o664)
    client.videos.download(video, target)
    assert target.stat().st_mode & 0o777 == 0o664


def test_a_socket_and_a_folder_are_refused_in_words(client, service, video, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
        with pytest.raises(OSError, match="socket is a socket, which cannot be written to"):
            client.videos.download(video, "socket")
    with pytest.raises(IsADirectoryError, match="is a folder: name a file in it"):
        client.videos.download(video, tmp_path)
    assert content_requests(service) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become somebody else")
def test_a_folder_that_takes_no_file_is_named(client, service, video):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        os.seteuid(65534)
        try:
            with pytest.raises(PermissionError, match=f"no file may be made in the folder {folder}"):
                client.videos.download(video, folder / "out.mp4")
        finally:
            os.seteuid(0)
    assert content_requests(service) == []


def test_a_file_that_is_appended_to_keeps_what_it_has(client, service, tmp_path):
    """`… -o - >> all.mp4`: a start from anew takes back what was written, and nothing before that."""
    service.fail("GET", r".*/content", Fault(damaged=True))
    target = tmp_path / "all.mp4"
    target.write_bytes(b"before")
    descriptor = os.open(target, os.O_WRONLY | os.O_APPEND)  # as a shell does it: it stands at 0
    with os.fdopen(descriptor, "wb") as file:
        client.videos.download(client.videos.create("x"), file)
    assert target.read_bytes() == b"before" + CONTENT
